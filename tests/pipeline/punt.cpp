// SPDX-License-Identifier: Apache-2.0
// Frames between workers and the housekeeper: bounded both ways, each counted once.
#include "dataplane/pipeline/punt_limit.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

namespace {

using contract::DropReason;
using test::Bytes;

constexpr std::uint16_t wire = 1;
constexpr std::uint16_t wire2 = 3;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::string_view ours = "02:70:63:61:70:00";
constexpr std::string_view everyone = "ff:ff:ff:ff:ff:ff";
constexpr std::uint32_t capacity = dp::FrameRing::capacity;

Bytes arp_to(std::string_view mac) {
  Bytes frame(60, 0);
  const base::MacAddress to = test::mac(mac);
  std::copy(to.bytes.begin(), to.bytes.end(), frame.begin());
  frame[12] = 0x08;
  frame[13] = 0x06;
  return frame;
}

class Punt : public test::OnWorkers {
 protected:
  void SetUp() override {
    for (const std::uint16_t port : {wire, wire2}) {
      gateway.add_port(port, test::underlay_port(ours));
    }
    gateway.commit();
  }
  void offer(std::uint32_t frames, std::string_view to = ours, std::uint16_t port = wire) {
    for (std::uint32_t i = 0; i < frames; ++i) gateway.offer(port, arp_to(to));
    gateway.run();
  }
  std::uint64_t refused(DropReason reason) const {
    return gateway.stage_drops("wire_to_host/parse_outer", reason);
  }

  test::Gateway gateway{on_workers()};
};

INSTANTIATE_TEST_SUITE_P(Workers, Punt, test::one_and_two_workers);

TEST_P(Punt, frame_for_the_housekeeper_is_counted_as_punted) {
  offer(3);

  const contract::WorkerTotals totals = gateway.totals();
  EXPECT_EQ(totals.rx, 3U);
  EXPECT_EQ(totals.punted, 3U);
  EXPECT_EQ(totals.dropped, 0U);
  EXPECT_EQ(gateway.mismatch(), 0);
  EXPECT_EQ(gateway.take_punted().size(), 3U);
}

TEST_P(Punt, housekeeper_that_does_not_keep_up_costs_only_what_is_for_it) {
  for (const std::uint32_t frames : {100U, 100U, 100U}) {
    offer(frames);
    gateway.let_pass(second);
  }

  EXPECT_EQ(refused(DropReason::punt_queue_full), 44U);
  EXPECT_EQ(gateway.totals().dropped, 44U);
  EXPECT_EQ(gateway.totals().punted, capacity);
  EXPECT_EQ(gateway.mismatch(), 0);
  EXPECT_EQ(gateway.take_punted().size(), capacity);
  offer(1);
  EXPECT_EQ(gateway.take_punted().size(), 1U);
}

// What time really passes meanwhile allows some more: hence bounds.
TEST_P(Punt, flood_to_everybody_leaves_answers_their_room) {
  offer(1000, everyone);
  EXPECT_GE(refused(DropReason::punt_rate_exceeded), 900U);
  EXPECT_EQ(gateway.take_punted().size(), 1000U - gateway.totals().dropped);
  const std::uint64_t refused_then = gateway.totals().dropped;

  offer(100);  // At the port that is flooded.
  offer(10, everyone, wire2);

  EXPECT_EQ(gateway.take_punted().size(), 110U);
  EXPECT_EQ(gateway.totals().dropped, refused_then);
  EXPECT_EQ(gateway.mismatch(), 0);
}

TEST_P(Punt, flood_at_many_ports_leaves_answers_half_of_the_ring) {
  for (int i = 0; i < 10; ++i) {
    offer(50, everyone);
    offer(50, everyone, wire2);
    gateway.let_pass(second);
  }
  EXPECT_EQ(gateway.totals().punted, capacity / 2);
  EXPECT_EQ(refused(DropReason::punt_queue_full), 1000U - capacity / 2);

  offer(100);

  EXPECT_EQ(gateway.totals().punted, capacity / 2 + 100);
  EXPECT_EQ(gateway.take_punted().size(), capacity / 2 + 100);
  EXPECT_EQ(gateway.mismatch(), 0);
}

TEST_P(Punt, flood_to_us_is_bounded_too) {
  offer(1000);
  offer(10, ours, wire2);

  EXPECT_GE(refused(DropReason::punt_rate_exceeded), 800U);
  EXPECT_EQ(refused(DropReason::punt_queue_full), 0U);
  EXPECT_EQ(gateway.totals().punted + gateway.totals().dropped, 1010U);
  EXPECT_EQ(gateway.mismatch(), 0);
}

TEST(PuntLimit, is_a_burst_and_then_a_rate_for_each_port_and_kind) {
  constexpr std::uint64_t hz = 2'000'000'000;
  dp::PuntLimit limit(hz);
  const auto taken = [&](std::uint16_t port, bool is_to_group, std::uint64_t now) {
    std::uint32_t count = 0;
    while (limit.take(base::PortId{port}, is_to_group, now)) ++count;
    return count;
  };
  constexpr std::uint64_t begun = 1000 * hz;
  for (const bool is_to_group : {true, false}) {
    const dp::PuntLimit::Budget& budget =
        is_to_group ? dp::PuntLimit::to_group : dp::PuntLimit::to_host;
    const std::uint64_t per_frame = hz / budget.per_second;

    EXPECT_EQ(taken(1, is_to_group, begun), budget.burst);
    EXPECT_EQ(taken(63, is_to_group, begun), budget.burst) << "another port has its own";
    EXPECT_EQ(taken(1, is_to_group, begun + per_frame - 1), 0U);
    EXPECT_EQ(taken(1, is_to_group, begun + per_frame), 1U);
    EXPECT_EQ(taken(1, is_to_group, begun + 11 * per_frame), 10U);
    EXPECT_EQ(taken(1, is_to_group, begun + hz), budget.burst) << "no more is saved";
  }
}

TEST_P(Punt, frame_of_the_housekeeper_leaves_as_it_is) {
  const Bytes frame = arp_to("02:00:00:00:ff:02");
  ASSERT_TRUE(gateway.send_own(0, wire, frame));
  EXPECT_EQ(gateway.totals().created, 0U);
  gateway.run();

  const auto sent = gateway.take_sent(wire);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0], frame);
  EXPECT_EQ(gateway.totals().created, 1U);
  EXPECT_EQ(gateway.totals().tx, 1U);
  EXPECT_EQ(gateway.mismatch(), 0);
}

