// SPDX-License-Identifier: Apache-2.0
// Plans against a model of the data plane: the fewest records, in an order that it takes.
#include "controlplane/plan/plan.hpp"

#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/validate.hpp"
#include "controlplane/plan/changes.hpp"
#include "controlplane/plan/records.hpp"
#include "tests/unit/data_plane_model.hpp"
#include "tests/unit/random_intent.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

namespace {

using contract::Verb;
using cp::ObjectKind;

cp::Allocation allocation_of(const cp::Intent& intent) {
  cp::Allocation allocation;
  EXPECT_TRUE(allocation.take_all(intent));
  return allocation;
}

// Plan from `before` to `after` with numbers for both.
cp::Plan plan_between(const cp::Intent& before, const cp::Intent& after) {
  cp::Allocation allocation = allocation_of(before);
  EXPECT_TRUE(allocation.take_all(after));
  return cp::make_plan(allocation, before, after);
}

TEST(Plan, everything_goes_in_the_order_in_which_it_is_referred_to) {
  const cp::Intent intent = sample_intent();
  std::vector<Verb> verbs;

  const cp::Plan plan = cp::plan_all(allocation_of(intent), intent);

  plan.for_each_group([&](Verb verb, const auto&) { verbs.push_back(verb); });
  EXPECT_EQ(verbs, (std::vector{Verb::port_add, Verb::vtep_set, Verb::network_set, Verb::port_set,
                                Verb::endpoint_set}));
  EXPECT_EQ(plan.record_count(), 2u + 2 + 1 + 2 + 2);
  EXPECT_EQ(plan.vtep_sets[0].kind, contract::VtepKind::local);
  EXPECT_EQ(plan.vtep_sets[1].ttl, 64);
  EXPECT_EQ(plan.port_adds[1].port.value, 1);
}

TEST(Plan, a_remote_vtep_without_a_source_takes_the_local_one_of_its_family) {
  cp::Intent intent = sample_intent();
  cp::Vtep vtep{.name = name("here6"),
                .kind = cp::VtepKind::local,
                .address = *base::parse_ip("fd00::1"),
                .port = name("wire0")};
  ASSERT_TRUE(cp::add(intent, vtep));
  vtep = {.name = name("there6"),
          .address = *base::parse_ip("fd00::2"),
          .port = name("wire0"),
          .next_hop_mac = mac(0x0200'0000'ff06),
          .udp_checksum = cp::UdpChecksum::full};
  ASSERT_TRUE(cp::add(intent, vtep));
  ASSERT_TRUE(cp::set(intent, ObjectKind::vtep, "gw2", {{"source", ""}}));
  const cp::Allocation allocation = allocation_of(intent);

  const cp::Plan plan = cp::plan_all(allocation, intent);

  ASSERT_EQ(plan.vtep_sets.size(), 4u);
  for (const contract::VtepSet& record : plan.vtep_sets) {
    if (record.kind == contract::VtepKind::local) continue;
    const bool is_v4 = record.address.is_v4();
    EXPECT_EQ(record.source, allocation.vtep(is_v4 ? "self" : "here6"));
    EXPECT_EQ(record.udp_checksum,
              is_v4 ? contract::UdpChecksum::zero : contract::UdpChecksum::full);
  }
}

TEST(Plan, an_unchanged_intent_sends_nothing) {
  const cp::Intent intent = sample_intent();

  EXPECT_TRUE(plan_between(intent, intent).empty());
  EXPECT_TRUE(cp::find_changes(intent, intent).empty());
}

TEST(Plan, one_endpoint_of_a_hundred_thousand_is_one_record) {
  const cp::Intent before = large_intent(100'000);
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::endpoint, "blue/02:00:00:00:c3:51",
                      {{"vtep", ""}, {"port", "host0"}}));
  cp::Allocation allocation = allocation_of(before);
  const std::clock_t start = std::clock();  // Of this process: others run here, too.

  const cp::Plan plan = cp::make_plan(allocation, before, after);

  const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_EQ(plan.record_count(), 1u);
  ASSERT_EQ(plan.endpoint_sets.size(), 1u);
  EXPECT_EQ(plan.endpoint_sets[0].mac, mac(0x0200'0000'c351));
  EXPECT_EQ(plan.endpoint_sets[0].place, contract::EndpointPlace::port);
  RecordProperty("plan_us", static_cast<int>(took * 1e6));
  // Measured 0.8 ms; the bound only notices a changed order of growth.
  EXPECT_LT(took, 0.2);
}

