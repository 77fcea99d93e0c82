// SPDX-License-Identifier: Apache-2.0
// Next hops: asked for at once, known without a gap, moved when they say so, within limits.
#include "tests/unit/neighbour/bed.hpp"

namespace {

using namespace test;
using State = dp::Neighbours::NextHopState;
using Kind = NeighbourMessage::Kind;

struct Family {
  const char* name;
  const char* ours;
  std::uint8_t bits;
  const char* hop;
};

class NextHops : public NeighbourBed, public testing::WithParamInterface<Family> {
 protected:
  void SetUp() override { own(ip(GetParam().ours), GetParam().bits); }

  std::vector<NeighbourMessage> questions_in(std::uint64_t ns) {
    auto sent = run_for(ns);
    std::erase_if(sent, [&](const NeighbourMessage& message) {
      return message.kind != Kind::solicitation || message.asked != hop;
    });
    return sent;
  }
  State state() const { return neighbours.next_hop(wire, hop)->state; }

  const base::IpAddress hop = ip(GetParam().hop);
};

TEST_P(NextHops, is_asked_for_from_the_moment_it_is_wanted) {
  neighbours.want(wire, hop, now);
  const auto questions = questions_in(0);
  ASSERT_EQ(questions.size(), 1U);
  // From an address on the same link.
  EXPECT_EQ(questions[0].claimed,
            hop.is_link_local() ? dp::link_local_address(us) : ip(GetParam().ours));
  EXPECT_EQ(mac_of(hop), base::MacAddress{});

  told(hop, them, true);

  EXPECT_EQ(state(), State::reachable);
  const auto resolved = events(Event::Kind::next_hop_resolved);
  ASSERT_EQ(resolved.size(), 1U);
  EXPECT_EQ(resolved[0].mac, them);
  EXPECT_EQ(resolved[0].address, hop);
}

TEST_P(NextHops, silent_one_is_asked_for_ever_less_often) {
  neighbours.want(wire, hop, now);
  EXPECT_GE(questions_in(seconds).size(), 2U);
  questions_in(60 * seconds);
  const std::size_t later = questions_in(160 * seconds).size();
  EXPECT_GE(later, 6U);
  EXPECT_LE(later, 21U);
  told(hop, them);  // It comes to life by itself.
  EXPECT_EQ(mac_of(hop), them);
}

TEST_P(NextHops, that_answers_is_known_without_a_gap_for_an_hour) {
  resolve(hop, them);
  const auto questions = answering_for(3600 * seconds, hop, them);
  EXPECT_GE(questions.size(), 80U);
  EXPECT_LE(questions.size(), 240U);
  EXPECT_EQ(mac_of(hop), them);
  EXPECT_TRUE(events(Event::Kind::next_hop_lost).empty());
  EXPECT_TRUE(events(Event::Kind::next_hop_moved).empty());
}

TEST_P(NextHops, that_falls_silent_is_asked_alone_then_all_and_then_lost) {
  resolve(hop, them);
  neighbours.link_up(wire, now);
  std::size_t asked_count = 0;
  while (mac_of(hop) == them && asked_count < 100) {
    asked_count += questions_in(100 * ms).size();
    if (asked_count < 6) {
      EXPECT_EQ(mac_of(hop), them);
    }
  }
  EXPECT_EQ(state(), State::incomplete);
  const auto lost = events(Event::Kind::next_hop_lost);
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].before, them);
  EXPECT_FALSE(questions_in(seconds).empty());
  EXPECT_EQ(neighbours.counters().losses, 1U);
}

TEST_P(NextHops, moves_at_once_when_it_announces_another_mac) {
  resolve(hop, them);
  told(hop, others);
  EXPECT_EQ(mac_of(hop), others);
  const auto moved = events(Event::Kind::next_hop_moved);
  ASSERT_EQ(moved.size(), 1U);
  EXPECT_EQ(moved[0].mac, others);
  EXPECT_EQ(moved[0].before, them);
  // It is asked whether that is so.
  EXPECT_EQ(questions_in(0).size(), 1U);
  told(hop, others, true);
  EXPECT_EQ(state(), State::reachable);
}

