// SPDX-License-Identifier: Apache-2.0
// Addresses of ours: looked for before they are used, told, answered for, defended.
#include "tests/unit/neighbour/bed.hpp"

namespace {

using namespace test;
using dp::Neighbours;
using Claim = Neighbours::ClaimState;
using Kind = NeighbourMessage::Kind;

class Claims : public NeighbourBed, public testing::WithParamInterface<const char*> {
 protected:
  const base::IpAddress ours = ip(GetParam());
  const base::IpAddress peer = ours.is_v4() ? ip("198.18.0.2") : ip("fd00:18::2");
  const std::uint8_t bits = ours.is_v4() ? 24 : 64;

  std::size_t count(const std::vector<NeighbourMessage>& sent, Kind kind) const {
    return static_cast<std::size_t>(
        std::count_if(sent.begin(), sent.end(), [&](const NeighbourMessage& message) {
          return message.kind == kind &&
                 (kind == Kind::solicitation ? message.asked : message.claimed) == ours;
        }));
  }
};

TEST_P(Claims, address_is_probed_thrice_and_then_announced_twice) {
  neighbours.own(wire, ours, bits, now);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::tentative);
  const auto probes = run_for(290 * ms);
  EXPECT_GE(count(probes, Kind::solicitation), 1U);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::tentative);

  const auto rest = run_for(5 * seconds);

  EXPECT_EQ(count(probes, Kind::solicitation) + count(rest, Kind::solicitation), 3U);
  for (const auto& message : probes) EXPECT_TRUE(message.is_probe);
  EXPECT_EQ(count(rest, Kind::advertisement), 2U);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::usable);
  const auto usable = events(Event::Kind::address_usable);
  EXPECT_EQ(std::count_if(usable.begin(), usable.end(),
                          [&](const Event& event) { return event.address == ours; }),
            1);
}

TEST_P(Claims, address_is_not_answered_for_while_it_is_probed) {
  neighbours.own(wire, ours, bits, now);
  run_now();
  asked(ours, peer, them);
  EXPECT_EQ(count(run_now(), Kind::advertisement), 0U);
}

TEST_P(Claims, address_that_another_has_is_not_used_and_tried_again_later) {
  neighbours.own(wire, ours, bits, now);
  run_now();
  told(ours, them);

  EXPECT_EQ(neighbours.claim(wire, ours), Claim::duplicate);
  const auto duplicate = events(Event::Kind::address_duplicate);
  ASSERT_EQ(duplicate.size(), 1U);
  EXPECT_EQ(duplicate[0].address, ours);
  EXPECT_EQ(duplicate[0].mac, them);
  asked(ours, peer, others);
  EXPECT_EQ(count(run_for(20 * seconds), Kind::advertisement), 0U);

  run_for(90 * seconds);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::usable);
}

TEST_P(Claims, address_is_shown_with_its_state_and_what_happened_to_it) {
  const std::uint64_t begun = now;
  neighbours.own(wire, ours, bits, now);
  ASSERT_TRUE(view_of(ours));
  EXPECT_TRUE(view_of(ours)->own);
  EXPECT_EQ(view_of(ours)->state, "tentative");
  EXPECT_EQ(view_of(ours)->since_ns, begun);
  run_now();
  told(ours, them);
  EXPECT_EQ(view_of(ours)->state, "duplicate");
  EXPECT_EQ(view_of(ours)->duplicates, 1U);
  EXPECT_EQ(neighbours.counters().duplicates, 1U);
  EXPECT_EQ(neighbours.counters().conflicts, 0U);

  run_for(110 * seconds);
  const std::uint64_t usable_since = view_of(ours)->since_ns;
  EXPECT_GT(usable_since, begun + 30 * seconds);
  told(ours, them);

  const auto view = view_of(ours);
  EXPECT_EQ(view->state, "usable");
  EXPECT_TRUE(view->usable);
  EXPECT_EQ(view->mac, us);
  EXPECT_EQ(view->since_ns, usable_since);
  EXPECT_EQ(view->duplicates, 1U) << "kept over the new attempt";
  EXPECT_EQ(view->conflicts, 1U);
}

TEST_P(Claims, address_that_another_probes_for_at_the_same_time_is_nobodys) {
  neighbours.own(wire, ours, bits, now);
  run_now();
  asked(ours, dp::unspecified(ours), them);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::duplicate);
}

TEST_P(Claims, questions_are_answered_to_who_asked) {
  own(ours, bits);
  asked(ours, peer, them);
  const auto frames = neighbours.take_frames();
  ASSERT_EQ(frames.size(), 1U);
  const auto answer = dp::parse_neighbour(frames[0].view());
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->kind, Kind::advertisement);
  EXPECT_TRUE(answer->solicited);
  EXPECT_EQ(answer->claimed, ours);
  EXPECT_EQ(answer->mac, us);
  EXPECT_TRUE(std::equal(them.bytes.begin(), them.bytes.end(), frames[0].bytes.begin()));
}

TEST_P(Claims, questions_for_others_are_not_answered) {
  own(ours, bits);
  asked(peer, ours.is_v4() ? ip("198.18.0.9") : ip("fd00:18::9"), them);
  EXPECT_TRUE(neighbours.take_frames().empty());
}

