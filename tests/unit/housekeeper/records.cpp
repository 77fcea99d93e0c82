// SPDX-License-Identifier: Apache-2.0
// Every way in which a record can be wrong: refused by its index and sentence, and nothing changed.
#include "tests/unit/housekeeper/harness.hpp"

namespace test {
namespace {

using base::Errc;
using contract::EndpointPlace;
using contract::PortRole;

class Records : public HousekeeperTest {
 protected:
  Records() : controller_(path()) {
    EXPECT_TRUE(controller_.hello().ok());
    configure(controller_, 1);
    before_ = digests();
  }

  contract::Digests digests() { return controller_.hello().hello.digests; }

  // The record in a transaction of its own, behind one that is right.
  template <contract::Record T>
  void refuses(Verb verb, const T& record, Errc code) {
    const std::uint32_t transaction = ++transaction_;
    ASSERT_TRUE(controller_.begin(transaction).ok());
    const Answer answer = controller_.send(verb, transaction, record);
    EXPECT_EQ(answer.code(), code) << answer.text;
    EXPECT_EQ(answer.refused_record, 0U);
    EXPECT_TRUE(answer.text.size() > 10 || code == Errc::ok) << "a sentence says why";
    ASSERT_TRUE(controller_.abort(transaction).ok());
    EXPECT_EQ(digests(), before_);
  }
  // A transaction that is refused at its commit.
  template <class Fill>
  void refuses_commit(Errc code, Fill&& fill) {
    const std::uint32_t transaction = ++transaction_;
    ASSERT_TRUE(controller_.begin(transaction).ok());
    fill(transaction);
    const Answer answer = controller_.commit(transaction);
    EXPECT_EQ(answer.type, contract::EventType::commit_reply);
    EXPECT_EQ(answer.code(), code) << answer.text;
    EXPECT_EQ(answer.commit.generation, 1U);
    EXPECT_EQ(answer.commit.digests, before_);
    EXPECT_EQ(digests(), before_);
  }

  Controller controller_;
  std::uint32_t transaction_ = 1;
  contract::Digests before_;
};

TEST_F(Records, ports) {
  refuses(Verb::port_add, port_add(64, "memory2"), Errc::invalid_argument);
  refuses(Verb::port_add, port_add(0, "memory2"), Errc::already_exists);
  refuses(Verb::port_add, port_add(2, "memory0"), Errc::already_exists);
  refuses(Verb::port_add, port_add(2, "memory0,iface=other"), Errc::already_exists);
  refuses_commit(Errc::invalid_argument, [this](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::port_add, transaction, port_add(2, "")).ok());
  });
  auto unnamed = port_add(2, "memory2");
  unnamed.name = {};
  refuses(Verb::port_add, unnamed, Errc::invalid_argument);
  auto endless = port_add(2, "memory2");
  endless.device.fill('x');
  refuses(Verb::port_add, endless, Errc::invalid_argument);
  endless = port_add(2, "memory2");
  endless.name.fill('x');
  refuses(Verb::port_add, endless, Errc::invalid_argument);

  refuses(Verb::port_set, port_set(2, PortRole::tenant), Errc::not_found);
  refuses(Verb::port_set, port_set(0xffff, PortRole::tenant), Errc::not_found);
  refuses(Verb::port_set, port_set(0, static_cast<PortRole>(9)), Errc::invalid_argument);
  refuses(Verb::port_set, port_set(0, PortRole::tenant, 5000), Errc::invalid_argument);
  auto set = port_set(0, PortRole::tenant, 1);
  set.mtu = 67;
  refuses(Verb::port_set, set, Errc::invalid_argument);
  set = port_set(0, PortRole::transit);
  set.transit_peer = {64};
  refuses(Verb::port_set, set, Errc::invalid_argument);
  set.transit_peer = {0};
  refuses(Verb::port_set, set, Errc::invalid_argument);
  set = port_set(0, PortRole::tenant, 1);
  set.neighbours = contract::NeighbourKeeper{9};
  refuses(Verb::port_set, set, Errc::invalid_argument);

