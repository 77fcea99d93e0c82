// SPDX-License-Identifier: Apache-2.0
// Edits of single objects: what `weir port add …` does, and what it refuses.
#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/validate.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

namespace {

using cp::ObjectKind;

std::string text(const cp::Status& status) {
  return status ? "" : to_string(status.error().front());
}

TEST(IntentEdit, adds_in_order_and_not_twice) {
  cp::Intent intent = sample_intent();

  EXPECT_TRUE(cp::add(intent, ObjectKind::network, {{"name", "aqua"}, {"vni", "7"}}));

  EXPECT_EQ(intent.networks.front().name, name("aqua"));
  EXPECT_EQ(text(cp::add(intent, ObjectKind::network, {{"name", "aqua"}, {"vni", "8"}})),
            "network aqua: exists already; set changes it");
  EXPECT_EQ(find_network(intent, "aqua")->vni, 7u);
}

TEST(IntentEdit, names_everything_that_an_addition_lacks) {
  cp::Intent intent;

  const auto added = cp::add(intent, ObjectKind::port, {{"name", "wire0"}, {"rol", "x"}});

  ASSERT_FALSE(added);
  ASSERT_EQ(added.error().size(), 2u);
  EXPECT_EQ(to_string(added.error()[0]),
            "port wire0: rol: a port has no such field (nearest: role)");
  EXPECT_EQ(to_string(added.error()[1]),
            "port wire0: role: is missing (nearest: e.g. role underlay)");
}

TEST(IntentEdit, sets_the_named_fields_only) {
  cp::Intent intent = sample_intent();

  EXPECT_TRUE(cp::set(intent, ObjectKind::port, "wire0", {{"mtu", ""}, {"rx_queues", "2"}}));

  const cp::Port& port = *find_port(intent, "wire0");
  EXPECT_FALSE(port.mtu.has_value());
  EXPECT_EQ(port.rx_queues, 2);
  EXPECT_EQ(port.device, "net_memif0,socket=/run/m0");
  EXPECT_EQ(text(cp::set(intent, ObjectKind::port, "wire", {{"mtu", "1500"}})),
            "port wire: there is no such port (nearest: wire0)");
  EXPECT_EQ(text(cp::set(intent, ObjectKind::port, "wire0", {{"name", "wire1"}})),
            "port wire0: name: cannot be changed; add a new port and remove this one");
  EXPECT_TRUE(cp::set(intent, ObjectKind::port, "wire0", {{"name", "wire0"}}));
}

TEST(IntentEdit, a_set_that_is_refused_changes_nothing) {
  cp::Intent intent = sample_intent();

  const auto done = cp::set(intent, ObjectKind::port, "wire0", {{"rx_queues", "2"}, {"mtu", "x"}});

  EXPECT_FALSE(done);
  EXPECT_EQ(intent, sample_intent());
}

TEST(IntentEdit, removes_only_what_nothing_refers_to) {
  cp::Intent intent = sample_intent();

  EXPECT_EQ(text(cp::remove(intent, ObjectKind::vtep, "gw2")),
            "vtep gw2: is in use by network blue and endpoint blue/02:00:00:00:0b:01; remove or "
            "change these first");
  EXPECT_EQ(text(cp::remove(intent, ObjectKind::vtep, "self")),
            "vtep self: is in use by vtep gw2; remove or change these first");
  EXPECT_EQ(text(cp::remove(intent, ObjectKind::port, "wire0")),
            "port wire0: is in use by vtep gw2 and vtep self; remove or change these first");
  EXPECT_EQ(text(cp::remove(intent, ObjectKind::network, "blue")),
            "network blue: is in use by port host0, endpoint blue/02:00:00:00:0a:01 and endpoint "
            "blue/02:00:00:00:0b:01; remove or change these first");
  EXPECT_EQ(text(cp::remove(intent, ObjectKind::endpoint, "blue/02:00:00:00:0b:0")),
            "endpoint blue/02:00:00:00:0b:0: there is no such endpoint (nearest: "
            "blue/02:00:00:00:0b:01)");
  EXPECT_EQ(intent, sample_intent());

  EXPECT_TRUE(cp::remove(intent, ObjectKind::endpoint, "blue/02:00:00:00:0B:01"));
  EXPECT_TRUE(cp::set(intent, ObjectKind::network, "blue", {{"flood", ""}}));
  EXPECT_TRUE(cp::remove(intent, ObjectKind::vtep, "gw2"));
  EXPECT_TRUE(cp::remove(intent, ObjectKind::vtep, "self"));
  EXPECT_TRUE(cp::remove(intent, ObjectKind::port, "wire0"));
  EXPECT_TRUE(cp::validate(intent, {}));
}

TEST(IntentEdit, counts_the_users_it_does_not_name) {
  cp::Intent intent = large_intent(1000);

  EXPECT_EQ(text(cp::remove(intent, ObjectKind::port, "host0")),
            "port host0: is in use by endpoint blue/02:00:00:00:00:00, endpoint "
            "blue/02:00:00:00:00:04, endpoint blue/02:00:00:00:00:08, endpoint "
            "blue/02:00:00:00:00:0c, endpoint blue/02:00:00:00:00:10 and 245 more; remove or "
            "change these first");
  EXPECT_EQ(cp::users_of(intent, ObjectKind::port, "host0", 2).size(), 2u);
}

TEST(IntentEdit, puts_whether_it_is_there_or_not) {
  cp::Intent intent = sample_intent();
  cp::Network network = *find_network(intent, "blue");
  network.vni = 7;

  cp::put(intent, network);
  cp::put(intent, cp::Network{.name = name("red"), .vni = 8, .flood = {}});

  EXPECT_EQ(intent.networks.size(), 2u);
  EXPECT_EQ(find_network(intent, "blue")->vni, 7u);
  EXPECT_FALSE(cp::replace(intent, cp::Network{.name = name("pink"), .vni = 9, .flood = {}}));
}

// Of a million endpoints that were edited one by one no name is told from another by its letters.
TEST(IntentEdit, endpoints_get_the_names_of_what_they_refer_to) {
  cp::Intent intent = sample_intent();
  ASSERT_TRUE(cp::add(intent, ObjectKind::vtep,
                      {{"name", "other"}, {"kind", "remote"}, {"address", "198.18.0.77"}}));
  constexpr base::MacAddress mac{{2, 0, 0, 0, 0, 77}};

  ASSERT_TRUE(cp::add(intent, ObjectKind::endpoint,
                      {{"network", "blue"}, {"mac", base::to_string(mac)}, {"vtep", "other"}}));
  const cp::Endpoint* added = find_endpoint(intent, "blue", mac);
  ASSERT_NE(added, nullptr);
  EXPECT_EQ(added->network.view().data(), find_network(intent, "blue")->name.view().data());
  EXPECT_EQ(added->vtep.view().data(), find_vtep(intent, "other")->name.view().data());

  ASSERT_TRUE(cp::add(intent, ObjectKind::network, {{"name", "later"}, {"vni", "99"}}));
  EXPECT_EQ(find_endpoint(intent, "later", mac), nullptr);
  EXPECT_EQ(find_endpoint(intent, "nowhere", mac), nullptr);
}

// A batch is judged as a whole, so that what it names may come later.
TEST(IntentEdit, an_endpoint_is_found_before_its_network_is_there) {
  cp::Intent intent;
  constexpr base::MacAddress mac{{2, 0, 0, 0, 0, 1}};
  ASSERT_TRUE(cp::add(
      intent, cp::Endpoint{.network = name("green"), .mac = mac, .vtep = name("gw1"), .port = {}}));

  EXPECT_NE(find_endpoint(intent, "green", mac), nullptr);
  EXPECT_EQ(find_endpoint(intent, "gree", mac), nullptr);
}

TEST(IntentName, shares_its_text_and_compares_by_it) {
  const cp::Name one = name("blue");
  cp::Name copy = one;
  const cp::Name other = name("blue");

  EXPECT_EQ(copy.view().data(), one.view().data());
  EXPECT_NE(other.view().data(), one.view().data());
  EXPECT_EQ(copy, other);
  EXPECT_LT(one, name("red"));
  EXPECT_LT(cp::Name{}, one);
  cp::Name& same = copy;  // Or g++ 13 and later see through it and warn.
  copy = std::move(same);
  copy = cp::Name{};
  EXPECT_TRUE(copy.empty());
  EXPECT_EQ(one.view(), "blue");
}

TEST(IntentNearest, means_what_was_meant) {
  EXPECT_EQ(cp::nearest("mto", {"mtu", "name"}), "mtu");
  EXPECT_EQ(cp::nearest("naem", {"mtu", "name"}), "name");
  EXPECT_EQ(cp::nearest("unknown", {"flood", "unknown_unicast"}), "unknown_unicast");
  EXPECT_EQ(cp::nearest("zebra", {"mtu", "name"}), "");
  EXPECT_EQ(cp::nearest("", {"mtu"}), "");
  EXPECT_EQ(cp::nearest(std::string(1'000'000, 'x'), {"mtu"}), "");
}

}  // namespace
