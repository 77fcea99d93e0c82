// SPDX-License-Identifier: Apache-2.0
// A model of the data plane's tables that refuses what the real one refuses: a VNI, an address or a
// device that another has, a reference that does not hold on commit.
#pragma once

#include "controlplane/plan/plan.hpp"
#include "dataplane/contract/digest.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <utility>

class DataPlane {
 public:
  void apply(const cp::Plan& plan) {
    plan.for_each_group([this](contract::Verb, const auto& records) {
      for (const auto& record : records) take(record);
    });
    check_references();
  }

  contract::Digests digests() const {
    contract::Digests sum{};
    for (const auto& [id, record] : port_adds) sum.ports += contract::record_digest(record);
    for (const auto& [id, record] : port_sets) sum.ports += contract::record_digest(record);
    for (const auto& [id, record] : networks) sum.networks += contract::record_digest(record);
    for (const auto& [id, record] : vteps) sum.vteps += contract::record_digest(record);
    for (const auto& [id, record] : next_hops) sum.vteps += contract::record_digest(record);
    for (const auto& [id, record] : endpoints) sum.endpoints += contract::record_digest(record);
    for (const auto& [id, record] : queues) sum.ports += contract::record_digest(record);
    for (const auto& [id, record] : host_rules) sum.ports += contract::record_digest(record);
    return sum;
  }

  std::map<std::uint16_t, contract::PortAdd> port_adds;
  std::map<std::uint16_t, contract::PortSet> port_sets;
  std::map<std::uint16_t, contract::NetworkSet> networks;
  std::map<std::uint16_t, contract::VtepSet> vteps;
  std::map<std::uint16_t, contract::NextHopSet> next_hops;
  std::map<std::pair<std::uint16_t, base::MacAddress>, contract::EndpointSet> endpoints;
  std::map<contract::HostClass, contract::HostRuleSet> host_rules;
  std::map<std::pair<std::uint16_t, std::uint8_t>, contract::QueueSet> queues;

 private:
  void take(const contract::PortAdd& record) {
    ASSERT_LT(record.port.value, contract::port_count_max);
    for (const auto& [id, other] : port_adds) {
      ASSERT_TRUE(record.device[0] == '\0' || other.device != record.device);
    }
    ASSERT_TRUE(port_adds.emplace(record.port.value, record).second);
  }
  void take(const contract::PortRemove& record) {
    ASSERT_EQ(port_adds.erase(record.port.value), 1u);
    port_sets.erase(record.port.value);
  }
  void take(const contract::PortSet& record) {
    ASSERT_TRUE(port_adds.contains(record.port.value));
    port_sets[record.port.value] = record;
  }
  void take(const contract::NetworkSet& record) {
    ASSERT_NE(record.network, base::no_network);
    for (const auto& [id, other] : networks) {
      ASSERT_TRUE(id == record.network.value || other.vni != record.vni);
    }
    for (std::size_t i = 0; i < record.flood_vtep_count; ++i) expect_remote(record.flood_vteps[i]);
    networks[record.network.value] = record;
  }
  void take(const contract::NetworkRemove& record) {
    ASSERT_EQ(networks.erase(record.network.value), 1u);
  }
  void take(const contract::NextHopSet& record) {
    ASSERT_NE(record.next_hop, base::no_next_hop);
    ASSERT_TRUE(port_adds.contains(record.port.value));
    ASSERT_NE(record.mac.is_zero(), record.address == base::IpAddress{});
    next_hops[record.next_hop.value] = record;
  }
  void take(const contract::NextHopRemove& record) {
    ASSERT_EQ(next_hops.erase(record.next_hop.value), 1u);
  }
  void take(const contract::VtepSet& record) {
    ASSERT_NE(record.vtep, base::no_vtep);
    expect_ways(record);
    for (const auto& [id, other] : vteps) {
      ASSERT_TRUE(id == record.vtep.value || other.address != record.address);
    }
    if (record.kind == contract::VtepKind::remote) {
      const auto source = vteps.find(record.source.value);
      ASSERT_NE(source, vteps.end());
      ASSERT_EQ(source->second.kind, contract::VtepKind::local);
    }
    vteps[record.vtep.value] = record;
  }
  void take(const contract::VtepRemove& record) { ASSERT_EQ(vteps.erase(record.vtep.value), 1u); }
  void take(const contract::EndpointSet& record) {
    ASSERT_TRUE(networks.contains(record.network.value));
    endpoints[{record.network.value, record.mac}] = record;
  }
  void take(const contract::HostRuleSet& record) { host_rules[record.host_class] = record; }
  void take(const contract::HostRuleRemove& record) {
    ASSERT_EQ(host_rules.erase(record.host_class), 1u);
  }
  void take(const contract::QueueSet& record) {
    ASSERT_TRUE(port_adds.contains(record.port.value));
    queues[{record.port.value, record.traffic_class}] = record;
  }
  void take(const contract::QueueRemove& record) {
    ASSERT_EQ((queues.erase({record.port.value, record.traffic_class})), 1u);
  }
  void take(const contract::EndpointRemove& record) {
    ASSERT_EQ((endpoints.erase({record.network.value, record.mac})), 1u);
  }