TEST_P(NextHops, moves_when_it_asks_from_another_mac) {
  resolve(hop, them);
  asked(ip(GetParam().ours), hop, others);
  EXPECT_EQ(mac_of(hop), others);
}

TEST_P(NextHops, is_shown_with_its_state_and_what_happened_to_it) {
  neighbours.want(wire, hop, now);
  ASSERT_TRUE(view_of(hop));
  EXPECT_FALSE(view_of(hop)->own);
  EXPECT_FALSE(view_of(hop)->usable);
  EXPECT_EQ(view_of(hop)->state, "incomplete");
  EXPECT_EQ(view_of(hop)->since_ns, now);
  resolve(hop, them);
  const std::uint64_t resolved = view_of(hop)->since_ns;
  EXPECT_EQ(view_of(hop)->state, "reachable");
  EXPECT_EQ(view_of(hop)->mac, them);
  answering_for(100 * seconds, hop, them);
  EXPECT_EQ(view_of(hop)->since_ns, resolved) << "asked again, it had this MAC all along";

  told(hop, others);
  EXPECT_EQ(view_of(hop)->state, "probed");
  EXPECT_TRUE(view_of(hop)->usable);
  EXPECT_EQ(view_of(hop)->since_ns, now);
  told(hop, others, true);
  told(hop, them);  // Within a second.
  EXPECT_EQ(view_of(hop)->conflicts, 1U);
  run_for(90 * seconds);

  const auto view = view_of(hop);
  EXPECT_EQ(view->state, "incomplete");
  EXPECT_TRUE(view->mac.is_zero());
  EXPECT_EQ(view->moves, 1U);
  EXPECT_EQ(view->losses, 1U);
  EXPECT_EQ(view->conflicts, 1U);
}

TEST_P(NextHops, liar_is_found_out_by_asking) {
  resolve(hop, them);
  told(hop, others);
  EXPECT_EQ(mac_of(hop), others);
  // Only the true one answers, once everybody is asked.
  answering_for(100 * ms, hop, them);
  EXPECT_EQ(mac_of(hop), them);
}

TEST_P(NextHops, claimed_by_two_is_told_as_a_conflict_and_stays_with_the_first) {
  neighbours.want(wire, hop, now);
  run_now();
  told(hop, them, true);
  told(hop, others, true);
  EXPECT_EQ(mac_of(hop), them);
  const auto conflicts = events(Event::Kind::next_hop_conflict);
  ASSERT_EQ(conflicts.size(), 1U);
  EXPECT_EQ(conflicts[0].mac, others);
  EXPECT_EQ(conflicts[0].before, them);
  for (int i = 0; i < 100; ++i) told(hop, others);
  EXPECT_EQ(events(Event::Kind::next_hop_conflict).size(), 1U);
}

TEST_P(NextHops, that_moves_to_and_fro_stops_to_be_believed) {
  resolve(hop, them);
  for (int i = 0; i < 8; ++i) {
    told(hop, i % 2 == 0 ? others : them);
    run_for(1100 * ms);
  }
  EXPECT_EQ(events(Event::Kind::next_hop_moved).size(), 3U);
  EXPECT_EQ(events(Event::Kind::next_hop_conflict).size(), 1U);
}

