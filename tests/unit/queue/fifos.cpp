// SPDX-License-Identifier: Apache-2.0
// What waits, in which order, and how much of it.
#include "tests/unit/queue/frames.hpp"

#include <deque>
#include <random>
#include <thread>

namespace {

using test::cycles_per_us;

class Fifos : public test::QueueTest {};

TEST_F(Fifos, are_what_a_deque_is) {
  auto fifos = std::make_unique<dp::FrameFifos>();
  std::array<std::deque<std::uint32_t>, contract::traffic_class_count> model;
  std::mt19937 random(1);
  std::uint32_t number = 0;
  for (int step = 0; step < 400'000; ++step) {
    const unsigned one = random() % model.size();
    // Phases that fill and phases that empty.
    const bool fills = random() % 100 < (step / 20'000 % 2 == 0 ? 60u : 40u);
    if (fills) {
      ASSERT_TRUE(fifos->push(one, {.mbuf = nullptr, .bytes = number}));
      model[one].push_back(number++);
    } else if (!model[one].empty()) {
      ASSERT_EQ(fifos->front(one).bytes, model[one].front());
      fifos->pop(one);
      model[one].pop_front();
    }
    ASSERT_EQ(fifos->size(one), model[one].size());
  }
}

TEST_F(Fifos, hold_their_most_in_every_class_at_once) {
  auto fifos = std::make_unique<dp::FrameFifos>();
  for (int round = 0; round < 2; ++round) {
    for (unsigned one = 0; one < contract::traffic_class_count; ++one) {
      for (std::uint32_t i = 0; i < dp::FrameFifos::frames_max; ++i) {
        ASSERT_TRUE(fifos->push(one, {.mbuf = nullptr, .bytes = i}));
      }
      EXPECT_FALSE(fifos->push(one, {}));
    }
    for (unsigned one = 0; one < contract::traffic_class_count; ++one) {
      for (std::uint32_t i = 0; i < dp::FrameFifos::frames_max; ++i) {
        ASSERT_EQ(fifos->front(one).bytes, i);
        fifos->pop(one);
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
    std::vector<rte_mbuf*> offered;
    for (const dp::QueuedFrame& one : frames) offered.push_back(one.mbuf);
    queue_.settle(taken, offered, record_, counters());
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
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue_.hand_over(base::WorkerId{1}, frame(1000, 4)));
  ASSERT_TRUE(enqueue(frame(1000, 4)));
  EXPECT_FALSE(queue_.empty());
  EXPECT_EQ(queue_.held(), 1u);
  (void)queue_.end_turn(record_, counters());
  EXPECT_EQ(counters_[4].depth_bytes, 4000u);
  EXPECT_EQ(leave(0).size(), 1u);
  EXPECT_EQ(counters_[4].marked_packets, 1u) << "4000 bytes waited, three in the ring";

  int taken = 0;
  queue_.take_over([&](const dp::QueuedFrame& one) {
    ++taken;
    EXPECT_TRUE(enqueue(one));
  });
  EXPECT_EQ(taken, 3);
  EXPECT_EQ(leave(0).size(), 3u);
  EXPECT_EQ(counters_[4].marked_packets, 1u) << "3000 bytes waited";
  EXPECT_TRUE(queue_.empty());
}

TEST_F(Fifos, refuse_what_a_full_ring_cannot_take) {
  const dp::QueuedFrame one = frame(100);
  for (std::uint32_t i = 0; i < dp::HandOverRing::capacity; ++i) {
    ASSERT_TRUE(queue_.hand_over(base::WorkerId{1}, one));
  }
  EXPECT_FALSE(queue_.hand_over(base::WorkerId{1}, one));
  EXPECT_TRUE(queue_.hand_over(base::WorkerId{0}, one)) << "each worker has its own";
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
  queue_.settle(1, copies, record_, counters());
  const auto left = leave(0);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].mbuf, copies[1]);
}

TEST_F(Fifos, hold_no_more_frames_than_the_pool_can_spare) {
  configure({}, {{.traffic_class = 0, .buffer = contract::queue_buffer_max}});
  dp::EgressQueue small(base::PortId{0}, base::WorkerId{0}, 1, 100);
  small.use(record_, 1);
  const dp::QueuedFrame one = frame(64);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(small.enqueue(one, record_, counters()));
  EXPECT_FALSE(small.enqueue(one, record_, counters()));
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

TEST_F(Fifos, tell_a_worker_as_long_as_frames_of_its_own_wait) {
  configure({}, {});
  const base::WorkerId other{1};
  EXPECT_FALSE(queue_.holds_frames_of(other));
  ASSERT_TRUE(queue_.hand_over(other, frame(1000)));
  EXPECT_TRUE(queue_.holds_frames_of(other));
  EXPECT_FALSE(queue_.holds_frames_of(base::WorkerId{0}));
  queue_.take_over([&](const dp::QueuedFrame& one) { EXPECT_TRUE(enqueue(one)); });
  EXPECT_TRUE(queue_.holds_frames_of(other));
  EXPECT_TRUE(queue_.holds_frames_of(base::WorkerId{0}));
  (void)queue_.end_turn(record_, counters());
  EXPECT_TRUE(queue_.holds_frames_of(other));
  (void)leave(0);
  (void)queue_.end_turn(record_, counters());
  EXPECT_FALSE(queue_.holds_frames_of(other));
}

}  // namespace