  refuses(Verb::port_remove, contract::PortRemove{{2}}, Errc::not_found);
}

TEST_F(Records, networks) {
  refuses(Verb::network_set, network(0, 7), Errc::invalid_argument);
  refuses(Verb::network_set, network(101, 7), Errc::invalid_argument);
  refuses(Verb::network_set, network(2, 0), Errc::invalid_argument);
  refuses(Verb::network_set, network(2, contract::vni_max + 1), Errc::invalid_argument);
  refuses(Verb::network_set, network(2, 7, {1}), Errc::not_found);
  refuses(Verb::network_set, network(2, 7, {3}), Errc::not_found);
  auto record = network(2, 7);
  record.flood_vtep_count = contract::flood_vteps_max + 1;
  refuses(Verb::network_set, record, Errc::invalid_argument);
  record = network(2, 7, {2});
  record.flood_vtep_count = 0;
  refuses(Verb::network_set, record, Errc::invalid_argument);
  record = network(2, 7);
  record.flood_unknown_unicast = 2;
  refuses(Verb::network_set, record, Errc::invalid_argument);
  refuses(Verb::network_remove, contract::NetworkRemove{{2}}, Errc::not_found);
  refuses(Verb::network_remove, contract::NetworkRemove{{0xffff}}, Errc::not_found);
}

contract::PortSet vlan_set(std::uint16_t id, std::uint16_t parent, std::uint16_t vlan,
                           std::uint16_t inner_vlan = 0) {
  auto set = port_set(id, PortRole::tenant, 1);
  set.parent = static_cast<std::uint16_t>(parent + 1);
  set.vlan = vlan;
  set.inner_vlan = inner_vlan;
  return set;
}

TEST_F(Records, vlans) {
  // Port 0 is a tenant's, port 1 of the underlay.
  auto set = port_set(1, PortRole::underlay);
  set.vlan = 4095;
  refuses(Verb::port_set, set, Errc::invalid_argument);
  set.vlan = 300;
  set.inner_vlan = 1;
  refuses(Verb::port_set, set, Errc::invalid_argument);
  set = port_set(0, PortRole::tenant, 1);
  set.vlan = 300;
  refuses(Verb::port_set, set, Errc::invalid_argument);
  set = port_set(1, PortRole::transit);
  set.vlan = 300;
  refuses(Verb::port_set, set, Errc::invalid_argument);
  refuses(Verb::port_set, vlan_set(0, 1, 0), Errc::invalid_argument);
  refuses(Verb::port_set, vlan_set(0, 1, 100, 4095), Errc::invalid_argument);
  refuses(Verb::port_set, vlan_set(0, 64, 100), Errc::invalid_argument);
  set = vlan_set(1, 0, 100);
  set.role = PortRole::underlay;
  refuses(Verb::port_set, set, Errc::invalid_argument);
}

TEST_F(Records, vlans_have_a_tenant_port_to_be_of) {
  const auto refuses_vlan = [this](Errc code, const std::vector<contract::PortSet>& sets,
                                   const std::string& device = "") {
    refuses_commit(code, [&](std::uint32_t transaction) {
      for (const contract::PortSet& set : sets) {
        if (set.port.value < 2) continue;
        ASSERT_TRUE(
            controller_.send(Verb::port_add, transaction, port_add(set.port.value, device)).ok());
      }
      ASSERT_TRUE(controller_.send(Verb::port_set, transaction, sets).ok());
    });
  };
  refuses_vlan(Errc::in_use, {vlan_set(2, 7, 100)});            // No such parent.
  refuses_vlan(Errc::invalid_argument, {vlan_set(2, 1, 100)});  // Of the underlay.
  refuses_vlan(Errc::invalid_argument, {vlan_set(2, 2, 100)});  // Of itself.
  refuses_vlan(Errc::invalid_argument, {vlan_set(2, 0, 100), vlan_set(3, 2, 7)});
  refuses_vlan(Errc::invalid_argument, {vlan_set(2, 0, 100)}, "memory2");
  refuses_vlan(Errc::already_exists, {vlan_set(2, 0, 100), vlan_set(3, 0, 100)});
  refuses_vlan(Errc::already_exists, {vlan_set(2, 0, 100, 7), vlan_set(3, 0, 100, 7)});
}