TEST_P(NextHops, flood_of_announcements_is_honoured_within_limits) {
  resolve(hop, them);
  for (int i = 0; i < 10'000; ++i) {
    base::MacAddress from = others;
    from.bytes[4] = static_cast<std::uint8_t>(i >> 8);
    from.bytes[5] = static_cast<std::uint8_t>(i);
    told(hop, from);
  }
  EXPECT_EQ(neighbours.counters().claims_limited, 9'900U);
  EXPECT_EQ(events(Event::Kind::next_hop_moved).size(), 1U);
  EXPECT_LE(neighbours.take_frames().size(), 2U);
}

TEST_P(NextHops, others_addresses_are_not_kept) {
  told(hop, them);
  EXPECT_EQ(neighbours.next_hop(wire, hop), std::nullopt);
}

TEST_P(NextHops, forgotten_is_not_asked_for) {
  resolve(hop, them);
  neighbours.forget(wire, hop);
  EXPECT_TRUE(questions_in(200 * seconds).empty());
  EXPECT_EQ(neighbours.next_hop(wire, hop), std::nullopt);
}

TEST_P(NextHops, wanted_twice_stays_known) {
  resolve(hop, them);
  neighbours.want(wire, hop, now);
  EXPECT_EQ(mac_of(hop), them);
}

INSTANTIATE_TEST_SUITE_P(Families, NextHops,
                         testing::Values(Family{"ipv4", "198.18.0.1", 24, "198.18.0.2"},
                                         Family{"ipv4_31", "198.18.0.0", 31, "198.18.0.1"},
                                         Family{"ipv6", "fd00:18::1", 64, "fd00:18::2"},
                                         Family{"ipv6_127", "fd00:18::", 127, "fd00:18::1"},
                                         Family{"link_local", "fd00:18::1", 64, "fe80::2"}),
                         [](const auto& family) { return family.param.name; });

using Link = NeighbourBed;

TEST_F(Link, next_hop_waits_for_an_address_to_ask_from) {
  neighbours.want(wire, ip("198.18.0.2"), now);
  EXPECT_TRUE(run_for(10 * seconds).empty());
  neighbours.own(wire, ip("198.18.0.1"), 24, now);
  bool asked_for = false;
  for (const NeighbourMessage& message : run_for(seconds)) {
    asked_for |= message.asked == ip("198.18.0.2") && message.claimed == ip("198.18.0.1");
  }
  EXPECT_TRUE(asked_for);
}

TEST_F(Link, link_local_next_hop_needs_no_address_of_the_operator) {
  neighbours.want(wire, ip("fe80::2"), now);
  bool asked_for = false;
  for (const NeighbourMessage& message : run_for(2 * seconds)) {
    asked_for |= !message.is_probe && message.asked == ip("fe80::2") &&
                 message.claimed == dp::link_local_address(us);
  }
  EXPECT_TRUE(asked_for);
}

TEST_F(Link, question_comes_from_the_address_in_the_next_hops_prefix) {
  own(ip("198.18.0.1"), 31);
  own(ip("198.18.4.1"), 24);
  own(ip("203.0.113.7"), 32);
  neighbours.want(wire, ip("198.18.4.9"), now);
  const auto sent = run_now();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].claimed, ip("198.18.4.1"));
}

TEST_F(Link, thousands_of_next_hops_are_asked_for_within_limits) {
  own(ip("198.18.0.1"), 15);
  for (std::uint32_t i = 0; i < 4000; ++i) {
    neighbours.want(wire, base::IpAddress::from(base::Ipv4Address(0xc613'0000 + i)), now);
  }
  EXPECT_LE(run_now().size(), 1000U);
  EXPECT_GE(run_for(10 * seconds).size(), 4000U);
}

TEST_F(Link, proxys_offer_does_not_override) {
  own(ip("fd00:18::1"), 64);
  resolve(ip("fd00:18::2"), them);
  auto frame = dp::write_advertisement({.port = wire,
                                        .our_mac = others,
                                        .our_address = ip("fd00:18::2"),
                                        .to_address = ip("fd00:18::1"),
                                        .to = us});
  // Without the override flag, and the checksum as much larger.
  frame.bytes[58] = 0x40;
  frame.bytes[56] = static_cast<std::uint8_t>(frame.bytes[56] + 0x20);
  receive(frame);
  EXPECT_EQ(mac_of(ip("fd00:18::2")), them);
  EXPECT_TRUE(events(Event::Kind::next_hop_conflict).empty());
}

}  // namespace
