// SPDX-License-Identifier: Apache-2.0
// The kernel's twin of an underlay port: its peer's MAC, its place in the peer's record, and rules.
#include "dataplane/base/check.hpp"
#include "tests/unit/housekeeper/harness.hpp"

namespace test {
namespace {

using contract::HostClass;
using contract::PortRole;

constexpr base::MacAddress peers_mac{{2, 0, 0, 0, 0, 0x77}};
constexpr base::MacAddress other_mac{{2, 0, 0, 0, 0, 0x88}};

class Twins : public HousekeeperTest {
 protected:
  Twins() : controller_(path()) {
    EXPECT_TRUE(controller_.hello().ok());
    configure(controller_, 1);
  }

  // Port 2 becomes the twin of port 1, which is an underlay port.
  Answer add_twin(std::uint32_t transaction, const std::string& device) {
    EXPECT_TRUE(controller_.begin(transaction).ok());
    EXPECT_TRUE(controller_.send(Verb::port_add, transaction, port_add(2, device)).ok());
    auto set = port_set(2, PortRole::host);
    set.transit_peer = {1};
    EXPECT_TRUE(controller_.send(Verb::port_set, transaction, set).ok());
    return controller_.commit(transaction);
  }
  const dp::PortRecord& port(std::uint32_t id) const {
    const dp::PortRecord* record = tables_.ports.find(id, epoch_.current());
    CHECK(record != nullptr);
    return *record;
  }
  const dp::HostRuleRecord* rule(HostClass host_class) const {
    return tables_.host_rules.find(static_cast<std::uint32_t>(host_class), epoch_.current());
  }
  Answer transact(std::uint32_t transaction, auto&& fill) {
    EXPECT_TRUE(controller_.begin(transaction).ok());
    fill();
    return controller_.commit(transaction);
  }