TEST_F(Records, vteps) {
  refuses(Verb::vtep_set, local_vtep(0, "198.18.0.9", 1), Errc::invalid_argument);
  refuses(Verb::vtep_set, local_vtep(101, "198.18.0.9", 1), Errc::invalid_argument);
  refuses(Verb::vtep_set, local_vtep(3, "198.18.0.9", 5), Errc::not_found);
  for (const char* address : {"::", "::1", "ff02::1", "fe80::1", "127.0.0.1"}) {
    refuses(Verb::vtep_set, local_vtep(3, address, 1), Errc::invalid_argument);
  }
  refuses(Verb::vtep_set, local_vtep(3, "0.0.0.0", 1), Errc::invalid_argument);
  refuses(Verb::vtep_set, local_vtep(3, "224.0.0.1", 1), Errc::invalid_argument);
  refuses(Verb::vtep_set, remote_vtep(3, "198.18.0.9", 1, 0), Errc::not_found);
  refuses(Verb::vtep_set, remote_vtep(3, "198.18.0.9", 1, 2), Errc::not_found);
  auto record = remote_vtep(3, "198.18.0.9", 1, 1);
  record.dscp = 64;
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  record = remote_vtep(3, "198.18.0.9", 1, 1);
  record.dscp_mode = static_cast<contract::DscpMode>(2);
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  record = remote_vtep(3, "198.18.0.9", 1, 1);
  record.kind = static_cast<contract::VtepKind>(0);
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  record = remote_vtep(3, "198.18.0.9", 1, 1);
  record.udp_checksum = static_cast<contract::UdpChecksum>(2);
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  record = remote_vtep(3, "198.18.0.9", 1, 1);
  record.next_hop_mac.bytes[0] = 1;
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  refuses(Verb::vtep_remove, contract::VtepRemove{{3}}, Errc::not_found);
}

TEST_F(Records, endpoints) {
  refuses(Verb::endpoint_set, endpoint(2, 1, EndpointPlace::port, 0), Errc::not_found);
  refuses(Verb::endpoint_set, endpoint(0, 1, EndpointPlace::port, 0), Errc::not_found);
  refuses(Verb::endpoint_set, endpoint(1, 1, EndpointPlace::port, 2), Errc::not_found);
  refuses(Verb::endpoint_set, endpoint(1, 1, EndpointPlace::vtep, 1), Errc::not_found);
  refuses(Verb::endpoint_set, endpoint(1, 1, EndpointPlace::vtep, 9), Errc::not_found);
  refuses(Verb::endpoint_set, endpoint(1, 1, static_cast<EndpointPlace>(0), 0),
          Errc::invalid_argument);
  auto record = endpoint(1, 1, EndpointPlace::port, 0);
  record.mac.bytes[0] = 3;
  refuses(Verb::endpoint_set, record, Errc::invalid_argument);
  record.mac = {};
  refuses(Verb::endpoint_set, record, Errc::invalid_argument);
  record = endpoint(1, 1, EndpointPlace::port, 0);
  record.reserved = 1;
  refuses(Verb::endpoint_set, record, Errc::invalid_argument);
  refuses(Verb::endpoint_remove, contract::EndpointRemove{{1}, {{2, 0, 0, 0, 0, 9}}},
          Errc::not_found);
  refuses(Verb::endpoint_remove, contract::EndpointRemove{}, Errc::not_found);
}

