// SPDX-License-Identifier: Apache-2.0
// Rates, bursts and whose turn it is, in virtual time.
#include "tests/unit/queue/frames.hpp"

#include <numeric>
#include <stdexcept>

namespace {

using test::cycles_per_us;
using test::tsc_hz;

class Rates : public test::QueueTest {
 protected:
  static std::uint64_t bytes_of(const std::vector<dp::QueuedFrame>& frames) {
    return std::accumulate(
        frames.begin(), frames.end(), std::uint64_t{0},
        [](std::uint64_t sum, const dp::QueuedFrame& frame) { return sum + frame.bytes; });
  }
  // Bytes that leave within `us`, asked every `step_cycles`, while frames always wait.
  std::uint64_t leave_for(std::uint64_t us, std::uint64_t step_cycles, std::uint32_t frame_bytes) {
    std::uint64_t bytes = 0;
    const std::uint64_t end = now_ + us * cycles_per_us;
    for (; now_ < end; now_ += step_cycles) {
      while (queue_.held() < 200) {
        if (!enqueue(reuse(frame_bytes))) throw std::logic_error("the queue took no frame");
      }
      queue_.catch_up(record_, now_, tsc_hz, counters());
      const auto left = leave(now_);
      bytes += bytes_of(left);
      for (const dp::QueuedFrame& one : left) spare_.push_back(one);
      (void)queue_.end_turn(record_, counters());
    }
    return bytes;
  }
  dp::QueuedFrame reuse(std::uint32_t bytes) {
    if (spare_.empty()) return frame(bytes);
    const dp::QueuedFrame one = spare_.back();
    spare_.pop_back();
    return one;
  }

