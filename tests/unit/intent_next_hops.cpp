// SPDX-License-Identifier: Apache-2.0
// Next hops, own addresses of ports and VTEPs that name next hops: from the text of an intent, over
// what is wrong with it, to the records of the contract.
#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/fields.hpp"
#include "controlplane/intent/validate.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/plan/plan.hpp"
#include "controlplane/plan/records.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using contract::Verb;

constexpr std::string_view two_uplinks = R"(ports:
  - {name: wire0, role: underlay, device: "xdp:eth1", addresses: [198.18.1.1/31, fe80::1/64]}
  - {name: wire1, role: underlay, device: "xdp:eth2", addresses: [198.18.1.3/31]}
  - {name: host0, role: tenant, device: "net_tap0,iface=host0", network: blue}
next_hops:
  - {name: spine1, port: wire0, address: 198.18.1.0}
  - {name: spine2, port: wire1, mac: "02:00:00:00:ff:02"}
vteps:
  - {name: self, kind: local, address: 198.18.0.1}
  - {name: gw2, kind: remote, address: 198.18.0.2, next_hops: [spine1, spine2]}
networks:
  - {name: blue, vni: 100, flood: [gw2]}
)";

std::string with(std::string_view old_piece, std::string_view new_piece) {
  std::string text(two_uplinks);
  const std::size_t at = text.find(old_piece);
  EXPECT_NE(at, text.npos) << old_piece;
  return text.replace(at, old_piece.size(), new_piece);
}

cp::Intent intent_of(const std::string& text) {
  auto intent = cp::read_intent(text, cp::Syntax::yaml);
  EXPECT_TRUE(intent.has_value()) << to_string(intent.error().front());
  return intent ? *intent : cp::Intent{};
}

// The first thing that is wrong; empty: nothing.
std::string error_of(const std::string& text, const cp::Limits& limits = {}) {
  const auto intent = cp::read_intent(text, cp::Syntax::yaml, {.limits = limits});
  return intent ? "" : to_string(intent.error().front());
}

#define EXPECT_SAYS(text, piece)                            \
  do {                                                      \
    const std::string said = error_of(text);                \
    EXPECT_NE(said.find(piece), std::string::npos) << said; \
  } while (false)

TEST(NextHops, are_written_as_they_are_read) {
  const cp::Intent intent = intent_of(std::string(two_uplinks));
  ASSERT_EQ(intent.next_hops.size(), 2u);
  EXPECT_EQ(intent.next_hops[0].address, *base::parse_ip("198.18.1.0"));
  EXPECT_EQ(intent.next_hops[1].mac, mac(0x0200'0000'ff02));
  EXPECT_EQ(cp::find_vtep(intent, "gw2")->next_hops.size(), 2u);
  EXPECT_EQ(cp::find_port(intent, "wire0")->addresses[1].prefix_length, 64);

  EXPECT_EQ(cp::read_intent(cp::to_yaml(intent), cp::Syntax::yaml).value(), intent);
  EXPECT_EQ(cp::read_intent(cp::to_json(intent), cp::Syntax::json).value(), intent);
  EXPECT_EQ(cp::field_text(*cp::find(intent, cp::ObjectKind::port, "wire0"), "addresses"),
            "198.18.1.1/31,fe80::1/64");
}

TEST(NextHops, are_edited_as_any_object) {
  cp::Intent intent = intent_of(std::string(two_uplinks));
  const auto kind = cp::ObjectKind::next_hop;

  ASSERT_TRUE(
      cp::add(intent, kind, {{"name", "spine3"}, {"port", "wire1"}, {"address", "198.18.1.2"}}));
  ASSERT_TRUE(cp::set(intent, cp::ObjectKind::vtep, "gw2", {{"next_hops", "spine3"}}));
  ASSERT_TRUE(
      cp::set(intent, cp::ObjectKind::port, "wire1", {{"addresses", "198.18.1.3/31,fd00::3/127"}}));
  EXPECT_TRUE(cp::validate(intent, {}).has_value());

  const auto used = cp::remove(intent, kind, "spine3");
  ASSERT_FALSE(used);
  EXPECT_EQ(to_string(used.error().front()),
            "next-hop spine3: is in use by vtep gw2; remove or change these first");
  EXPECT_TRUE(cp::remove(intent, kind, "spine1"));
  EXPECT_FALSE(cp::remove(intent, kind, "spine1"));
  EXPECT_EQ(cp::users_of(intent, cp::ObjectKind::port, "wire1", 9),
            (std::vector<std::string>{"next-hop spine2", "next-hop spine3"}));
}