TEST_F(Records, refused_one_is_named_by_its_index) {
  ASSERT_TRUE(controller_.begin(9).ok());

  const Answer answer = controller_.send(
      Verb::endpoint_set, 9,
      std::vector{endpoint(1, 1, EndpointPlace::port, 0), endpoint(1, 2, EndpointPlace::vtep, 2),
                  endpoint(1, 3, EndpointPlace::vtep, 50), endpoint(1, 4, EndpointPlace::port, 0)});

  EXPECT_EQ(answer.code(), Errc::not_found);
  EXPECT_EQ(answer.refused_record, 2U);
  EXPECT_EQ(controller_.send(Verb::endpoint_set, 9, endpoint(1, 1, EndpointPlace::port, 0)).code(),
            Errc::wrong_state)
      << "after a refusal only abort";
  EXPECT_EQ(controller_.commit(9).code(), Errc::wrong_state);
  EXPECT_EQ(digests(), before_);
}

TEST_F(Records, table_full_is_told_at_the_record_that_did_not_fit) {
  ASSERT_TRUE(controller_.begin(9).ok());
  std::vector<contract::EndpointSet> records;
  for (std::uint64_t mac = 0; mac < 1100; ++mac) {
    records.push_back(endpoint(1, mac, EndpointPlace::vtep, 2));
  }

  const Answer answer = controller_.send(Verb::endpoint_set, 9, records);

  EXPECT_EQ(answer.code(), Errc::table_full);
  EXPECT_EQ(answer.text, "the endpoint table is full; raise --endpoints");
  EXPECT_EQ(answer.refused_record, 1000U);
  ASSERT_TRUE(controller_.abort(9).ok());
  EXPECT_EQ(digests(), before_);
}

TEST_F(Records, what_is_referred_to_cannot_be_removed) {
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_
                  .send(Verb::endpoint_set, 2,
                        std::vector{endpoint(1, 1, EndpointPlace::port, 0),
                                    endpoint(1, 2, EndpointPlace::vtep, 2)})
                  .ok());
  const Answer committed = controller_.commit(2);
  ASSERT_TRUE(committed.ok());
  before_ = committed.commit.digests;

  const auto refused_after = [this](auto verb, auto record) {
    const std::uint32_t transaction = ++transaction_;
    ASSERT_TRUE(controller_.begin(transaction).ok());
    ASSERT_TRUE(controller_.send(verb, transaction, record).ok());
    const Answer answer = controller_.commit(transaction);
    EXPECT_EQ(answer.code(), Errc::in_use) << answer.text;
    EXPECT_EQ(answer.commit.generation, 2U);
    EXPECT_EQ(digests(), before_);
  };
  refused_after(Verb::port_remove, contract::PortRemove{{0}});
  refused_after(Verb::port_remove, contract::PortRemove{{1}});
  refused_after(Verb::vtep_remove, contract::VtepRemove{{1}});
  refused_after(Verb::vtep_remove, contract::VtepRemove{{2}});
  // A port that leaves its network while endpoints of that network are behind it.
  refused_after(Verb::port_set, port_set(0, PortRole::tenant, 0));
}

TEST_F(Records, references_to_nothing_are_refused_at_the_commit) {
  refuses_commit(Errc::not_found, [this](std::uint32_t transaction) {
    ASSERT_TRUE(
        controller_.send(Verb::port_set, transaction, port_set(0, PortRole::tenant, 50)).ok());
  });
  refuses_commit(Errc::not_found, [this](std::uint32_t transaction) {
    auto record = port_set(1, PortRole::transit);
    record.transit_peer = {7};
    ASSERT_TRUE(controller_.send(Verb::port_set, transaction, record).ok());
  });
  refuses_commit(Errc::not_found, [this](std::uint32_t transaction) {
    ASSERT_TRUE(
        controller_.send(Verb::network_remove, transaction, contract::NetworkRemove{{1}}).ok());
  });
}