  std::uint64_t now_ = tsc_hz;
  std::vector<dp::QueuedFrame> spare_;
};

TEST_F(Rates, are_kept_to_a_thousandth_from_a_megabit_to_a_terabit) {
  for (const std::uint64_t rate :
       {std::uint64_t{200'000'000}, std::uint64_t{10'000'000'000}, std::uint64_t{100'000'000'000},
        std::uint64_t{400'000'000'000}}) {
    configure({.rate = rate}, {});
    (void)leave_for(200, cycles_per_us, 1000);  // The burst that a pause left.
    constexpr std::uint64_t us = 20'000;
    const double bytes = static_cast<double>(leave_for(us, cycles_per_us, 1000));
    const double wanted = static_cast<double>(rate) / 8 * us / 1e6;
    EXPECT_LE(bytes, wanted * 1.0005 + 1000) << rate;
    EXPECT_GE(bytes, wanted * 0.9995 - 1000) << rate;
  }
}

TEST_F(Rates, let_no_more_than_a_burst_go_at_once) {
  configure({.rate = 1'000'000'000, .burst = 20'000}, {});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enqueue(frame(1000)));
  queue_.catch_up(record_, now_, tsc_hz, counters());
  EXPECT_EQ(leave(now_).size(), 20u);
  EXPECT_TRUE(leave(now_).empty());
  // 1000 bytes take 8 us.
  EXPECT_TRUE(leave(now_ + 7 * cycles_per_us).empty());
  EXPECT_EQ(leave(now_ + 8 * cycles_per_us + 1).size(), 1u);
  EXPECT_NEAR(static_cast<double>(queue_.end_turn(record_, counters())),
              static_cast<double>(now_ + 16 * cycles_per_us), 4);
}

TEST_F(Rates, of_a_class_leave_the_others_alone) {
  configure({}, {{.traffic_class = 3, .rate = 1'000'000'000, .burst = 10'000}});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(enqueue(frame(1000, 3)));
    ASSERT_TRUE(enqueue(frame(1000, 0)));
  }
  queue_.catch_up(record_, now_, tsc_hz, counters());
  const auto left = leave(now_);
  std::map<int, int> by_class;
  for (const dp::QueuedFrame& one : left) ++by_class[one.traffic_class];
  EXPECT_EQ(by_class, (std::map<int, int>{{0, 50}, {3, 10}}));
}

TEST_F(Rates, go_to_cnps_first_and_to_the_others_in_turn) {
  configure({.rate = 1'000'000'000, .burst = 12'000}, {});
  const auto put = [this](std::uint8_t traffic_class, int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(enqueue(frame(1000, traffic_class)));
  };
  put(0, 10);
  put(3, 10);
  put(5, 2);
  put(contract::cnp_class, 3);
  queue_.catch_up(record_, now_, tsc_hz, counters());
  std::vector<int> order;
  for (const dp::QueuedFrame& one : leave(now_)) order.push_back(one.traffic_class);
  EXPECT_EQ(order, (std::vector{6, 6, 6, 0, 3, 5, 0, 3, 5, 0, 3, 0}));
  // Whose turn it is does not begin anew.
  order.clear();
  for (const dp::QueuedFrame& one : leave(now_ + 16 * cycles_per_us + 2)) {
    order.push_back(one.traffic_class);
  }
  EXPECT_EQ(order, (std::vector{3, 0}));
}

// Whoever looks in vain takes no turn away: large frames get theirs beside small ones.
TEST_F(Rates, keep_the_turn_of_who_waits_for_the_ports_rate) {
  configure({.rate = 1'000'000'000, .burst = contract::queue_burst_min}, {});
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(enqueue(frame(100, 0)));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(enqueue(frame(9000, 3)));
  queue_.catch_up(record_, now_, tsc_hz, counters());
  (void)leave(now_);
  std::uint64_t small = 0;
  std::uint64_t large = 0;
  for (int us = 0; us < 1000; ++us) {  // 73 us for a large one.
    now_ += cycles_per_us;
    const auto frames =
        queue_.dequeue(record_, now_, random_, counters(), [](const dp::QueuedFrame&) { FAIL(); });
    for (const dp::QueuedFrame& one : frames) ++(one.traffic_class == 3 ? large : small);
    queue_.settle(static_cast<std::uint16_t>(frames.size()), record_, counters());
  }
  EXPECT_GE(large, 12u);
  EXPECT_NEAR(static_cast<double>(small), static_cast<double>(large), 1.0);
}

TEST_F(Rates, count_the_time_for_which_the_worker_was_away) {
  configure({.rate = 1'000'000'000, .burst = 10'000}, {});  // A burst is 80 us.
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enqueue(frame(1000)));
  queue_.catch_up(record_, now_, tsc_hz, counters());
  (void)leave(now_);
  (void)queue_.end_turn(record_, counters());
  // Frames wait, and nobody looks for 1 ms: 8 us of it none was due, 80 are made up for.
  now_ += 1000 * cycles_per_us;
  queue_.catch_up(record_, now_, tsc_hz, counters());
  EXPECT_NEAR(static_cast<double>(counters_[0].late_ns), 912'000, 1'000);
  (void)leave(now_);
  while (queue_.take_any().mbuf != nullptr) {
  }
  (void)queue_.end_turn(record_, counters());
  // Nobody waits: nothing is late.
  now_ += 1000 * cycles_per_us;
  queue_.catch_up(record_, now_, tsc_hz, counters());
  EXPECT_NEAR(static_cast<double>(counters_[0].late_ns), 912'000, 1'000);
}

TEST_F(Rates, let_frames_pass_while_the_rate_allows_and_nobody_waits) {
  configure({.rate = 1'000'000'000, .burst = 10'000}, {});
  EXPECT_TRUE(queue_.let_pass(record_, now_, 6000, 1000));
  EXPECT_FALSE(queue_.let_pass(record_, now_, 6000, 1000));  // 4000 are left.
  EXPECT_TRUE(queue_.let_pass(record_, now_, 4000, 1000));
  EXPECT_FALSE(queue_.let_pass(record_, now_, 64, 64));
  EXPECT_TRUE(queue_.let_pass(record_, now_ + 8 * cycles_per_us + 1, 1000, 1000));

  configure({}, {});
  EXPECT_TRUE(queue_.let_pass(record_, now_, 1'000'000, 9000));
  ASSERT_TRUE(enqueue(frame(1000)));
  EXPECT_FALSE(queue_.let_pass(record_, now_, 64, 64)) << "one waits";
  (void)leave(now_);
  ASSERT_TRUE(hand_over(1, frame(1000)));
  EXPECT_FALSE(queue_.let_pass(record_, now_, 64, 64)) << "another worker's is on its way";
  queue_.take_over([](std::span<const dp::QueuedFrame>) {});
  EXPECT_TRUE(queue_.let_pass(record_, now_, 64, 64));
  configure({}, {{.traffic_class = 2, .rate = 1'000'000'000}});
  EXPECT_FALSE(queue_.let_pass(record_, now_, 64, 64)) << "a class has a rate";
  configure({}, {{.traffic_class = 2, .kmin = 5000, .kmax = 9000, .pmax = 10'000}});
  EXPECT_TRUE(queue_.let_pass(record_, now_, 100'000, 5000));
  EXPECT_FALSE(queue_.let_pass(record_, now_, 5001, 5001)) << "it might be marked";
}

TEST_F(Rates, let_a_frame_go_that_is_longer_than_the_burst) {
  configure({.rate = 1'000'000'000, .burst = 10'000}, {});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(enqueue(frame(12'000)));
  queue_.catch_up(record_, now_, tsc_hz, counters());
  EXPECT_EQ(leave(now_).size(), 1u);
  // Its debt is paid first: 12,000 bytes take 96 us, and credit for 10,000 more takes 80.
  EXPECT_TRUE(leave(now_ + 90 * cycles_per_us).empty());
  EXPECT_EQ(leave(now_ + 96 * cycles_per_us + 2).size(), 1u);
}

TEST_F(Rates, charge_only_what_the_port_takes) {
  configure({.rate = 1'000'000'000, .burst = 10'000}, {});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(enqueue(frame(1000)));
  queue_.catch_up(record_, now_, tsc_hz, counters());
  const auto nothing = [](const dp::QueuedFrame&) {
    FAIL();
  };
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(queue_.dequeue(record_, now_, random_, counters(), nothing).size(), 10u);
    queue_.settle(0, record_, counters());
  }
  EXPECT_EQ(leave(now_).size(), 10u);
  ASSERT_TRUE(enqueue(frame(1000)));
  EXPECT_TRUE(leave(now_).empty()) << "the burst is spent, once";
  EXPECT_EQ(leave(now_ + 8 * cycles_per_us + 1).size(), 1u);
}

TEST_F(Rates, call_nobody_late_whom_another_limit_held) {
  configure({.rate = 1'000'000'000}, {{.traffic_class = 3, .rate = 100'000'000}});
  std::uint64_t sent = 0;
  for (int us = 0; us < 200'000; ++us, now_ += cycles_per_us) {
    while (queue_.held() < 100) ASSERT_TRUE(enqueue(frame(1000, 3)));
    queue_.catch_up(record_, now_, tsc_hz, counters());
    sent += leave(now_).size();
    (void)queue_.end_turn(record_, counters());
  }
  EXPECT_NEAR(static_cast<double>(sent), 2500, 40);
  EXPECT_EQ(counters_[3].late_ns, 0u);
  EXPECT_EQ(counters_[0].late_ns, 0u);
}

}  // namespace