  Controller controller_;
};

TEST_F(Twins, a_twin_gets_its_peers_mac_and_is_known_to_it) {
  EXPECT_EQ(port(1).twin, base::no_port);

  const Answer answer = add_twin(2, "memory2,other_mac");

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(port(2).mac, peers_mac);
  EXPECT_EQ(port(2).role, PortRole::host);
  EXPECT_EQ(port(2).transit_peer, base::PortId{1});
  EXPECT_EQ(port(1).twin, base::PortId{2});
  EXPECT_EQ(port(0).twin, base::no_port);
}

TEST_F(Twins, a_device_that_keeps_its_mac_is_no_twin) {
  const Answer answer = add_twin(2, "memory2,own_mac");

  EXPECT_EQ(answer.code(), base::Errc::device_failed) << answer.text;
  EXPECT_EQ(answer.commit.refused_port, 3);
  EXPECT_EQ(port(1).twin, base::no_port);
}

TEST_F(Twins, a_twin_follows_its_peer_to_another_device) {
  ASSERT_TRUE(add_twin(2, "memory2").ok());

  const Answer answer = transact(3, [this] {
    ASSERT_TRUE(controller_.send(Verb::port_remove, 3, contract::PortRemove{{1}}).ok());
    ASSERT_TRUE(controller_.send(Verb::port_add, 3, port_add(1, "memory9,other_mac")).ok());
    ASSERT_TRUE(controller_.send(Verb::port_set, 3, port_set(1, PortRole::underlay)).ok());
  });

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(port(1).mac, other_mac);
  EXPECT_EQ(port(2).mac, other_mac);
}

TEST_F(Twins, a_refused_change_of_the_peer_leaves_the_twin_as_it_was) {
  ASSERT_TRUE(add_twin(2, "memory2").ok());

  const Answer answer = transact(3, [this] {
    ASSERT_TRUE(controller_.send(Verb::port_remove, 3, contract::PortRemove{{1}}).ok());
    ASSERT_TRUE(controller_
                    .send(Verb::port_add, 3,
                          std::vector{port_add(1, "memory9,other_mac"), port_add(5, "fail")})
                    .ok());
    ASSERT_TRUE(controller_.send(Verb::port_set, 3, port_set(1, PortRole::underlay)).ok());
  });

  EXPECT_FALSE(answer.ok());
  EXPECT_EQ(port(1).mac, peers_mac);
  EXPECT_EQ(port(2).mac, peers_mac);
  EXPECT_EQ(port(1).twin, base::PortId{2});
}

TEST_F(Twins, a_twin_that_is_gone_is_made_anew_with_the_mac_that_its_peer_has_by_then) {
  ASSERT_TRUE(add_twin(2, "memory2").ok());
  const auto wait_for = [](auto&& condition) {
    for (int i = 0; i < 500 && !condition(); ++i) ::usleep(10'000);
    return condition();
  };
  opener_.absent.store(true);
  opener_.vanishing.store(3);
  ASSERT_TRUE(wait_for([this] { return opener_.closed == 3; }));

  ASSERT_TRUE(
      transact(3, [this] {
        ASSERT_TRUE(controller_.send(Verb::port_remove, 3, contract::PortRemove{{1}}).ok());
        ASSERT_TRUE(controller_.send(Verb::port_add, 3, port_add(1, "memory9,other_mac")).ok());
        ASSERT_TRUE(controller_.send(Verb::port_set, 3, port_set(1, PortRole::underlay)).ok());
      }).ok());
  EXPECT_EQ(port(2).mac, other_mac);
  opener_.absent.store(false);

  EXPECT_TRUE(wait_for([this] { return opener_.opened == 3 + 3; }));
  EXPECT_TRUE(wait_for([this] { return shown(region_.ports()[2].interface_gone) == 0; }));
  EXPECT_EQ(opener_.twin_returned_as.load(), other_mac.to_integer());
}

TEST_F(Twins, a_removed_twin_is_forgotten_and_its_peer_stays) {
  ASSERT_TRUE(add_twin(2, "memory2").ok());

  const Answer answer = transact(3, [this] {
    ASSERT_TRUE(controller_.send(Verb::port_remove, 3, contract::PortRemove{{2}}).ok());
  });

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(port(1).twin, base::no_port);
}

TEST_F(Twins, rules_are_set_changed_and_removed_with_their_transaction) {
  const contract::Digests before = controller_.hello().hello.digests;
  contract::HostRuleSet set{.host_class = HostClass::icmp,
                            .action = contract::HostAction::to_host,
                            .reserved = 0,
                            .rate = 10,
                            .burst = 5};
  EXPECT_EQ(rule(HostClass::icmp), nullptr);

  ASSERT_TRUE(
      transact(2, [&] { ASSERT_TRUE(controller_.send(Verb::host_rule_set, 2, set).ok()); }).ok());
  ASSERT_NE(rule(HostClass::icmp), nullptr);
  EXPECT_EQ(rule(HostClass::icmp)->rate, 10u);
  EXPECT_EQ(rule(HostClass::icmp)->burst, 5u);
  EXPECT_FALSE(rule(HostClass::icmp)->drops);
  EXPECT_NE(controller_.hello().hello.digests, before);

  set.action = contract::HostAction::drop;
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::host_rule_set, 3, set).ok());
  ASSERT_TRUE(controller_.abort(3).ok());
  EXPECT_FALSE(rule(HostClass::icmp)->drops);

  ASSERT_TRUE(transact(4, [&] {
                const contract::HostRuleRemove remove{HostClass::icmp};
                ASSERT_TRUE(controller_.send(Verb::host_rule_remove, 4, remove).ok());
              }).ok());
  EXPECT_EQ(rule(HostClass::icmp), nullptr);
  EXPECT_EQ(controller_.hello().hello.digests, before);
}

TEST_F(Twins, replacing_all_forgets_rules_that_are_not_set_again) {
  const contract::HostRuleSet set{.host_class = HostClass::ssh,
                                  .action = contract::HostAction::drop,
                                  .reserved = 0,
                                  .rate = 1,
                                  .burst = 1};
  ASSERT_TRUE(
      transact(2, [&] { ASSERT_TRUE(controller_.send(Verb::host_rule_set, 2, set).ok()); }).ok());

  ASSERT_TRUE(controller_.begin(3, contract::replace_all).ok());
  const Answer answer = controller_.commit(3);

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(rule(HostClass::ssh), nullptr);
}

}  // namespace
}  // namespace test
