// SPDX-License-Identifier: Apache-2.0
// A packet of one VNI never leaves at a port of another network or with another VNI: 10^7 random
// packets over random tables that change between batches, each judged by an independent model. What
// is staged and not committed must not be seen; what is committed must be, whole.
// WEIR_SEED and WEIR_PACKETS choose others.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/model.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

namespace {

using test::Bytes;
using test::Model;
using test::Targets;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t packets_usual = 500'000;  // Sanitizers take ten times as long.
#else
constexpr std::uint64_t packets_usual = 10'000'000;
#endif

// Written and read as the wire has them, without Weir's headers.
void push_tag(Bytes& frame, std::uint8_t type, std::uint16_t vlan) {
  const std::uint8_t low = type == 0x88 ? 0xa8 : 0x00;
  const Bytes tag{type, low, static_cast<std::uint8_t>(vlan >> 8), static_cast<std::uint8_t>(vlan)};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
}

void push_tags(Bytes& frame, const test::Gateway::Vlan& vlan) {
  if (vlan.inner != 0) push_tag(frame, 0x81, vlan.inner);
  push_tag(frame, vlan.inner != 0 ? 0x88 : 0x81, vlan.vlan);
}

// In front of whatever the frame has: 7 and 300 are nobody's, 100 in front of 7 is not stacked as
// IEEE 802.1ad has it.
std::uint16_t lost_vlan(std::uint64_t dice) {
  constexpr std::uint16_t vlans[] = {7, 300, 4095, 201};
  return vlans[dice % std::size(vlans)];
}

// Which of the trunk's ports the frame left at; its tags come off.
std::uint16_t untag(rte_mbuf* mbuf) {
  std::uint16_t vlans[2]{};
  std::uint16_t count = 0;
  std::uint8_t outer_type = 0;
  for (; count < 2; ++count) {
    auto* frame = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
    if (frame[12] != 0x81 && frame[12] != 0x88) break;
    if (count == 0) outer_type = frame[12];
    vlans[count] = static_cast<std::uint16_t>(frame[14] << 8 | frame[15]);
    std::memmove(frame + 4, frame, 12);
    rte_pktmbuf_adj(mbuf, 4);
  }
  if (count == 0) return Model::trunk;
  for (std::uint16_t port = Model::trunk + 1; port < Model::wire; ++port) {
    const test::Gateway::Vlan& vlan = Model::vlan_of(port);
    const bool is_type = outer_type == (vlan.inner != 0 ? 0x88 : 0x81);
    if (is_type && vlan.vlan == vlans[0] && vlan.inner == vlans[1]) return port;
  }
  return 0xffff;
}

class Isolation : public test::OnWorkers {
 protected:
  static constexpr std::uint32_t burst = 48;  // A queue's share stays below one turn.
  // Tag in the payload: which packet of the round it is.
  static constexpr std::size_t tag_offset = 14 + 20 + 8 + 12;

  Isolation()
      : seed_(from_environment("WEIR_SEED", 20261120) + workers()),
        gateway_(on_workers()),
        model_(gateway_, seed_),
        random_(seed_ + 1) {
    for (std::uint16_t i = 0; i < Model::mac_count; ++i) {
      destinations_.push_back(test::mac(Model::mac_text(i)));
    }
    destinations_.push_back(test::mac("ff:ff:ff:ff:ff:ff"));
    destinations_.push_back(test::mac("01:00:5e:00:00:01"));
    destinations_.push_back(test::mac("02:00:00:00:0a:0f"));  // Nobody's.
    inner_ = test::make({});
    for (std::uint16_t vtep = Model::vtep_first; vtep <= Model::vtep_last; ++vtep) {
      wrapped_[vtep] =
          test::wrap(inner_, {.source = Model::vtep_address(vtep),
                              .destination = Model::own_address(Model::family_of(vtep))});
    }
  }

  void offer_random(std::uint32_t tag);
  void expect_targets();
  void judge(rte_mbuf* mbuf, std::uint16_t port);
  void run_round() {
    expected_.clear();
    for (std::uint32_t i = 0; i < burst; ++i) offer_random(i);
    gateway_.run();
    expect_targets();
  }

  std::uint64_t seed_;
  test::Gateway gateway_;
  Model model_;
  std::mt19937_64 random_;
  std::vector<base::MacAddress> destinations_;
  Bytes inner_;
  std::array<Bytes, Model::vtep_last + 1> wrapped_;  // By their VTEP.

