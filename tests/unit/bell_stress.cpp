// SPDX-License-Identifier: Apache-2.0
// Threads hand over work and ring while its taker falls asleep and wakes: it never sleeps on.
#include "dataplane/queue/bell.hpp"
#include "dataplane/worker/nap.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

constexpr std::uint32_t givers = 2;
constexpr std::uint32_t pieces_each = 20'000;
constexpr std::uint64_t minute_ns = 60'000'000'000;

TEST(BellStress, no_piece_of_work_is_slept_on) {
  dp::Bell bell;
  std::atomic<std::uint32_t> given{0};
  std::vector<std::thread> threads;
  for (std::uint32_t giver = 0; giver < givers; ++giver) {
    threads.emplace_back([&, giver] {
      for (std::uint32_t piece = 0; piece < pieces_each; ++piece) {
        given.fetch_add(1, std::memory_order_release);
        bell.ring();
        // Now the taker is awake, falling asleep, or asleep.
        if ((piece + giver) % 4 == 0) std::this_thread::yield();
      }
    });
  }

  std::uint32_t taken = 0;
  std::uint32_t overslept = 0;
  dp::Nap nap;
  while (taken < givers * pieces_each) {
    bell.listen();
    const std::uint32_t seen = given.load(std::memory_order_acquire);
    if (seen == taken) {
      nap.begin(bell.descriptor());
      const auto woken = nap.sleep(minute_ns);
      overslept += woken != dp::Nap::Woken::by_bell;
      bell.hush();
    }
    bell.stop_listening();
    taken = seen;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(overslept, 0U);
}

}  // namespace
