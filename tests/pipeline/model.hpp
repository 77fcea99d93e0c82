// SPDX-License-Identifier: Apache-2.0
// What the tables say, once more and independently: hash maps of the standard library and a walk
// over them that fits on a screen. Random changes go to a gateway and to its model alike; then the
// model says where a frame must go.
#pragma once

#include "tests/pipeline/gateway.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

namespace test {

// Where a frame must leave: bit n: tenant port n; bit 32 + v: to remote VTEP v. 0: it dies.
using Targets = std::uint64_t;
constexpr Targets to_port(std::uint16_t port) {
  return Targets{1} << port;
}
constexpr Targets to_vtep(std::uint16_t vtep) {
  return Targets{1} << (32 + vtep);
}

class Model {
 public:
  static constexpr std::uint16_t tenant_ports = 8;  // 0..7.
  // Of these, 5..7 are VLANs of port 4, which maps them.
  static constexpr std::uint16_t trunk = 4;
  static constexpr Gateway::Vlan vlans[] = {{trunk, 0, 100}, {trunk, 0, 200}, {trunk, 0, 100, 7}};
  static constexpr bool is_vlan(std::uint16_t port) { return port > trunk && port < wire; }
  static constexpr const Gateway::Vlan& vlan_of(std::uint16_t port) {
    return vlans[port - trunk - 1];
  }
  static constexpr std::uint16_t wire = 8;
  static constexpr std::uint16_t network_max = 4;  // 1..4.
  static constexpr std::uint16_t vtep_first = 2;   // 1 is our own.
  static constexpr std::uint16_t vtep_last = 5;
  static constexpr std::uint32_t vni_first = 100;
  static constexpr std::uint32_t vni_count = 6;  // Some belong to no network.
  static constexpr std::uint16_t mac_count = 12;

  struct Network {
    std::uint32_t vni;
    bool flood_unknown;
    std::vector<std::uint16_t> flood_vteps;
  };

  // `gateway` outlives the model.
  Model(Gateway& gateway, std::uint64_t seed);

  // Stages `changes` random changes in the gateway; the model has them too from accept() on.
  void change(unsigned changes);
  void accept() { now_ = next_; }

  Targets from_tenant(std::uint16_t port, std::uint64_t destination) const;
  Targets from_wire(std::uint32_t vni, std::uint16_t source_vtep, std::uint64_t destination) const;
  std::uint16_t network_of_port(std::uint16_t port) const { return now_.port_network[port]; }
  std::optional<std::uint32_t> vni_of(std::uint16_t network) const;

  static std::string mac_text(std::uint16_t number);
  // VTEPs of odd numbers have IPv6 addresses.
  static constexpr int family_of(std::uint16_t vtep) { return vtep % 2 == 0 ? 4 : 6; }
  static std::string vtep_address(std::uint16_t vtep);
  static constexpr std::string_view own_address(int family) {
    return family == 4 ? "198.18.0.1" : "fd00:18::1";
  }

 private:
  // Everything by value, so that old and new state are two of them.
  struct State {
    std::array<std::uint16_t, tenant_ports> port_network{};  // 0: none.
    std::unordered_map<std::uint16_t, Network> networks;
    std::unordered_map<std::uint64_t, dp::EndpointValue> endpoints;  // Key: network << 48 | MAC.
    std::array<bool, vtep_last + 1> vtep_present{};
    std::array<bool, vtep_last + 1> vtep_resolved{};
  };

  std::uint32_t pick(std::uint32_t count);
  void change_port();
  void stage_port(std::uint16_t port, std::uint16_t network);
  void change_network();
  void swap_vnis();
  void change_endpoint();
  void change_vtep();
  void stage_network(std::uint16_t network);
  Targets flood(std::uint16_t network, Targets ingress, bool to_vteps) const;
  bool reachable(std::uint16_t vtep) const;

  Gateway& gateway_;
  std::mt19937_64 random_;
  State now_;
  State next_;
};

}  // namespace test
