// SPDX-License-Identifier: Apache-2.0
// Random intents that are valid, for plans between any two of them.
#pragma once

#include "controlplane/intent/model.hpp"
#include "tests/unit/intent_sample.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// Valid intents of a few objects out of a small space, so that names, VNIs, addresses and devices
// meet again in other objects.
class RandomIntent {
 public:
  explicit RandomIntent(unsigned seed) : random_(seed) {}

  cp::Intent make() {
    cp::Intent intent;
    const std::size_t wires = 1 + pick(2);
    const std::size_t hosts = pick(4);
    const std::size_t locals = 1 + pick(2);
    const std::size_t remotes = pick(5);
    const std::size_t networks = hosts > 0 ? 1 + pick(4) : pick(4);
    std::vector<int> devices = shuffled(8);
    add_wires(intent, wires, devices);
    const std::size_t next_hops = pick(4);
    for (std::size_t i = 0; i < next_hops; ++i) add_next_hop(intent, wires, i);
    std::vector<int> vnis = shuffled(6);
    std::vector<int> names = shuffled(6);
    std::vector<int> addresses = shuffled(9);
    for (std::size_t i = 0; i < locals + remotes; ++i) {
      const bool is_local = i < locals;
      cp::Vtep vtep{.name = letter("v", static_cast<std::size_t>(addresses[i])),
                    .kind = is_local ? cp::VtepKind::local : cp::VtepKind::remote,
                    .address = {},
                    .port = intent.ports[pick(wires)].name,
                    .source = {}};
      vtep.address = *base::parse_ip("198.18.0." + std::to_string(1 + (addresses[i] + shift_) % 9));
      if (!is_local) vtep.source = intent.vteps[pick(locals)].name;
      // The first stands at every port: any next hop's answers are welcome to it.
      if (is_local ? i == 0 || pick(3) == 0 : next_hops > 0 && pick(2) == 0) vtep.port = {};
      if (!is_local && vtep.port.empty()) {
        vtep.source = intent.vteps.front().name;
        const std::size_t first = pick(next_hops);
        vtep.next_hops.push_back(intent.next_hops[first].name);
        if (next_hops > 1 && pick(2) == 0) {
          vtep.next_hops.push_back(intent.next_hops[(first + 1) % next_hops].name);
        }
      }
      // Or it is on the link of its port itself.
      if (!is_local && !vtep.port.empty() && pick(2) == 0) {
        vtep.next_hop_mac = mac(0x0200'0000'ff00 + pick(3));
      }
      intent.vteps.push_back(vtep);
    }
    shift_ = pick(9);
    for (std::size_t i = 0; i < networks; ++i) {
      cp::Network network{.name = letter("n", static_cast<std::size_t>(names[i])),
                          .vni = static_cast<std::uint32_t>(1 + vnis[i]),
                          .flood = {}};
      for (std::size_t v = locals; v < locals + remotes; ++v) {
        if (pick(2) == 0) network.flood.push_back(intent.vteps[v].name);
      }
      intent.networks.push_back(network);
    }
    for (std::size_t i = 0; i < hosts; ++i) {
      intent.ports.push_back({.name = letter("h", i),
                              .role = cp::PortRole::tenant,
                              .device = device(devices, wires + i),
                              .network = intent.networks[pick(networks)].name,
                              .peer = {},
                              .mtu = mtu()});
    }
    for (std::size_t i = 0; hosts > 0 && i < pick(3); ++i) {
      add_vlan(intent, intent.ports[wires + pick(hosts)].name, i);
    }
    for (std::size_t i = 0; i < pick(30); ++i) add_endpoint(intent, wires, locals);
    for (std::size_t i = 0; i < wires; ++i) add_queues(intent, intent.ports[i].name);
    cp::sort(intent);
    return intent;
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }
  void add_wires(cp::Intent& intent, std::size_t wires, const std::vector<int>& devices) {
    for (std::size_t i = 0; i < wires; ++i) {
      intent.ports.push_back({.name = letter("w", i),
                              .role = cp::PortRole::underlay,
                              .device = device(devices, i),
                              .network = {},
                              .peer = {},
                              .mtu = mtu(),
                              .addresses = {on_link("198.18.0.", i), on_link("10.0.0.", i)}});
    }
  }
  // Each DSCP and kind of traffic wanders among the classes.
  void add_queues(cp::Intent& intent, const cp::Name& port) {
    const std::size_t data_class = pick(8);
    const std::size_t dscp_class = pick(8);
    for (std::uint8_t i = 0; i < 8; ++i) {
      if (pick(3) != 0) continue;
      cp::Queue queue{.port = port, .traffic_class = i};
      if (i == data_class) queue.carries.push_back(cp::RoceTraffic::data);
      if (i == dscp_class) queue.dscp.push_back(26);
      if (pick(2) == 0) queue.rate = cp::Rate{1'000'000 * (1 + pick(3))};
      if (pick(2) == 0) {
        queue.kmin = cp::ByteCount{1000 * pick(3)};
        queue.kmax = cp::ByteCount{1000 * (2 + pick(3))};
        queue.pmax = cp::Share{10'000};
      }
      intent.queues.push_back(std::move(queue));
    }
  }
  static cp::LinkAddress on_link(std::string_view network, std::size_t i) {
    return {*base::parse_ip(std::string(network) + std::to_string(100 + i)), 24};
  }
  void add_next_hop(cp::Intent& intent, std::size_t wires, std::size_t i) {
    cp::NextHop next_hop{.name = letter("s", i), .port = intent.ports[pick(wires)].name};
    if (pick(2) == 0) {
      next_hop.mac = mac(0x0200'0000'ff00 + pick(3));
    } else {
      next_hop.address = *base::parse_ip("10.0.0." + std::to_string(1 + pick(3)));
    }
    intent.next_hops.push_back(next_hop);
  }
  void add_vlan(cp::Intent& intent, const cp::Name& parent, std::size_t i) {
    cp::Port port{.name = letter("t", i),
                  .role = cp::PortRole::tenant,
                  .device = {},
                  .network = intent.networks[pick(intent.networks.size())].name,
                  .peer = {},
                  .parent = parent};
    port.vlan = static_cast<std::uint16_t>(1 + i);  // Another one each, of whichever port.
    if (pick(2) == 0) port.inner_vlan = static_cast<std::uint16_t>(1 + pick(2));
    intent.ports.push_back(port);
  }
  std::vector<int> shuffled(int count) {
    std::vector<int> numbers(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = i;
    std::shuffle(numbers.begin(), numbers.end(), random_);
    return numbers;
  }
  static cp::Name letter(std::string_view prefix, std::size_t number) {
    return name(std::string(prefix) + std::to_string(number));
  }
  static std::string device(const std::vector<int>& devices, std::size_t at) {
    return "net_null" + std::to_string(devices[at]);
  }
  std::optional<std::uint16_t> mtu() {
    if (pick(2) == 0) return std::nullopt;
    return static_cast<std::uint16_t>(1500 + pick(2) * 100);
  }

  void add_endpoint(cp::Intent& intent, std::size_t wires, std::size_t locals) {
    cp::Endpoint endpoint{
        .network = {}, .mac = mac(0x0200'0000'0000 + 1 + pick(20)), .vtep = {}, .port = {}};
    if (intent.ports.size() > wires && pick(2) == 0) {
      const cp::Port& port = intent.ports[wires + pick(intent.ports.size() - wires)];
      endpoint.network = port.network;
      endpoint.port = port.name;
    } else if (intent.vteps.size() > locals && !intent.networks.empty()) {
      endpoint.network = intent.networks[pick(intent.networks.size())].name;
      endpoint.vtep = intent.vteps[locals + pick(intent.vteps.size() - locals)].name;
    } else {
      return;
    }
    const bool is_new =
        std::none_of(intent.endpoints.begin(), intent.endpoints.end(), [&](const auto& other) {
          return other.network == endpoint.network && other.mac == endpoint.mac;
        });
    if (is_new) intent.endpoints.push_back(endpoint);
  }

  std::mt19937 random_;
  std::size_t shift_ = 0;
};
