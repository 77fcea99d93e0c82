// SPDX-License-Identifier: Apache-2.0
// ARP and neighbour discovery on the wire: what scapy writes is understood, what is broken is not
// and says why, what we write is what scapy would.
#include "dataplane/neighbour/message.hpp"

#include "tests/unit/neighbour/frame_file.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace {

using dp::NeighbourFault;
using dp::NeighbourMessage;
using Kind = NeighbourMessage::Kind;

const base::MacAddress us = *base::parse_mac("02:00:00:00:ff:01");
const base::MacAddress them = *base::parse_mac("02:00:00:00:ff:02");
const base::PortId port{3};

base::IpAddress ip(const char* text) {
  return *base::parse_ip(text);
}

NeighbourMessage parse_sound(const char* name) {
  const auto message = dp::parse_neighbour(test::neighbour_frame("ok", name));
  EXPECT_TRUE(message.has_value()) << name;
  return message.value_or(NeighbourMessage{});
}

// In memory that ends where the frame does, so that a sanitizer sees a read beyond it.
std::expected<NeighbourMessage, NeighbourFault> parse_cut(const std::vector<std::uint8_t>& frame,
                                                          std::size_t length) {
  const auto exact = std::make_unique<std::uint8_t[]>(length);
  std::copy_n(frame.begin(), length, exact.get());
  return dp::parse_neighbour({exact.get(), length});
}

TEST(NeighbourMessage, every_frame_of_scapy_is_judged_as_expected) {
  std::size_t judged = 0;
  for (const test::NeighbourCase& one : test::neighbour_cases()) {
    if (one.expected == "ours") continue;
    const auto message = dp::parse_neighbour(one.frame);
    const std::string said = message ? "ok" : std::string(dp::name(message.error()));
    EXPECT_EQ(said, one.expected) << one.name;
    ++judged;
  }
  EXPECT_GT(judged, 40U);
}

TEST(NeighbourMessage, every_fault_of_parsing_has_a_frame) {
  for (std::size_t i = 0; i < dp::neighbour_fault_count; ++i) {
    const auto fault = static_cast<NeighbourFault>(i);
    if (fault == NeighbourFault::port_without_neighbours) continue;  // Not of the frame.
    bool met = false;
    for (const test::NeighbourCase& one : test::neighbour_cases()) {
      met |= one.expected == dp::name(fault);
    }
    EXPECT_TRUE(met) << dp::name(fault);
  }
}

TEST(NeighbourMessage, frames_cut_anywhere_are_refused) {
  for (const test::NeighbourCase& one : test::neighbour_cases()) {
    if (one.expected != "ok") continue;
    const std::size_t whole = one.name == "arp_padded" ? 42 : one.frame.size();
    for (std::size_t length = 0; length < whole; ++length) {
      const auto message = parse_cut(one.frame, length);
      ASSERT_FALSE(message.has_value()) << one.name << " cut to " << length;
      EXPECT_EQ(message.error(), NeighbourFault::truncated) << one.name << " cut to " << length;
    }
    EXPECT_TRUE(parse_cut(one.frame, whole).has_value()) << one.name;
  }
}

TEST(NeighbourMessage, a_flipped_bit_of_a_discovery_message_is_noticed) {
  for (const char* name : {"ns", "na", "ns_probe", "na_unsolicited"}) {
    const auto frame = test::neighbour_frame("ok", name);
    // From the IPv6 source address on everything is summed.
    for (std::size_t at = 22; at < frame.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        auto damaged = frame;
        damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ (1 << bit));
        EXPECT_FALSE(dp::parse_neighbour(damaged).has_value()) << name << " byte " << at;
      }
    }
  }
}

TEST(NeighbourMessage, arp_says_who_asks_whom) {
  const NeighbourMessage request = parse_sound("arp_request");
  EXPECT_EQ(request.kind, Kind::solicitation);
  EXPECT_FALSE(request.is_probe);
  EXPECT_EQ(request.claimed, ip("198.18.0.2"));
  EXPECT_EQ(request.mac, them);
  EXPECT_EQ(request.asked, ip("198.18.0.1"));

  const NeighbourMessage reply = parse_sound("arp_reply");
  EXPECT_EQ(reply.kind, Kind::advertisement);
  EXPECT_TRUE(reply.solicited);
  EXPECT_TRUE(reply.overrides);

  EXPECT_TRUE(parse_sound("arp_probe").is_probe);
  for (const char* name : {"arp_announcement", "arp_gratuitous_reply"}) {
    const NeighbourMessage announcement = parse_sound(name);
    EXPECT_EQ(announcement.kind, Kind::advertisement) << name;
    EXPECT_FALSE(announcement.solicited) << name;
    EXPECT_EQ(announcement.claimed, ip("198.18.0.2")) << name;
  }
}

