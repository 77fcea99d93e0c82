// SPDX-License-Identifier: Apache-2.0
// Workers on threads of their own hand frames over to a queue's home worker, which takes, holds,
// paces and sends them: each arrives once and in order. Also what ThreadSanitizer judges.
#include "tests/unit/queue/frames.hpp"

#include <atomic>
#include <thread>

namespace {

constexpr std::uint16_t workers = 4;  // The first is the home.
constexpr std::uint32_t frames_each = 100'000;
constexpr std::uint32_t sizes = 1000;  // Of frames: their number, modulo this, is told by theirs.

class QueueStress : public test::QueueTest {
 protected:
  // Worker n's frames are of class n.
  dp::QueuedFrame numbered(std::uint16_t worker, std::uint32_t number) {
    return {.mbuf = any_mbuf_,
            .bytes = 64 + number % sizes,
            .outer_ip = 0,
            .inner_ip = 0,
            .traffic_class = static_cast<std::uint8_t>(worker & 7u),
            .control = false,
            .epoch = 0,
            .stage = 0};
  }
  void hand_over_all(std::uint16_t worker) {
    std::array<dp::QueuedFrame, 64> some;
    for (std::uint32_t number = 0; number < frames_each;) {
      const std::uint32_t count = std::min(1 + number % 64, frames_each - number);
      for (std::uint32_t i = 0; i < count; ++i) some[i] = numbered(worker, number + i);
      const auto frames = std::span<const dp::QueuedFrame>(some).first(count);
      number += many_.hand_over(base::WorkerId{worker}, frames);
      // Not spinning: three producers share what cores there are with the home.
      std::this_thread::yield();
    }
    finished_.fetch_add(1, std::memory_order_release);
  }
  void take_in(const dp::QueueRecord& record) {
    many_.take_over([&](std::span<const dp::QueuedFrame> frames) {
      many_.enqueue(frames, record, counters(), [&](const dp::QueuedFrame&) { ++refused_; });
    });
  }
  void send_all(const dp::QueueRecord& record, std::uint64_t now) {
    for (;;) {
      const auto frames = many_.dequeue(record, now, random_, counters(),
                                        [](const dp::QueuedFrame&) { FAIL() << "nothing dies"; });
      if (frames.empty()) return;
      for (const dp::QueuedFrame& one : frames) {
        const std::uint32_t wanted = 64 + arrived_[one.traffic_class]++ % sizes;
        wrong_ += one.bytes != wanted;
      }
      many_.settle(static_cast<std::uint16_t>(frames.size()), record, counters());
    }
  }

  rte_mbuf* any_mbuf_ = mbuf(64);  // Nobody looks into it.
  dp::EgressQueue many_{base::PortId{0}, base::WorkerId{0}, workers, frames_max};
  std::atomic<std::uint16_t> finished_{0};
  std::array<std::uint32_t, contract::traffic_class_count> arrived_{};
  std::uint64_t wrong_ = 0;
  std::uint64_t refused_ = 0;
};

TEST_F(QueueStress, takes_every_frame_of_every_worker_once_and_in_order) {
  configure({.rate = 100'000'000'000, .burst = contract::queue_burst_max},
            {{.traffic_class = 1, .kmin = 1000, .kmax = 4000, .pmax = 500'000}});
  for (dp::QueueClassRecord& one : record_.classes) one.buffer = contract::queue_buffer_max;
  many_.use(record_, generation_);
  std::vector<std::thread> threads;
  for (std::uint16_t worker = 1; worker < workers; ++worker) {
    threads.emplace_back([this, worker] { hand_over_all(worker); });
  }
  std::uint64_t now = test::tsc_hz;
  bool all_in = false;
  while (!all_in || !many_.empty()) {
    // Acquire pairs with the producers' release: what they handed over is seen now.
    all_in = finished_.load(std::memory_order_acquire) == workers - 1;
    now += 150 * test::cycles_per_us;
    many_.catch_up(record_, now, test::tsc_hz, counters());
    take_in(record_);
    send_all(record_, now);
    (void)many_.end_turn(record_, counters());
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused_, 0u);
  EXPECT_EQ(wrong_, 0u);
  for (std::uint16_t worker = 1; worker < workers; ++worker) {
    EXPECT_EQ(arrived_[worker], frames_each);
    EXPECT_EQ(counters_[worker].depth_bytes, 0u);
    EXPECT_EQ(counters_[worker].tx_packets, frames_each);
  }
  EXPECT_GT(counters_[1].exempt_packets, 0u) << "frames without IP, and a queue that was long";
}

}  // namespace