TEST(Plan, a_port_with_another_device_is_removed_and_added_with_its_number) {
  const cp::Intent before = sample_intent();
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::port, "host0", {{"rx_queues", "2"}}));

  const cp::Plan plan = plan_between(before, after);

  EXPECT_EQ(plan.record_count(), 3u);
  ASSERT_EQ(plan.port_removes.size(), 1u);
  ASSERT_EQ(plan.port_adds.size(), 1u);
  EXPECT_EQ(plan.port_removes[0].port, plan.port_adds[0].port);
  EXPECT_EQ(plan.port_sets.size(), 1u);
  EXPECT_EQ(to_text(cp::find_changes(before, after)),
            "~ port host0: rx_queues (nothing) → 2 "
            "(the port is removed and added again: its traffic stops meanwhile)\n");
}

TEST(Plan, an_mtu_changes_while_the_port_runs) {
  const cp::Intent before = sample_intent();
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::port, "wire0", {{"mtu", "1700"}}));

  const cp::Plan plan = plan_between(before, after);

  EXPECT_EQ(plan.record_count(), 1u);
  EXPECT_EQ(plan.port_sets.at(0).mtu, 1700);
  EXPECT_EQ(to_text(cp::find_changes(before, after)), "~ port wire0: mtu 1600 → 1700\n");
}

TEST(Plan, a_default_source_that_is_renamed_changes_the_remote_one_too) {
  cp::Intent before = sample_intent();
  ASSERT_TRUE(cp::set(before, ObjectKind::vtep, "gw2", {{"source", ""}}));
  cp::Intent after = before;
  cp::Vtep renamed = *find_vtep(after, "self");
  renamed.name = name("me");
  ASSERT_TRUE(cp::remove(after, ObjectKind::vtep, "self"));
  ASSERT_TRUE(cp::add(after, renamed));
  ASSERT_TRUE(cp::validate(after, {}));

  const cp::Plan plan = plan_between(before, after);

  EXPECT_EQ(plan.vtep_removes.size(), 1u);
  ASSERT_EQ(plan.vtep_sets.size(), 2u);
  EXPECT_EQ(plan.vtep_sets[1].source, plan.vtep_sets[0].vtep);
}

TEST(Plan, networks_may_exchange_their_vnis) {
  cp::Intent before = sample_intent();
  ASSERT_TRUE(cp::add(before, cp::Network{.name = name("red"), .vni = 200}));
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::network, "red", {{"vni", "100"}}));
  ASSERT_TRUE(cp::set(after, ObjectKind::network, "blue", {{"vni", "200"}}));
  cp::Allocation allocation = allocation_of(before);
  DataPlane data_plane;
  data_plane.apply(cp::plan_all(allocation, before));

  data_plane.apply(cp::make_plan(allocation, before, after));

  EXPECT_EQ(data_plane.digests(), cp::digests_of(after, allocation));
}

TEST(Plan, an_order_of_the_flood_list_is_no_change) {
  cp::Intent before = sample_intent();
  cp::Vtep other = *find_vtep(before, "gw2");
  other.name = name("gw3");
  other.address = *base::parse_ip("198.18.0.3");
  ASSERT_TRUE(cp::add(before, other));
  ASSERT_TRUE(cp::set(before, ObjectKind::network, "blue", {{"flood", "gw2,gw3"}}));
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::network, "blue", {{"flood", "gw3,gw2"}}));

  EXPECT_TRUE(plan_between(before, after).empty());
}