TEST(NeighbourMessage, discovery_says_who_asks_whom) {
  const NeighbourMessage ns = parse_sound("ns");
  EXPECT_EQ(ns.kind, Kind::solicitation);
  EXPECT_EQ(ns.claimed, ip("fd00:18::2"));
  EXPECT_EQ(ns.mac, them);
  EXPECT_EQ(ns.asked, ip("fd00:18::1"));
  EXPECT_TRUE(parse_sound("ns_probe").is_probe);
  EXPECT_TRUE(parse_sound("ns_unicast_without_option").mac.is_zero());
  EXPECT_EQ(parse_sound("ns_second_option").mac, them);
  EXPECT_EQ(parse_sound("ns_from_link_local").claimed, ip("fe80::2"));

  const NeighbourMessage na = parse_sound("na");
  EXPECT_EQ(na.kind, Kind::advertisement);
  EXPECT_EQ(na.claimed, ip("fd00:18::2"));
  EXPECT_EQ(na.mac, them);
  EXPECT_TRUE(na.solicited);
  EXPECT_TRUE(na.overrides);
  EXPECT_FALSE(parse_sound("na_without_override").overrides);
  EXPECT_FALSE(parse_sound("na_unsolicited").solicited);
  EXPECT_TRUE(parse_sound("na_without_option").mac.is_zero());
}

void expect_written(const char* name, const dp::NeighbourFrame& frame) {
  const auto wanted = test::neighbour_frame("ours", name);
  EXPECT_EQ(std::vector<std::uint8_t>(frame.view().begin(), frame.view().end()), wanted) << name;
  EXPECT_EQ(frame.port, port);
}

TEST(NeighbourMessage, what_we_ask_is_what_scapy_writes) {
  const auto four = ip("198.18.0.1");
  const auto six = ip("fd00:18::1");
  const auto ask = [](base::IpAddress from, base::IpAddress target, base::MacAddress to = {}) {
    return dp::write_solicitation(
        {.port = port, .our_mac = us, .our_address = from, .target = target, .to = to});
  };
  expect_written("arp_question", ask(four, ip("198.18.0.2")));
  expect_written("arp_question_to_one", ask(four, ip("198.18.0.2"), them));
  expect_written("arp_probe", ask(dp::unspecified(four), four));
  expect_written("ns_question", ask(six, ip("fd00:18::2")));
  expect_written("ns_question_to_one", ask(six, ip("fd00:18::2"), them));
  expect_written("ns_probe", ask(dp::unspecified(six), six));
}

TEST(NeighbourMessage, what_we_answer_is_what_scapy_writes) {
  const auto tell = [](const char* address, base::IpAddress to, base::MacAddress mac = {}) {
    return dp::write_advertisement(
        {.port = port, .our_mac = us, .our_address = ip(address), .to_address = to, .to = mac});
  };
  expect_written("arp_answer", tell("198.18.0.1", ip("198.18.0.2"), them));
  expect_written("arp_announcement", tell("198.18.0.1", dp::unspecified(ip("198.18.0.1"))));
  expect_written("na_answer", tell("fd00:18::1", ip("fd00:18::2"), them));
  expect_written("na_announcement", tell("fd00:18::1", dp::unspecified(ip("fd00:18::1"))));
}

TEST(NeighbourMessage, a_link_local_address_depends_on_the_mac_and_is_no_eui64) {
  const auto address = dp::link_local_address(us);

  EXPECT_TRUE(address.is_link_local());
  EXPECT_EQ(address, dp::link_local_address(us));
  EXPECT_NE(address, dp::link_local_address(them));
  EXPECT_NE(address, ip("fe80::ff:fe00:ff01"));
}

}  // namespace