TEST_F(Records, host_rules) {
  const contract::HostRuleSet right{.host_class = contract::HostClass::icmp,
                                    .action = contract::HostAction::to_host,
                                    .reserved = 0,
                                    .rate = 1,
                                    .burst = 1};
  auto rule = right;
  rule.host_class = contract::HostClass::count;
  refuses(Verb::host_rule_set, rule, Errc::unsupported);
  rule = right;
  rule.action = static_cast<contract::HostAction>(2);
  refuses(Verb::host_rule_set, rule, Errc::invalid_argument);
  rule = right;
  rule.reserved = 1;
  refuses(Verb::host_rule_set, rule, Errc::invalid_argument);
  for (const std::uint32_t rate : {0U, contract::host_rate_max + 1}) {
    rule = right;
    rule.rate = rate;
    refuses(Verb::host_rule_set, rule, Errc::invalid_argument);
  }
  for (const std::uint32_t burst : {0U, contract::host_burst_max + 1}) {
    rule = right;
    rule.burst = burst;
    refuses(Verb::host_rule_set, rule, Errc::invalid_argument);
  }
  refuses(Verb::host_rule_remove, contract::HostRuleRemove{contract::HostClass::icmp},
          Errc::not_found);
  refuses(Verb::host_rule_remove, contract::HostRuleRemove{contract::HostClass::count},
          Errc::not_found);
}

TEST_F(Records, a_host_port_is_the_one_twin_of_an_underlay_port) {
  const auto refuses_peers = [this](Errc code, std::vector<std::uint16_t> peers) {
    refuses_commit(code, [&](std::uint32_t transaction) {
      for (std::uint16_t id = 2; const std::uint16_t peer : peers) {
        const std::string device = "memory" + std::to_string(id);
        ASSERT_TRUE(controller_.send(Verb::port_add, transaction, port_add(id, device)).ok());
        auto set = port_set(id, PortRole::host);
        set.transit_peer = {peer};
        ASSERT_TRUE(controller_.send(Verb::port_set, transaction, set).ok());
        ++id;
      }
    });
  };
  refuses_peers(Errc::not_found, {9});
  refuses_peers(Errc::invalid_argument, {0});  // A tenant's.
  refuses_peers(Errc::invalid_argument, {3, 2});
  refuses_peers(Errc::already_exists, {1, 1});
}

TEST_F(Records, frames_of_the_underlay_have_no_way_to_a_tenant_port) {
  const auto refuses_roles = [this](const contract::PortSet& set) {
    refuses_commit(Errc::invalid_argument, [&](std::uint32_t transaction) {
      ASSERT_TRUE(controller_.send(Verb::port_add, transaction, port_add(2, "memory2")).ok());
      ASSERT_TRUE(controller_.send(Verb::port_set, transaction, set).ok());
    });
  };
  auto transit = port_set(2, PortRole::transit);
  transit.transit_peer = {0};  // A tenant's.
  refuses_roles(transit);
  transit.transit_peer = {1};  // Of the underlay, where packets for a VTEP would be expected.
  refuses_roles(transit);
  // VTEPs are at port 1.
  refuses_roles(port_set(1, PortRole::tenant, 1));
  refuses_roles(port_set(1, PortRole::none));
}

TEST_F(Records, vnis_and_addresses_that_two_have_are_refused_at_the_commit) {
  refuses_commit(Errc::already_exists, [this](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::network_set, transaction, network(2, 100)).ok());
  });
  refuses_commit(Errc::already_exists, [this](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::vtep_set, transaction, local_vtep(3, "198.18.0.2", 1)).ok());
  });
}

TEST_F(Records, endpoint_at_a_port_of_another_network_is_refused) {
  refuses_commit(Errc::in_use, [this](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::network_set, transaction, network(2, 200)).ok());
    ASSERT_TRUE(
        controller_.send(Verb::endpoint_set, transaction, endpoint(2, 1, EndpointPlace::port, 0))
            .ok());
  });
}

TEST_F(Records, a_vtep_is_of_the_family_of_its_source) {
  refuses_commit(Errc::invalid_argument, [this](std::uint32_t transaction) {
    const auto record = remote_vtep(3, "fd00::3", 1, 1);
    ASSERT_TRUE(controller_.send(Verb::vtep_set, transaction, record).ok());
  });
  // The source changes under a remote VTEP that stays.
  refuses_commit(Errc::invalid_argument, [this](std::uint32_t transaction) {
    const auto record = local_vtep(1, "fd00::1", 1);
    ASSERT_TRUE(controller_.send(Verb::vtep_set, transaction, record).ok());
  });
}

}  // namespace
}  // namespace test