TEST_P(Punt, ring_towards_a_worker_is_bounded) {
  for (std::uint32_t i = 0; i < capacity; ++i) {
    ASSERT_TRUE(gateway.send_own(0, wire, arp_to("02:00:00:00:ff:02")));
  }
  EXPECT_FALSE(gateway.send_own(0, wire, arp_to("02:00:00:00:ff:02")));
  for (std::uint32_t i = 0; i < capacity / dp::burst_max; ++i) gateway.run();
  EXPECT_EQ(gateway.take_sent(wire).size(), capacity);
}

TEST_P(Punt, frame_of_the_housekeeper_that_the_port_does_not_take_is_told_apart) {
  test::Gateway full(on_workers({.tx_room = 1}));
  full.add_port(wire, test::underlay_port(ours));
  full.add_port(wire2, test::transit_port(wire));
  full.commit();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(full.send_own(0, wire, arp_to("02:00:00:00:ff:02")));
    full.offer(wire2, arp_to("02:00:00:00:ff:02"), 0);
  }
  full.run();

  // What goes first takes the room.
  EXPECT_EQ(full.take_sent(wire).size(), 1U);
  EXPECT_EQ(full.stage_drops("transit/transmit", DropReason::tx_ring_full), 2U);
  EXPECT_EQ(full.stage_drops("wire_to_host/transmit", DropReason::own_frame_refused), 3U);
  EXPECT_EQ(full.totals().dropped, 5U);
  full.offer(wire2, arp_to("02:00:00:00:ff:02"), 0);
  full.run();
  EXPECT_EQ(full.drops(DropReason::tx_ring_full), 2U) << "there is room again";
  EXPECT_EQ(full.mismatch(), 0);
}

TEST_P(Punt, frame_of_the_housekeeper_for_a_port_that_went_is_counted) {
  gateway.unplug(wire);
  ASSERT_TRUE(gateway.send_own(0, wire, arp_to("02:00:00:00:ff:02")));
  gateway.run();
  EXPECT_EQ(gateway.drops(DropReason::port_missing), 1U);
  EXPECT_EQ(gateway.mismatch(), 0);
}

TEST_P(Punt, traced_frame_ends_where_it_was_punted) {
  contract::TraceAdd wanted{};
  wanted.trace = 1;
  wanted.count = 1;
  ASSERT_TRUE(gateway.trace_board().add(wanted));
  offer(1);

  const auto traces = gateway.take_traces();
  ASSERT_EQ(traces.size(), 1U);
  ASSERT_EQ(traces[0].hop_count, 3U);  // gather_headers, untag_frame, parse_outer.
  EXPECT_EQ(traces[0].hops[2].reason, 0U);
  EXPECT_EQ(traces[0].bytes_out, 0U);
}

}  // namespace