TEST(Changes, say_what_is_added_changed_and_removed) {
  const cp::Intent before = sample_intent();
  cp::Intent after = before;
  ASSERT_TRUE(cp::remove(after, ObjectKind::endpoint, "blue/02:00:00:00:0a:01"));
  ASSERT_TRUE(cp::set(after, ObjectKind::network, "blue", {{"unknown_unicast", "drop"}}));
  ASSERT_TRUE(cp::add(
      after,
      cp::Endpoint{
          .network = name("blue"), .mac = mac(0x0200'0000'0b02), .vtep = name("gw2"), .port = {}}));
  ASSERT_TRUE(cp::add(after, cp::Network{.name = name("red"), .vni = 200}));

  const auto changes = cp::find_changes(before, after);

  EXPECT_EQ(to_text(changes),
            "~ network blue: unknown_unicast flood → drop\n"
            "+ network red: vni 200, unknown_unicast flood\n"
            "- endpoint blue/02:00:00:00:0a:01\n"
            "+ endpoint blue/02:00:00:00:0b:02 → vtep gw2\n");
  EXPECT_EQ(
      cp::to_json(std::vector(changes.begin(), changes.begin() + 1)),
      "[\n{\"change\":\"change\",\"kind\":\"network\",\"key\":\"blue\",\"fields\":"
      "{\"unknown_unicast\":{\"before\":\"flood\",\"after\":\"drop\"}},\"owner\":\"file\"}\n]\n");
}

TEST(Allocation, a_name_keeps_its_number_and_a_freed_one_waits) {
  cp::Intent intent = sample_intent();
  cp::Allocation allocation = allocation_of(intent);
  const base::VtepId gw2 = allocation.vtep("gw2");
  ASSERT_TRUE(cp::add(intent, cp::Network{.name = name("aqua"), .vni = 7}));
  ASSERT_TRUE(allocation.take_all(intent));
  EXPECT_EQ(allocation.network("blue").value, 1);
  EXPECT_EQ(allocation.network("aqua").value, 2) << "in the order of arrival, not of the alphabet";

  ASSERT_TRUE(cp::remove(intent, ObjectKind::network, "aqua"));
  allocation.release_unused(intent);
  ASSERT_TRUE(cp::add(intent, cp::Network{.name = name("red"), .vni = 8}));
  ASSERT_TRUE(allocation.take_all(intent));

  EXPECT_EQ(allocation.network("red").value, 3);
  EXPECT_EQ(allocation.network("aqua"), base::no_network);
  EXPECT_EQ(allocation.vtep("gw2"), gw2);
}

TEST(Allocation, says_when_it_is_full_and_takes_freed_numbers_then) {
  cp::Numbers numbers(1, 3);
  EXPECT_EQ(numbers.take("a"), 1);
  EXPECT_EQ(numbers.take("b"), 2);
  EXPECT_EQ(numbers.take("c"), 3);
  EXPECT_EQ(numbers.take("d"), std::nullopt);

  numbers.release("b");

  EXPECT_EQ(numbers.take("d"), 2);
  EXPECT_EQ(numbers.take("a"), 1);
  EXPECT_FALSE(numbers.restore("e", 2));
  EXPECT_FALSE(numbers.restore("a", 9));
  EXPECT_FALSE(numbers.restore("e", 0));
}

TEST(Allocation, fits_a_data_plane_with_less_room) {
  cp::Allocation allocation;
  EXPECT_TRUE(allocation.networks.restore("blue", 1));
  EXPECT_TRUE(allocation.networks.restore("red", 4000));

  EXPECT_TRUE(allocation.fit({.networks = 100}));
  EXPECT_FALSE(allocation.fit({.networks = 100}));

  EXPECT_EQ(allocation.network("blue").value, 1);
  EXPECT_EQ(allocation.network("red"), base::no_network);
  EXPECT_EQ(allocation.networks.take("red"), 2);
}

TEST(Plan, any_way_between_any_two_intents_leads_to_the_same_state) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    RandomIntent random(seed);
    cp::Allocation allocation;
    DataPlane data_plane;
    cp::Intent applied;
    for (int step = 0; step < 10; ++step) {
      const cp::Intent wanted = random.make();
      const auto valid = cp::validate(wanted, {});
      ASSERT_TRUE(valid) << to_string(valid.error().front());
      ASSERT_TRUE(allocation.take_all(wanted));

      data_plane.apply(cp::make_plan(allocation, applied, wanted));

      ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << " step " << step;
      DataPlane fresh;
      fresh.apply(cp::plan_all(allocation, wanted));
      ASSERT_EQ(data_plane.digests(), fresh.digests()) << "seed " << seed << " step " << step;
      ASSERT_EQ(data_plane.digests(), cp::digests_of(wanted, allocation));
      ASSERT_EQ(data_plane.endpoints.size(), wanted.endpoints.size());
      allocation.release_unused(wanted);
      applied = wanted;
    }
  }
}

}  // namespace
