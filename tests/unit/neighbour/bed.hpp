// SPDX-License-Identifier: Apache-2.0
// One port on a link on which the test plays everybody else, with a clock that it turns.
#pragma once

#include "dataplane/neighbour/neighbours.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace test {

inline base::IpAddress ip(const char* text) {
  return *base::parse_ip(text);
}
inline base::MacAddress mac(const char* text) {
  return *base::parse_mac(text);
}

inline constexpr base::PortId wire{3};
inline const base::MacAddress us = mac("02:00:00:00:ff:01");
inline const base::MacAddress them = mac("02:00:00:00:ff:02");
inline const base::MacAddress others = mac("02:00:00:00:ff:03");

using Event = dp::NeighbourEvent;
using dp::NeighbourMessage;

class NeighbourBed : public testing::Test {
 protected:
  static constexpr std::uint64_t ms = 1'000'000;
  static constexpr std::uint64_t seconds = 1000 * ms;

  NeighbourBed() { neighbours.set_port(wire, us, now); }

  // What is sent until then, in order; the timers run when they are due.
  std::vector<NeighbourMessage> run_for(std::uint64_t ns) {
    const std::uint64_t end = now + ns;
    std::vector<NeighbourMessage> sent;
    while (true) {
      const std::uint64_t next = neighbours.poll(now);
      for (const dp::NeighbourFrame& frame : neighbours.take_frames()) {
        EXPECT_EQ(frame.port, wire);
        const auto message = dp::parse_neighbour(frame.view());
        EXPECT_TRUE(message.has_value()) << "we sent what we would not take";
        if (message) sent.push_back(*message);
      }
      if (next > end) break;
      now = std::max(now, next);
    }
    now = end;
    return sent;
  }
  std::vector<NeighbourMessage> run_now() { return run_for(0); }

  // Somebody who has `address` at `from` tells us: asked for (to us) or not.
  void told(const base::IpAddress& address, const base::MacAddress& from, bool asked = false) {
    receive(dp::write_advertisement(
        {.port = wire,
         .our_mac = from,
         .our_address = address,
         .to_address = asked ? (address.is_v4() ? own4 : own6) : dp::unspecified(address),
         .to = asked ? us : base::MacAddress{}}));
  }
  void asked(const base::IpAddress& target, const base::IpAddress& by,
             const base::MacAddress& from) {
    receive(dp::write_solicitation(
        {.port = wire, .our_mac = from, .our_address = by, .target = target, .to = {}}));
  }
  void receive(const dp::NeighbourFrame& frame) {
    EXPECT_EQ(neighbours.receive(frame.port, frame.view(), now), std::nullopt);
  }
  // `address`, owned by `from`, answers each question that comes; returns the questions.
  std::vector<NeighbourMessage> answering_for(std::uint64_t ns, const base::IpAddress& address,
                                              const base::MacAddress& from) {
    std::vector<NeighbourMessage> questions;
    for (const std::uint64_t end = now + ns; now < end;) {
      for (const NeighbourMessage& message : run_for(50 * ms)) {
        if (message.kind != NeighbourMessage::Kind::solicitation || message.asked != address) {
          continue;
        }
        questions.push_back(message);
        told(address, from, true);
      }
    }
    return questions;
  }

  // Ours and usable.
  void own(const base::IpAddress& address, std::uint8_t bits) {
    (address.is_v4() ? own4 : own6) = address;
    neighbours.own(wire, address, bits, now);
    run_for(2 * seconds);
    run_for(3 * seconds);
    ASSERT_EQ(neighbours.claim(wire, address), dp::Neighbours::ClaimState::usable);
    neighbours.take_events();
  }
  // Wanted and known.
  void resolve(const base::IpAddress& address, const base::MacAddress& at) {
    neighbours.want(wire, address, now);
    run_now();
    told(address, at, true);
    ASSERT_EQ(mac_of(address), at);
    neighbours.take_events();
    run_for(2 * seconds);
  }
  base::MacAddress mac_of(const base::IpAddress& address) const {
    const auto view = neighbours.next_hop(wire, address);
    return view ? view->mac : base::MacAddress{};
  }

  // As people are shown it.
  std::optional<dp::NeighbourView> view_of(const base::IpAddress& address) const {
    std::optional<dp::NeighbourView> found;
    neighbours.for_each([&](const dp::NeighbourView& view) {
      if (view.address == address) found = view;
    });
    return found;
  }

  std::vector<Event> events(Event::Kind kind) {
    for (const Event& event : neighbours.take_events()) seen.push_back(event);
    std::vector<Event> result;
    std::copy_if(seen.begin(), seen.end(), std::back_inserter(result),
                 [&](const Event& event) { return event.kind == kind; });
    return result;
  }

  dp::Neighbours neighbours{1};
  std::uint64_t now = 1000 * seconds;
  std::vector<Event> seen;
  base::IpAddress own4 = ip("198.18.0.1");
  base::IpAddress own6 = ip("fd00:18::1");
};

}  // namespace test