  void expect_ways(const contract::VtepSet& vtep) const {
    const bool names_next_hops = vtep.next_hops[0] != base::no_next_hop;
    const bool needs_port = vtep.kind == contract::VtepKind::remote && !names_next_hops;
    ASSERT_TRUE(port_adds.contains(vtep.port.value) || (vtep.port == base::no_port && !needs_port));
    for (const base::NextHopId id : vtep.next_hops) {
      ASSERT_TRUE(id == base::no_next_hop || next_hops.contains(id.value));
    }
  }

  void expect_remote(base::VtepId id) const {
    const auto vtep = vteps.find(id.value);
    ASSERT_NE(vtep, vteps.end());
    ASSERT_EQ(vtep->second.kind, contract::VtepKind::remote);
  }

  void check_references() const {
    for (const auto& [key, queue] : queues) ASSERT_TRUE(port_adds.contains(key.first));
    for (const auto& [id, add] : port_adds) ASSERT_TRUE(port_sets.contains(id));
    for (const auto& [id, port] : port_sets) {
      ASSERT_TRUE(port.network == base::no_network || networks.contains(port.network.value));
      if (port.transit_peer != base::no_port) {
        ASSERT_TRUE(port_adds.contains(port.transit_peer.value));
      }
      ASSERT_EQ(port.parent == 0, port_adds.at(id).device[0] != '\0');
      if (port.parent != 0) {
        ASSERT_TRUE(port_adds.contains(static_cast<std::uint16_t>(port.parent - 1)));
      }
    }
    for (const auto& [id, network] : networks) {
      for (std::size_t i = 0; i < network.flood_vtep_count; ++i) {
        expect_remote(network.flood_vteps[i]);
      }
    }
    for (const auto& [id, next_hop] : next_hops) {
      ASSERT_TRUE(port_adds.contains(next_hop.port.value));
    }
    for (const auto& [id, vtep] : vteps) {
      expect_ways(vtep);
      if (vtep.kind != contract::VtepKind::remote) continue;
      const auto source = vteps.find(vtep.source.value);
      ASSERT_NE(source, vteps.end());
      ASSERT_EQ(source->second.kind, contract::VtepKind::local);
    }
    for (const auto& [key, endpoint] : endpoints) {
      ASSERT_TRUE(networks.contains(endpoint.network.value));
      if (endpoint.place == contract::EndpointPlace::vtep) {
        expect_remote(base::VtepId{endpoint.target});
      } else {
        const auto port = port_sets.find(endpoint.target);
        ASSERT_NE(port, port_sets.end());
        ASSERT_EQ(port->second.network, endpoint.network);
      }
    }
  }
};