TEST(NextHops, have_either_an_address_or_a_mac) {
  EXPECT_EQ(error_of(with(", address: 198.18.1.0", "")),
            "line 6:5: next-hop spine1: address: is missing: say address, or mac where that is not "
            "to be resolved");
  EXPECT_EQ(error_of(with("address: 198.18.1.0", "address: 198.18.1.0, mac: 02:00:00:00:00:01")),
            "line 6:59: next-hop spine1: mac: is one too many: say address or mac");
  EXPECT_SAYS(with("02:00:00:00:ff:02", "03:00:00:00:ff:02"), "not a group address");
  EXPECT_SAYS(with("02:00:00:00:ff:02", "00:00:00:00:00:00"), "must not be all zero");
  EXPECT_SAYS(with("address: 198.18.1.0", "address: 224.0.0.1"), "unicast address of one host");
  EXPECT_SAYS(with("address: 198.18.1.0", "address: 198.18.1.0/31"),
              "must be an IP address like 198.18.0.1, not \"198.18.1.0/31\" (nearest: 198.18.1.0)");
}

TEST(NextHops, are_on_the_link_of_an_underlay_port) {
  EXPECT_SAYS(with("spine1, port: wire0", "spine1, port: wire7"), "there is no port \"wire7\"");
  EXPECT_SAYS(with("spine1, port: wire0", "spine1, port: host0"),
              "port: \"host0\" is a tenant port; a next hop is on the link of an underlay port");
  EXPECT_EQ(error_of(with("address: 198.18.1.0", "address: 198.18.9.9")),
            "line 6:42: next-hop spine1: address: 198.18.9.9 is not on the link of port \"wire0\" "
            "(198.18.1.1/31) (nearest: 198.18.1.0)");
  EXPECT_SAYS(with("address: 198.18.1.0", "address: 198.18.1.1"), "is this gateway's own");
  EXPECT_EQ(error_of(with("address: 198.18.1.0", "address: fe80::9")), "") << "unnumbered";
  EXPECT_EQ(error_of(with("address: 198.18.1.0", "address: 2001:db8::1")), "")
      << "no address of that family tells what is on the link";
  EXPECT_SAYS(with("addresses: [198.18.1.1/31, fe80::1/64]", "addresses: [10.0.0.1/24]"),
              "not on the link of port \"wire0\" (10.0.0.1/24)");
}

TEST(NextHops, of_a_vtep_stand_in_place_of_port_and_mac) {
  EXPECT_SAYS(with("next_hops: [spine1, spine2]", "next_hops: [spine1], port: wire0"),
              "port: is one too many");
  EXPECT_SAYS(
      with("next_hops: [spine1, spine2]", "next_hops: [spine1], next_hop_mac: 02:00:00:00:00:01"),
      "next_hop_mac: is one too many");
  EXPECT_SAYS(with(", next_hops: [spine1, spine2]", ""),
              "vtep gw2: next_hops: is missing, and 198.18.0.2 is not on the link of any underlay "
              "port: name the router's next_hops or, where it has no router, give the port an "
              "address");
  EXPECT_SAYS(with("[spine1, spine2]", "[spine1, spine3]"),
              "next_hops: there is no next-hop \"spine3\" (nearest: spine1)");
  EXPECT_SAYS(with("[spine1, spine2]", "[spine1, spine1]"), "names next-hop \"spine1\" twice");
  EXPECT_SAYS(with("[spine1, spine2]", "[spine1, spine2, spine1]"), "has more than 2 names");
  EXPECT_SAYS(with("[spine1, spine2]", "spine1"),
              "next_hops: must be a list of names, not \"spine1\" (nearest: [spine1])");
  EXPECT_SAYS(with("address: 198.18.0.1}", "address: 198.18.0.1, next_hops: [spine1]}"),
              "next_hops: only a remote VTEP has this");
}

// The intent without next hops: gw2 is on the link of wire0 itself.
std::string on_link(std::string_view addresses = "198.18.0.1/24", std::string_view fields = "") {
  std::string text =
      with("addresses: [198.18.1.1/31, fe80::1/64]", "addresses: [" + std::string(addresses) + "]");
  const std::string named = ", next_hops: [spine1, spine2]";
  text.replace(text.find(named), named.size(), fields);
  const std::size_t hops = text.find("next_hops:\n");
  return text.erase(hops, text.find("vteps:") - hops);
}

