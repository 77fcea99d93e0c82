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
constexpr std::uint16_t wire2 = 3;  // All of one worker.
constexpr std::uint16_t wire3 = 5;
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
    for (const std::uint16_t port : {wire, wire2, wire3}) {
      gateway.add_port(port, test::underlay_port("02:70:63:61:70:00"));
    }
    gateway.commit();
  }
  void offer(std::uint32_t frames, std::uint16_t port = wire) {
    for (std::uint32_t i = 0; i < frames; ++i) gateway.offer(port, arp_to("ff:ff:ff:ff:ff:ff"));
  }
  void offer_now(std::uint32_t frames, std::uint16_t port = wire) {
    offer(frames, port);
    gateway.run();
  }

  test::Gateway gateway{on_workers()};
};

INSTANTIATE_TEST_SUITE_P(Workers, Punt, test::one_and_two_workers);

TEST_P(Punt, frame_for_the_housekeeper_is_counted_as_punted) {
  offer_now(3);

  const contract::WorkerTotals totals = gateway.totals();
  EXPECT_EQ(totals.rx, 3U);
  EXPECT_EQ(totals.punted, 3U);
  EXPECT_EQ(totals.dropped, 0U);
  EXPECT_EQ(gateway.mismatch(), 0);
  EXPECT_EQ(gateway.take_punted().size(), 3U);
}

TEST_P(Punt, housekeeper_that_does_not_keep_up_costs_only_what_is_for_it) {
  // No port more than its burst.
  for (const std::uint16_t port : {wire, wire2, wire3}) offer(100, port);
  gateway.run();

  EXPECT_EQ(gateway.drops(DropReason::punt_queue_full), 44U);
  EXPECT_EQ(gateway.stage_drops("wire_to_host/parse_outer", DropReason::punt_queue_full), 44U);
  EXPECT_EQ(gateway.totals().punted, capacity);
  EXPECT_EQ(gateway.mismatch(), 0);
  EXPECT_EQ(gateway.take_punted().size(), capacity);
  offer_now(1, wire3);
  EXPECT_EQ(gateway.take_punted().size(), 1U);
}

TEST_P(Punt, flood_at_one_port_is_bounded_and_leaves_the_others_their_room) {
  constexpr std::uint32_t flood = 1000;
  offer_now(flood);
  offer_now(5, wire2);

  const std::uint64_t refused = gateway.drops(DropReason::punt_rate_exceeded);
  EXPECT_EQ(gateway.stage_drops("wire_to_host/parse_outer", DropReason::punt_rate_exceeded),
            refused);
  EXPECT_EQ(gateway.totals().punted + gateway.drops(DropReason::punt_queue_full) + refused,
            flood + 5);
  // The burst, and what time allowed meanwhile: 20 a millisecond.
  EXPECT_GT(refused, flood / 2);
  EXPECT_GE(gateway.totals().punted, dp::PuntLimit::burst_frames);
  EXPECT_EQ(gateway.mismatch(), 0);
}

TEST(PuntLimit, is_a_burst_and_then_a_rate_for_each_port) {
  constexpr std::uint64_t hz = 2'000'000'000;
  constexpr std::uint64_t per_frame = hz / dp::PuntLimit::frames_per_second;
  dp::PuntLimit limit(hz);
  const auto taken = [&](std::uint16_t port, std::uint64_t now) {
    std::uint32_t count = 0;
    while (limit.take(base::PortId{port}, now)) ++count;
    return count;
  };
  constexpr std::uint64_t begun = 1000 * hz;

  EXPECT_EQ(taken(1, begun), dp::PuntLimit::burst_frames);
  EXPECT_EQ(taken(63, begun), dp::PuntLimit::burst_frames) << "another port has its own";
  EXPECT_EQ(taken(1, begun + per_frame - 1), 0U);
  EXPECT_EQ(taken(1, begun + per_frame), 1U);
  EXPECT_EQ(taken(1, begun + 11 * per_frame), 10U);
  EXPECT_EQ(taken(1, begun + hz), dp::PuntLimit::burst_frames) << "no more is saved";
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
  offer_now(1);

  const auto traces = gateway.take_traces();
  ASSERT_EQ(traces.size(), 1U);
  ASSERT_EQ(traces[0].hop_count, 2U);  // gather_headers, parse_outer.
  EXPECT_EQ(traces[0].hops[1].reason, 0U);
  EXPECT_EQ(traces[0].bytes_out, 0U);
}

}  // namespace