TEST_P(Claims, who_probes_for_our_address_is_told) {
  own(ours, bits);
  asked(ours, dp::unspecified(ours), them);
  EXPECT_EQ(count(run_now(), Kind::advertisement), 1U);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::usable);
}

TEST_P(Claims, address_in_use_is_defended_once_in_ten_seconds) {
  own(ours, bits);
  for (int i = 0; i < 100; ++i) {
    told(ours, them);
    run_for(10 * ms);
  }
  EXPECT_EQ(events(Event::Kind::address_conflict).size(), 1U);
  EXPECT_EQ(events(Event::Kind::address_conflict)[0].mac, them);
  run_for(10 * seconds);
  told(ours, them);
  EXPECT_EQ(count(run_now(), Kind::advertisement), 1U);
  EXPECT_EQ(events(Event::Kind::address_conflict).size(), 2U);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::usable);
}

TEST_P(Claims, flood_of_questions_is_answered_within_limits) {
  own(ours, bits);
  for (int i = 0; i < 20'000; ++i) asked(ours, peer, them);
  const std::size_t answers = neighbours.take_frames().size();
  EXPECT_EQ(answers, 1000U);
  EXPECT_EQ(neighbours.counters().answers_limited, 19'000U);
  run_for(seconds);
  asked(ours, peer, them);
  EXPECT_EQ(neighbours.take_frames().size(), 1U);
}

TEST_P(Claims, flood_of_questions_keeps_no_answer_from_a_next_hop) {
  own(ours, bits);
  resolve(peer, them);
  const base::IpAddress stranger = ours.is_v4() ? ip("198.18.0.99") : ip("fd00:18::99");
  for (int i = 0; i < 2'000; ++i) asked(ours, stranger, others);
  EXPECT_EQ(neighbours.take_frames().size(), 1000U);

  asked(ours, peer, them);
  EXPECT_EQ(neighbours.take_frames().size(), 1U);
  for (int i = 0; i < 2'000; ++i) asked(ours, peer, them);
  EXPECT_EQ(neighbours.take_frames().size(), 999U) << "bounded as well";
  EXPECT_EQ(neighbours.counters().answers_limited, 2'001U);
}

TEST_P(Claims, our_own_frames_that_come_back_are_no_rivals) {
  neighbours.own(wire, ours, bits, now);
  neighbours.poll(now);
  for (const dp::NeighbourFrame& frame : neighbours.take_frames()) receive(frame);
  EXPECT_EQ(neighbours.claim(wire, ours), Claim::tentative);
}

TEST_P(Claims, link_that_comes_up_hears_of_us_again) {
  own(ours, bits);
  neighbours.link_up(wire, now);
  EXPECT_EQ(count(run_for(5 * seconds), Kind::advertisement), 2U);
}

TEST_P(Claims, device_with_another_mac_is_announced_with_it) {
  own(ours, bits);
  neighbours.set_port(wire, others, now);
  const auto sent = run_for(5 * seconds);
  ASSERT_EQ(count(sent, Kind::advertisement), 2U);
  EXPECT_EQ(sent.back().mac, others);
}

TEST_P(Claims, disowned_address_is_forgotten) {
  own(ours, bits);
  neighbours.disown(wire, ours);
  EXPECT_EQ(neighbours.claim(wire, ours), std::nullopt);
  asked(ours, peer, them);
  EXPECT_EQ(count(run_for(60 * seconds), Kind::advertisement), 0U);
}

INSTANTIATE_TEST_SUITE_P(Families, Claims, testing::Values("198.18.0.1", "fd00:18::1"),
                         [](const auto& family) {
                           return ip(family.param).is_v4() ? "ipv4" : "ipv6";
                         });

using Link = NeighbourBed;

TEST_F(Link, ipv6_gets_a_link_local_address_and_ipv4_does_not) {
  neighbours.own(wire, ip("198.18.0.1"), 24, now);
  EXPECT_EQ(neighbours.claim(wire, dp::link_local_address(us)), std::nullopt);
  neighbours.want(wire, ip("fe80::2"), now);
  run_for(2 * seconds);
  EXPECT_EQ(neighbours.claim(wire, dp::link_local_address(us)), Claim::usable);
  neighbours.set_port(wire, others, now);
  EXPECT_EQ(neighbours.claim(wire, dp::link_local_address(us)), std::nullopt);
  EXPECT_EQ(neighbours.claim(wire, dp::link_local_address(others)), Claim::tentative);
}

TEST_F(Link, removed_port_takes_everything_with_it) {
  own(ip("198.18.0.1"), 24);
  neighbours.want(wire, ip("198.18.0.2"), now);
  neighbours.remove_port(wire);
  EXPECT_TRUE(run_for(100 * seconds).empty());
  EXPECT_EQ(neighbours.next_hop(wire, ip("198.18.0.2")), std::nullopt);
  const auto frame = dp::write_solicitation({.port = wire,
                                             .our_mac = them,
                                             .our_address = ip("198.18.0.2"),
                                             .target = ip("198.18.0.1"),
                                             .to = {}});
  EXPECT_EQ(neighbours.receive(wire, frame.view(), now),
            dp::NeighbourFault::port_without_neighbours);
  EXPECT_EQ(neighbours.counters()
                .faults[static_cast<std::size_t>(dp::NeighbourFault::port_without_neighbours)],
            1U);
}

}  // namespace