TEST(OwnNextHop, is_a_vtep_on_the_link_of_a_port) {
  EXPECT_EQ(error_of(on_link()), "");
  EXPECT_EQ(error_of(on_link("198.18.0.1/24", ", port: wire0")), "");
  EXPECT_EQ(error_of(on_link("198.18.0.1/24", ", next_hop_mac: 02:00:00:00:00:01, port: wire0")),
            "");
  EXPECT_SAYS(on_link("198.18.0.1/24", ", next_hop_mac: 02:00:00:00:00:01"),
              "vtep gw2: port: is missing: next_hop_mac is a MAC on the link of a port");
  EXPECT_SAYS(on_link("198.18.0.1/32"), "198.18.0.2 is not on the link of any underlay port");
  EXPECT_SAYS(on_link("198.18.0.1/24", ", port: wire1"),
              "198.18.0.2 is not on the link of port \"wire1\"");
  EXPECT_SAYS(on_link("198.18.0.2/24"), "not on the link of any");  // The same address.
  EXPECT_SAYS(on_link("fd00::1/64"), "not on the link of any");     // Of the other family.
}

TEST(OwnNextHop, is_at_the_port_with_the_longest_prefix) {
  const auto both = [](std::string_view second) {
    std::string text = on_link();
    const std::string_view first = "addresses: [198.18.1.3/31]";
    return text.replace(text.find(first), first.size(), "addresses: [" + std::string(second) + "]");
  };
  const cp::Intent intent = intent_of(both("198.18.0.3/29"));
  const auto links = cp::links_of(intent, *cp::find_vtep(intent, "gw2"));
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0]->name.view(), "wire1");
  EXPECT_EQ(error_of(both("198.18.0.3/24")),
            "line 7:5: vtep gw2: port: is missing: 198.18.0.2 is on the links of \"wire0\" and "
            "\"wire1\"; name one of them (nearest: wire0)");
}

TEST(OwnNextHop, takes_the_room_of_one) {
  EXPECT_EQ(error_of(on_link(), {.next_hops = 1}), "");
  const std::string two =
      on_link() + "next_hops: [{name: leaf, port: wire1, address: 198.18.1.2}]\n";
  EXPECT_EQ(error_of(two), "");
  EXPECT_NE(error_of(two, {.next_hops = 1})
                .find("its next hop is one too many: the data plane has room for 1 (its option "
                      "--next-hops)"),
            std::string::npos);
}

TEST(OwnNextHop, becomes_a_record_and_goes_with_the_need_for_it) {
  const cp::Intent before = intent_of(on_link());
  cp::Allocation allocation;
  ASSERT_TRUE(allocation.take_all(before));
  const cp::Vtep& gw2 = *cp::find_vtep(before, "gw2");

  const cp::Plan plan = cp::plan_all(allocation, before);
  ASSERT_EQ(plan.next_hop_sets.size(), 1u);
  const contract::NextHopSet& hop = plan.next_hop_sets[0];
  EXPECT_NE(hop.next_hop, base::no_next_hop);
  EXPECT_EQ(hop.next_hop, allocation.next_hop_of(gw2));
  EXPECT_EQ(hop.port, allocation.port("wire0"));
  EXPECT_EQ(hop.address, *base::parse_ip("198.18.0.2"));
  EXPECT_TRUE(hop.mac.is_zero());
  const contract::VtepSet& remote = plan.vtep_sets.at(1);
  EXPECT_EQ(remote.next_hops[0], hop.next_hop);
  EXPECT_EQ(remote.next_hops[1], base::no_next_hop);
  EXPECT_EQ(remote.port, base::no_port);

  // The port moves to another link, and the VTEP says where it is.
  const cp::Intent after =
      intent_of(on_link("198.18.9.1/24", ", port: wire0, next_hop_mac: 02:00:00:00:ff:02"));
  const cp::Plan change = cp::make_plan(allocation, before, after);
  ASSERT_EQ(change.next_hop_removes.size(), 1u);
  EXPECT_EQ(change.next_hop_removes[0].next_hop, hop.next_hop);
  EXPECT_TRUE(change.next_hop_sets.empty());
  EXPECT_EQ(change.vtep_sets.at(0).next_hops[0], base::no_next_hop);
  EXPECT_NE(cp::digests_of(before, allocation), cp::digests_of(after, allocation));
  allocation.release_unused(after);
  EXPECT_EQ(allocation.next_hop_of(gw2), base::no_next_hop);
}