  struct Expected {
    Targets targets;
    std::uint16_t network;  // Of a tenant's packet.
    std::uint32_t vni;      // Of a tunnel's packet.
    Targets seen = 0;
  };
  std::vector<Expected> expected_;  // By tag.
  std::uint64_t delivered_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Workers, Isolation, test::one_and_two_workers);

void Isolation::offer_random(std::uint32_t tag) {
  const std::uint64_t dice = random_();
  const base::MacAddress destination = destinations_[dice % destinations_.size()];
  const auto port = static_cast<std::uint16_t>((dice >> 8) % (2 * Model::tenant_ports));
  const bool from_tenant = port < Model::tenant_ports;
  const std::uint32_t vni =
      Model::vni_first + static_cast<std::uint32_t>((dice >> 16) % Model::vni_count);
  const auto source = static_cast<std::uint16_t>(
      Model::vtep_first + (dice >> 24) % (Model::vtep_last - Model::vtep_first + 1));

  Bytes frame = from_tenant ? inner_ : wrapped_[source];
  const std::size_t start = from_tenant ? 0 : test::tunnel_bytes_of(frame.data());
  std::memcpy(frame.data() + start, destination.bytes.data(), 6);
  std::memcpy(frame.data() + start + tag_offset, &tag, sizeof tag);
  if (!from_tenant) frame[start - 2] = static_cast<std::uint8_t>(vni);
  std::uint16_t entered = from_tenant ? port : Model::wire;
  if (from_tenant && Model::is_vlan(port)) {
    entered = Model::trunk;
    push_tags(frame, Model::vlan_of(port));
  }
  // Tags that no mapping has: the frame belongs to nobody.
  const bool is_lost = entered == Model::trunk && (dice >> 32) % 8 == 0;
  if (is_lost) push_tags(frame, {.parent = 0, .network = 0, .vlan = lost_vlan(dice >> 36)});
  gateway_.offer(entered, frame, static_cast<std::uint16_t>(tag % workers()));
  if (is_lost) {
    expected_.push_back({.targets = 0, .network = model_.network_of_port(port), .vni = 0});
    return;
  }
  expected_.push_back({.targets = from_tenant
                                      ? model_.from_tenant(port, destination.to_integer())
                                      : model_.from_wire(vni, source, destination.to_integer()),
                       .network = from_tenant ? model_.network_of_port(port) : std::uint16_t{0},
                       .vni = vni});
}

void Isolation::judge(rte_mbuf* mbuf, std::uint16_t port) {
  if (port == Model::trunk) port = untag(mbuf);
  ASSERT_LT(port, Model::wire + 1) << "left with tags that no port has";
  const auto* frame = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
  const bool wrapped = port == Model::wire;
  std::uint32_t tag;
  std::memcpy(&tag, frame + (wrapped ? test::tunnel_bytes_of(frame) : 0) + tag_offset, sizeof tag);
  ASSERT_LT(tag, expected_.size());
  Expected& one = expected_[tag];

  Targets target;
  if (wrapped) {
    ASSERT_NE(one.network, 0) << "a tunnel's packet went into a tunnel";
    ASSERT_EQ(test::vni_of(frame), model_.vni_of(one.network)) << "left with another VNI";
    target = test::to_vtep(static_cast<std::uint16_t>(test::outer_destination(frame) & 0xff));
  } else {
    const auto network = model_.network_of_port(port);
    if (one.network != 0) {
      ASSERT_EQ(network, one.network) << "left at another network's port";
    } else {
      ASSERT_EQ(model_.vni_of(network), one.vni) << "left at another network's port";
    }
    target = test::to_port(port);
  }
  ASSERT_NE(one.targets & target, 0u) << "left where the tables do not say";
  ASSERT_EQ(one.seen & target, 0u) << "left twice";
  one.seen |= target;
  ++delivered_;
}

void Isolation::expect_targets() {
  for (std::uint16_t port = 0; port <= Model::wire; ++port) {
    if (Model::is_vlan(port)) continue;  // It has no device.
    for (std::uint16_t worker = 0; worker < workers(); ++worker) {
      const auto sent = gateway_.memory_port(port).take_sent(base::QueueId{worker});
      for (rte_mbuf* mbuf : sent) {
        if (!HasFatalFailure()) judge(mbuf, port);
        rte_pktmbuf_free(mbuf);
      }
    }
  }
  for (const Expected& one : expected_) {
    if (HasFatalFailure()) return;
    ASSERT_EQ(one.seen, one.targets);
  }
}

TEST_P(Isolation, no_packet_ever_leaves_its_network) {
  const std::uint64_t packets = from_environment("WEIR_PACKETS", packets_usual) / 2;
  std::printf("seed %llu, %llu packets\n", static_cast<unsigned long long>(seed_),
              static_cast<unsigned long long>(packets));
  model_.change(200);
  gateway_.commit();
  model_.accept();

  for (std::uint64_t done = 0; done < packets && !HasFatalFailure(); done += 5 * burst) {
    for (int round = 0; round < 4 && !HasFatalFailure(); ++round) run_round();
    model_.change(1 + static_cast<unsigned>(random_() % 6));
    run_round();  // Staged, not committed: still the old state.
    gateway_.commit();
    model_.accept();
  }

  EXPECT_EQ(gateway_.mismatch(), 0);
  EXPECT_GT(delivered_, packets / 4) << "the random tables let too little through to prove much";
}

}  // namespace
