// SPDX-License-Identifier: Apache-2.0
// What the data plane is told of the host's own traffic: twins and rules.
#include "controlplane/intent/edit.hpp"
#include "controlplane/plan/plan.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

namespace {

using cp::ObjectKind;

cp::Allocation allocation_of(const cp::Intent& intent) {
  cp::Allocation allocation;
  EXPECT_TRUE(allocation.take_all(intent));
  return allocation;
}

cp::Plan plan_between(const cp::Intent& before, const cp::Intent& after) {
  return cp::make_plan(allocation_of(before), before, after);
}

TEST(PlanHost, a_host_port_without_an_mtu_has_its_peers) {
  cp::Intent intent = sample_intent();
  cp::Port twin{.name = name("wire0-host"),
                .role = cp::PortRole::host,
                .device = "tap:h0",
                .peer = name("wire0")};
  ASSERT_TRUE(cp::add(intent, twin));
  const cp::Intent before = intent;
  ASSERT_TRUE(cp::set(intent, ObjectKind::port, "wire0", {{"mtu", "1580"}}));

  const cp::Plan plan = plan_between(before, intent);

  ASSERT_EQ(plan.port_sets.size(), 2u);
  for (const contract::PortSet& record : plan.port_sets) EXPECT_EQ(record.mtu, 1580);
  EXPECT_TRUE(plan.port_adds.empty());
}

TEST(PlanHost, host_rules_are_set_changed_and_removed) {
  cp::Intent before = sample_intent();
  ASSERT_TRUE(cp::add(before, cp::HostRule{.name = name("icmp"), .rate = 10}));
  ASSERT_TRUE(cp::add(before, cp::HostRule{.name = name("ssh"), .burst = 7}));
  cp::Intent after = before;
  ASSERT_TRUE(cp::remove(after, ObjectKind::host_rule, "icmp"));
  ASSERT_TRUE(cp::set(after, ObjectKind::host_rule, "ssh", {{"action", "drop"}, {"burst", ""}}));

  const cp::Plan first = cp::plan_all(allocation_of(before), before);
  const cp::Plan second = plan_between(before, after);

  const auto& icmp = contract::host_classes[static_cast<std::size_t>(contract::HostClass::icmp)];
  ASSERT_EQ(first.host_rule_sets.size(), 2u);
  EXPECT_EQ(first.host_rule_sets[0].host_class, contract::HostClass::icmp);
  EXPECT_EQ(first.host_rule_sets[0].rate, 10u);
  EXPECT_EQ(first.host_rule_sets[0].burst, icmp.burst);
  EXPECT_EQ(first.host_rule_sets[1].burst, 7u);
  ASSERT_EQ(second.host_rule_removes.size(), 1u);
  EXPECT_EQ(second.host_rule_removes[0].host_class, contract::HostClass::icmp);
  ASSERT_EQ(second.host_rule_sets.size(), 1u);
  EXPECT_EQ(second.host_rule_sets[0].action, contract::HostAction::drop);
  EXPECT_EQ(second.record_count(), 2u);
}

}  // namespace