TEST(Neighbours, are_kept_by_whom_the_port_says) {
  const auto port = [](std::string_view fields) {
    return with("addresses: [198.18.1.3/31]", fields);
  };
  const auto keeper = [&](std::string_view fields) {
    const cp::Intent intent = intent_of(port(fields));
    cp::Allocation allocation;
    EXPECT_TRUE(allocation.take_all(intent));
    return cp::plan_all(allocation, intent).port_sets.at(2).neighbours;
  };
  EXPECT_EQ(keeper("mtu: 1500"), contract::NeighbourKeeper::by_device);
  EXPECT_EQ(keeper("neighbours: weir"), contract::NeighbourKeeper::weir);
  EXPECT_EQ(keeper("neighbours: kernel"), contract::NeighbourKeeper::kernel);
  EXPECT_SAYS(port("neighbours: linux"), "neighbours: must be weir | kernel, not \"linux\"");
  EXPECT_SAYS(with("network: blue", "network: blue, neighbours: weir"),
              "neighbours: only an underlay port has neighbours that somebody asks for; this is a "
              "tenant port");
}

TEST(NextHops, need_a_source_that_is_welcome_at_all_their_ports) {
  EXPECT_EQ(error_of(with("address: 198.18.0.1}", "address: 198.18.0.1, port: wire0}")),
            "line 10:5: vtep gw2: source: is missing, and there is no local IPv4 VTEP on all ports "
            "of its next hops (nearest: self)");
  EXPECT_EQ(error_of(with("[spine1, spine2]", "[spine2]")), "");
  std::string named = with("address: 198.18.0.1}", "address: 198.18.0.1, port: wire0}");
  named.replace(named.find("next_hops: [spine1, spine2]"), 9, "source: self, next_hops");
  EXPECT_SAYS(named, "source: \"self\" stands at port \"wire0\", where not all next hops are");
  EXPECT_SAYS(
      with("  - {name: gw2", "  - {name: me, kind: local, address: 10.0.0.1}\n  - {name: gw2"),
      "source: is missing, and all ports of its next hops have 2 local IPv4 VTEPs");
}

TEST(NextHops, over_ipv6_need_its_mtu) {
  std::string text = with("address: 198.18.0.1}", "address: fd00::1}");
  text.replace(text.find("address: 198.18.0.2"), 19, "address: fd00::2");
  EXPECT_EQ(error_of(text), "");
  text.replace(text.find("\"xdp:eth2\""), 10, "\"xdp:eth2\", mtu: 1279");
  EXPECT_SAYS(text, "vtep gw2: next_hops: \"wire1\" has an MTU of 1279");
}

TEST(NextHops, are_as_many_as_there_is_room_for) {
  EXPECT_SAYS(std::string(two_uplinks) + "  - {name: red, vni: 100}\n", "already has 100");
  EXPECT_NE(error_of(std::string(two_uplinks), {.next_hops = 1})
                .find("the data plane has no room (its option --next-hops)"),
            std::string::npos);
}

TEST(PortAddresses, are_those_of_one_host_on_a_link) {
  const auto port = [](std::string_view addresses) {
    return with("addresses: [198.18.1.3/31]", "addresses: [" + std::string(addresses) + "]");
  };
  for (const char* good : {"", "10.0.0.1/24", "10.0.0.0/31", "10.0.0.1/31", "10.0.0.255/32",
                           "fd00::/127", "fd00::1/128", "fe80::7/64, 10.0.0.1/24, 10.0.0.2/24"}) {
    EXPECT_EQ(error_of(port(good)), "") << good;
  }
  EXPECT_SAYS(port("10.0.0.0/24"), "10.0.0.0/24 is the address of the network");
  EXPECT_SAYS(port("10.0.0.255/24"), "10.0.0.255/24 is the broadcast address");
  EXPECT_SAYS(port("10.0.0.3/30"), "broadcast");
  EXPECT_SAYS(port("fd00::/64"), "fd00::/64 is the routers' anycast address");
  EXPECT_SAYS(port("127.0.0.1/8"), "must be addresses of one host");
  EXPECT_SAYS(port("ff02::1/64"), "must be addresses of one host");
  EXPECT_SAYS(port("10.0.0.1/24, 10.0.0.1/25"), "has 10.0.0.1 twice");
  EXPECT_SAYS(port("198.18.1.1/24"), "port \"wire0\" already has 198.18.1.1");
  EXPECT_EQ(error_of(port("fe80::1/64")), "") << "another link";
  EXPECT_SAYS(with("network: blue}", "network: blue, addresses: [10.0.0.1/24]}"),
              "only underlay and transit ports have addresses; this is a tenant port");
}

