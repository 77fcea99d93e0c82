// SPDX-License-Identifier: Apache-2.0
// What waits, in which order, and how much of it.
#include "tests/unit/queue/frames.hpp"

#include <deque>
#include <random>
#include <thread>

namespace {

class Fifos : public test::QueueTest {};

TEST_F(Fifos, are_what_a_deque_is) {
  std::array<std::deque<std::uint32_t>, dp::FrameFifos::list_count> model;
  dp::FrameFifos fifos(dp::FrameFifos::frames_max);
  std::mt19937 random(1);
  std::uint32_t number = 0;
  for (int step = 0; step < 20'000; ++step) {
    const unsigned one = random() % model.size();
    // Phases that fill and phases that empty.
    const bool fills = random() % 100 < (step / 1000 % 2 == 0 ? 60u : 40u);
    const std::size_t some = 1 + random() % 100;
    if (fills && fifos.total() + some <= dp::FrameFifos::frames_max) {
      std::vector<dp::QueuedFrame> frames(some);
      for (dp::QueuedFrame& frame : frames) {
        frame.bytes = number;
        model[one].push_back(number++);
      }
      ASSERT_EQ(fifos.push(one, frames), some);
    } else {
      const auto front = fifos.front(one);
      ASSERT_EQ(front.empty(), model[one].empty());
      const auto gone = front.first(std::min(some, front.size()));
      for (const dp::QueuedFrame& frame : gone) {
        ASSERT_EQ(frame.bytes, model[one].front());
        model[one].pop_front();
      }
      fifos.pop(one, static_cast<std::uint32_t>(gone.size()));
    }
    ASSERT_EQ(fifos.size(one), model[one].size());
  }
}

TEST_F(Fifos, hold_their_most_in_every_class_at_once) {
  dp::FrameFifos fifos(contract::traffic_class_count * dp::FrameFifos::frames_max);
  for (int round = 0; round < 2; ++round) {
    for (unsigned one = 0; one < contract::traffic_class_count; ++one) {
      for (std::uint32_t i = 0; i < dp::FrameFifos::frames_max; ++i) {
        const dp::QueuedFrame frame{.bytes = i};
        ASSERT_EQ(fifos.push(one, {&frame, 1}), 1u);
      }
      EXPECT_EQ(fifos.push(one, std::array<dp::QueuedFrame, 1>{}), 0u);
    }
    for (unsigned one = 0; one < contract::traffic_class_count; ++one) {
      for (std::uint32_t i = 0; i < dp::FrameFifos::frames_max; ++i) {
        ASSERT_EQ(fifos.front(one).front().bytes, i);
        fifos.pop(one, 1);
      }
    }
  }
}

TEST_F(Fifos, take_no_more_bytes_than_their_buffer) {
  configure({}, {{.traffic_class = 1, .buffer = 20'000}});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(enqueue(frame(1000, 1)));
  EXPECT_FALSE(enqueue(frame(1, 1)));
  EXPECT_TRUE(enqueue(frame(1000, 2))) << "each class has its own";
  EXPECT_EQ(counters_[1].full_dropped_packets, 1u);
  (void)queue_.end_turn(record_, counters());
  EXPECT_EQ(counters_[1].depth_bytes, 20'000u);
  EXPECT_EQ(counters_[1].depth_packets, 20u);
  (void)leave(1);
  (void)queue_.end_turn(record_, counters());
  EXPECT_EQ(counters_[1].depth_bytes, 0u);
  EXPECT_EQ(counters_[1].depth_bytes_max, 20'000u);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(Fifos, keep_what_the_port_did_not_take_in_front_and_mark_it_once) {
  configure({}, {{.traffic_class = 0, .kmin = 1, .kmax = 1, .pmax = 1'000'000}});
  std::vector<dp::QueuedFrame> sent;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(frame(1000));
    ASSERT_TRUE(enqueue(sent.back()));
  }
  const auto nothing = [](const dp::QueuedFrame&) {
    FAIL();
  };
  std::vector<rte_mbuf*> left;
  for (std::uint16_t takes = 0; left.size() < sent.size(); ++takes) {
    const auto frames = queue_.dequeue(record_, 0, random_, counters(), nothing);
    const auto taken = static_cast<std::uint16_t>(std::min<std::size_t>(takes, frames.size()));
    for (const dp::QueuedFrame& one : frames.first(taken)) left.push_back(one.mbuf);
    queue_.settle(taken, record_, counters());
    (void)queue_.end_turn(record_, counters());
    EXPECT_EQ(counters_[0].depth_packets, sent.size() - left.size());
    EXPECT_EQ(counters_[0].depth_bytes, 1000 * (sent.size() - left.size()));
    EXPECT_EQ(queue_.held(), sent.size() - left.size());
  }
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(left[i], sent[i].mbuf);
  EXPECT_EQ(counters_[0].marked_packets, 10u);
  EXPECT_EQ(counters_[0].marked_before_packets, 0u);
  EXPECT_EQ(counters_[0].tx_packets, 10u);
  EXPECT_EQ(counters_[0].tx_bytes, 10'000u);
}

TEST_F(Fifos, count_what_other_workers_hand_over_in_their_depth) {
  configure({}, {{.traffic_class = 4, .kmin = 3500, .kmax = 3500, .pmax = 0}});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(hand_over(1, frame(1000, 4)));
  ASSERT_TRUE(enqueue(frame(1000, 4)));
  EXPECT_FALSE(queue_.empty());
  EXPECT_EQ(queue_.held(), 1u);
  (void)queue_.end_turn(record_, counters());
  EXPECT_EQ(counters_[4].depth_bytes, 4000u);
  EXPECT_EQ(leave(0).size(), 1u);
  EXPECT_EQ(counters_[4].marked_packets, 1u) << "4000 bytes waited, three in the ring";

  EXPECT_EQ(take_over(), 3u);
  EXPECT_EQ(leave(0).size(), 3u);
  EXPECT_EQ(counters_[4].marked_packets, 1u) << "3000 bytes waited";
  EXPECT_TRUE(queue_.empty());
}

TEST_F(Fifos, refuse_what_a_full_ring_cannot_take) {
  const dp::QueuedFrame one = frame(100);
  for (std::uint32_t i = 0; i < dp::HandOverRing::capacity; ++i) {
    ASSERT_TRUE(hand_over(1, one));
  }
  EXPECT_FALSE(hand_over(1, one));
  EXPECT_TRUE(hand_over(0, one)) << "each worker has its own";
}

TEST_F(Fifos, show_how_deep_they_were_when_packets_left) {
  configure({}, {});
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(enqueue(frame(1024)));
  (void)leave(0);
  // Left behind 8, 7, … 1 KiB, itself included.
  const std::array<std::uint64_t, 6> wanted{0, 1, 2, 4, 1, 0};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(counters_[0].depth_packets_at[i], wanted[i]) << contract::depth_names[i];
  }
}

// A device that copies frames into fewer buffers and then refuses them keeps the originals.
TEST_F(Fifos, go_on_with_what_the_port_made_of_a_frame) {
  configure({}, {});
  ASSERT_TRUE(enqueue(frame(1000)));
  ASSERT_TRUE(enqueue(frame(1000)));
  const auto nothing = [](const dp::QueuedFrame&) {
    FAIL();
  };
  ASSERT_EQ(queue_.dequeue(record_, 0, random_, counters(), nothing).size(), 2u);
  const std::vector<rte_mbuf*> copies{mbuf(1000), mbuf(1000)};
  std::ranges::copy(copies, queue_.mbufs_to_send().begin());
  queue_.settle(1, record_, counters());
  const auto left = leave(0);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].mbuf, copies[1]);
}

TEST_F(Fifos, hold_no_more_frames_than_the_pool_can_spare) {
  configure({}, {{.traffic_class = 0, .buffer = contract::queue_buffer_max}});
  dp::EgressQueue small(base::PortId{0}, base::WorkerId{0}, 1, 100);
  small.use(record_, 1);
  const dp::QueuedFrame one = frame(64);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enqueue_in(small, one));
  EXPECT_FALSE(enqueue_in(small, one));
  while (small.take_any().mbuf != nullptr) {
  }
}

TEST_F(Fifos, tell_how_deep_they_were_though_all_left_within_the_turn) {
  configure({}, {});
  (void)queue_.end_turn(record_, counters());
  for (int i = 0; i < 270; ++i) ASSERT_TRUE(enqueue(frame(1000)));
  (void)leave(0);
  (void)queue_.end_turn(record_, counters());
  EXPECT_EQ(counters_[0].depth_bytes_max, 270'000u);
  EXPECT_EQ(counters_[0].depth_bytes, 0u);
}

// DSCPs move from class 1 to 2 and back while frames wait that came before.
TEST_F(Fifos, let_what_moves_between_classes_wait_for_what_came_before) {
  const auto numbers = [this](std::uint64_t now) {
    std::vector<std::uint32_t> left;
    for (const dp::QueuedFrame& one : leave(now)) left.push_back(one.bytes);
    return left;
  };
  const auto with_dscp_in = [&](std::uint8_t traffic_class) {
    configure({}, {{.traffic_class = traffic_class, .dscp = 0b10}, {.traffic_class = 4}});
  };
  with_dscp_in(1);
  ASSERT_TRUE(enqueue(frame(1001, 1)));
  ASSERT_TRUE(enqueue(frame(1002, 1)));
  with_dscp_in(2);
  ASSERT_TRUE(enqueue(frame(1003, 2)));
  ASSERT_TRUE(enqueue(frame(1004, 4))) << "nothing moved there";
  with_dscp_in(1);
  ASSERT_TRUE(enqueue(frame(1005, 1)));
  with_dscp_in(2);
  ASSERT_TRUE(enqueue(frame(1006, 2)));
  EXPECT_EQ(numbers(0), (std::vector<std::uint32_t>{1001, 1004, 1002, 1003, 1005, 1006}));

  // Class 3 has a rate of its own: who waits for it does not hold up those who need not.
  const contract::QueueSet slow{
      .traffic_class = 3, .rate = contract::queue_rate_min, .burst = contract::queue_burst_min};
  contract::QueueSet gives_away = slow;
  gives_away.dscp = 0b10;
  configure({}, {gives_away});
  ASSERT_TRUE(enqueue(frame(9000, 3)));
  ASSERT_TRUE(enqueue(frame(1001, 3)));
  configure({}, {slow, {.traffic_class = 5, .dscp = 0b10}});
  ASSERT_TRUE(enqueue(frame(1002, 5)));
  ASSERT_TRUE(enqueue(frame(1003, 6)));
  const std::uint64_t now = 10 * test::tsc_hz;
  queue_.catch_up(record_, now, test::tsc_hz, counters());
  EXPECT_EQ(numbers(now), (std::vector<std::uint32_t>{1003, 9000}));
  EXPECT_EQ(numbers(now * 10), (std::vector<std::uint32_t>{1001, 1002}));
}

// Workers do not learn of a change at once.
TEST_F(Fifos, take_over_what_another_worker_sent_before_or_after_a_change) {
  const auto with_dscp_in = [this](std::uint8_t traffic_class) {
    configure({}, {{.traffic_class = traffic_class, .dscp = 0b10}});
  };
  with_dscp_in(1);
  const dp::QueuedFrame late = frame(1001, 1);
  const dp::QueueRecord before = record_;
  ASSERT_TRUE(enqueue(frame(1000, 1)));
  with_dscp_in(2);
  const dp::QueuedFrame early = frame(1002, 2);
  ASSERT_TRUE(hand_over(1, late));
  ASSERT_TRUE(hand_over(1, early));
  EXPECT_EQ(take_over(), 2u);
  const auto left = leave(0);
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[1].bytes, 1001u);
  EXPECT_EQ(left[2].bytes, 1002u);

  // The other one is ahead: its frame waits for all that came before the change.
  record_ = before;
  queue_.use(record_, ++generation_);
  ASSERT_TRUE(hand_over(1, early));
  EXPECT_EQ(take_over(), 1u);
  ASSERT_TRUE(enqueue(late));
  const auto in_order = leave(0);
  ASSERT_EQ(in_order.size(), 2u);
  EXPECT_EQ(in_order[0].bytes, 1001u);
  EXPECT_EQ(in_order[1].bytes, 1002u);
}

// Two changes within one sleep of the home worker: something moved there and back.
TEST_F(Fifos, keep_the_order_of_changes_that_were_missed) {
  const auto with_dscp_in = [this](std::uint8_t traffic_class) {
    configure({}, {{.traffic_class = traffic_class, .dscp = 0b10}});
  };
  with_dscp_in(1);
  const dp::QueuedFrame first = frame(1001, 1);
  dp::QueueSettings settings{};
  const contract::QueueSet other{.traffic_class = 2, .dscp = 0b10};
  settings[2] = &other;
  const dp::QueueRecord missed = dp::after(&record_, dp::make_queue_record({}, settings, 1));
  dp::QueuedFrame second = frame(1002, 2);
  second.epoch = missed.epoch & 15u;
  record_ = missed;
  ++generation_;
  with_dscp_in(1);
  const dp::QueuedFrame third = frame(1003, 1);
  for (const dp::QueuedFrame& one : {first, second, third}) ASSERT_TRUE(hand_over(1, one));
  EXPECT_EQ(take_over(), 3u);
  const auto left = leave(0);
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[0].bytes, 1001u);
  EXPECT_EQ(left[1].bytes, 1002u);
  EXPECT_EQ(left[2].bytes, 1003u);
}

// More changes than epochs are kept apart: their order is not kept, but all leave.
TEST_F(Fifos, lose_nothing_however_often_classes_change) {
  for (std::uint8_t change = 0; change < 40; ++change) {
    const auto traffic_class = static_cast<std::uint8_t>(change % 2);
    configure({}, {{.traffic_class = traffic_class, .dscp = 0b10}});
    ASSERT_TRUE(enqueue(frame(1000, traffic_class)));
  }
  EXPECT_EQ(leave(0).size(), 40u);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(Fifos, tell_a_worker_as_long_as_frames_of_its_own_wait) {
  configure({}, {});
  const base::WorkerId other{1};
  EXPECT_FALSE(queue_.holds_frames_of(other));
  ASSERT_TRUE(hand_over(other.value, frame(1000)));
  EXPECT_TRUE(queue_.holds_frames_of(other));
  EXPECT_FALSE(queue_.holds_frames_of(base::WorkerId{0}));
  EXPECT_EQ(take_over(), 1u);
  EXPECT_TRUE(queue_.holds_frames_of(other));
  EXPECT_TRUE(queue_.holds_frames_of(base::WorkerId{0}));
  (void)queue_.end_turn(record_, counters());
  EXPECT_TRUE(queue_.holds_frames_of(other));
  (void)leave(0);
  (void)queue_.end_turn(record_, counters());
  EXPECT_FALSE(queue_.holds_frames_of(other));
}

}  // namespace