TEST(PortAddresses, are_written_with_their_prefix_length) {
  const auto port = [](std::string_view addresses) {
    return with("addresses: [198.18.1.3/31]", "addresses: [" + std::string(addresses) + "]");
  };
  EXPECT_SAYS(port("10.0.0.1"),
              "addresses: must be an address with its prefix length like "
              "198.18.0.1/31 or fd00::1/127, not \"10.0.0.1\" (nearest: "
              "10.0.0.1/31)");
  for (const char* bad : {"10.0.0.1/", "10.0.0.1/0", "10.0.0.1/33", "10.0.0.1/031", "10.0.0.1/3x",
                          "fd00::1/129", "10.0.0.1/-1", "10.0.0.1/255.255.255.0"}) {
    EXPECT_SAYS(port(bad), "must be an address with its prefix length");
  }
  EXPECT_SAYS(port("ten/8"), "must be an address with its prefix length");
  EXPECT_SAYS(with("addresses: [198.18.1.3/31]", "addresses: 198.18.1.3/31"),
              "must be a list of addresses, not \"198.18.1.3/31\" (nearest: [198.18.1.3/31])");
  std::string many = "10.0.0.1/24";
  for (int i = 2; i <= 9; ++i) many += ", 10.0.0." + std::to_string(i) + "/24";
  EXPECT_SAYS(port(many), "has more than 8 addresses");
}

TEST(NextHops, become_records_before_the_vteps_that_name_them) {
  const cp::Intent intent = intent_of(std::string(two_uplinks));
  cp::Allocation allocation;
  ASSERT_TRUE(allocation.take_all(intent));

  const cp::Plan plan = cp::plan_all(allocation, intent);

  std::vector<Verb> verbs;
  plan.for_each_group([&](Verb verb, const auto&) { verbs.push_back(verb); });
  EXPECT_EQ(verbs, (std::vector{Verb::port_add, Verb::next_hop_set, Verb::vtep_set,
                                Verb::network_set, Verb::port_set}));
  ASSERT_EQ(plan.next_hop_sets.size(), 2u);
  const contract::NextHopSet& resolved = plan.next_hop_sets[0];
  EXPECT_EQ(resolved.next_hop, allocation.next_hop("spine1"));
  EXPECT_EQ(resolved.port, allocation.port("wire0"));
  EXPECT_EQ(resolved.address, *base::parse_ip("198.18.1.0"));
  EXPECT_TRUE(resolved.mac.is_zero());
  EXPECT_EQ(plan.next_hop_sets[1].mac, mac(0x0200'0000'ff02));
  EXPECT_EQ(plan.next_hop_sets[1].address, base::IpAddress{});
  const contract::VtepSet& local = plan.vtep_sets[0];
  const contract::VtepSet& remote = plan.vtep_sets[1];
  EXPECT_EQ(local.port, base::no_port);
  EXPECT_EQ(remote.port, base::no_port);
  EXPECT_EQ(remote.source, local.vtep);
  EXPECT_EQ(remote.next_hops[0], allocation.next_hop("spine1"));
  EXPECT_EQ(remote.next_hops[1], allocation.next_hop("spine2"));
  const contract::PortSet& wire0 = plan.port_sets[1];  // By name: host0, wire0, wire1.
  EXPECT_EQ(wire0.addresses[0].prefix_length, 31);
  EXPECT_EQ(wire0.addresses[1].address, *base::parse_ip("fe80::1"));
  EXPECT_EQ(wire0.addresses[2].prefix_length, 0);
}

TEST(NextHops, that_change_are_one_record_and_those_that_go_go_behind_their_vteps) {
  const cp::Intent before = intent_of(std::string(two_uplinks));
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, cp::ObjectKind::next_hop, "spine2", {{"mac", "02:00:00:00:ff:03"}}));
  cp::Allocation allocation;
  ASSERT_TRUE(allocation.take_all(before));

  cp::Plan plan = cp::make_plan(allocation, before, after);
  EXPECT_EQ(plan.record_count(), 1u);
  EXPECT_EQ(plan.next_hop_sets.at(0).mac, mac(0x0200'0000'ff03));
  EXPECT_NE(cp::digests_of(before, allocation), cp::digests_of(after, allocation));

  plan = cp::make_plan(allocation, before, cp::Intent{});
  std::vector<Verb> verbs;
  plan.for_each_group([&](Verb verb, const auto&) { verbs.push_back(verb); });
  EXPECT_EQ(verbs, (std::vector{Verb::network_remove, Verb::vtep_remove, Verb::next_hop_remove,
                                Verb::port_remove}));
  allocation.release_unused(cp::Intent{});
  EXPECT_EQ(allocation.next_hop("spine1"), base::no_next_hop);
}

}  // namespace
