// SPDX-License-Identifier: Apache-2.0
// When a worker that finds nothing sleeps, for how long, and what it does about ports that wake it
// in vain; and the sleep itself.
#include "dataplane/worker/idle.hpp"

#include "dataplane/queue/bell.hpp"

#include <gtest/gtest.h>

namespace {

using dp::Idle;
using dp::IdlePolicy;
using dp::Nap;

constexpr bool is_woken = true;
constexpr bool is_not_woken = false;

Idle tired(IdlePolicy policy = {}) {
  Idle idle(policy);
  for (int turn = 0; turn < 64; ++turn) idle.found_nothing();
  return idle;
}

TEST(Idle, is_tired_after_64_empty_turns_in_a_row) {
  Idle idle({});
  for (int turn = 0; turn < 63; ++turn) idle.found_nothing();
  EXPECT_FALSE(idle.is_tired());
  idle.found_nothing();
  EXPECT_TRUE(idle.is_tired());
  idle.found_frames();
  EXPECT_FALSE(idle.is_tired());
}

TEST(Idle, never_sleeps_where_it_is_told_to_spin) {
  EXPECT_FALSE(tired({.sleep = false, .sleep_us_max = 200}).is_tired());
}

TEST(Idle, sleeps_ever_longer_up_to_the_limit_where_nobody_wakes_it) {
  Idle idle = tired({.sleep = true, .sleep_us_max = 10});
  for (const std::uint64_t ns : {1000, 2000, 4000, 8000, 10'000, 10'000}) {
    EXPECT_EQ(idle.sleep_ns(is_not_woken), ns);
    idle.woke(Nap::Woken::by_time);
  }
  idle.found_frames();
  EXPECT_EQ(idle.sleep_ns(is_not_woken), 1000U);
}

TEST(Idle, sleeps_long_where_it_is_woken) {
  Idle idle = tired();
  EXPECT_EQ(idle.sleep_ns(is_woken), 100'000'000U);
}

TEST(Idle, leaves_ports_that_wake_it_in_vain_to_the_clock_for_a_while) {
  Idle idle = tired();
  for (int wake = 0; wake < 8; ++wake) {
    EXPECT_TRUE(idle.trusts_ports());
    idle.woke(Nap::Woken::by_port);
  }
  for (int sleep = 0; sleep < 512; ++sleep) {
    EXPECT_FALSE(idle.trusts_ports());
    idle.woke(Nap::Woken::by_bell);  // No news of the ports.
    idle.woke(Nap::Woken::by_time);
  }
  EXPECT_TRUE(idle.trusts_ports());
}

TEST(Idle, trusts_ports_again_that_had_frames_or_kept_silent) {
  Idle idle = tired();
  for (int wake = 0; wake < 7; ++wake) idle.woke(Nap::Woken::by_port);
  idle.woke(Nap::Woken::by_time);
  for (int wake = 0; wake < 8; ++wake) idle.woke(Nap::Woken::by_port);
  EXPECT_FALSE(idle.trusts_ports());
  idle.found_frames();
  EXPECT_TRUE(idle.trusts_ports());
}

TEST(Nap, ends_by_time_bell_or_port_and_says_which) {
  dp::Bell bell;
  dp::Bell port;  // Anything that becomes readable.
  Nap nap;
  const auto sleep = [&](std::uint64_t ns) {
    nap.begin(bell.descriptor());
    EXPECT_TRUE(nap.watch(port.descriptor()));
    return nap.sleep(ns);
  };

  EXPECT_EQ(sleep(1'000'000), Nap::Woken::by_time);
  EXPECT_GE(nap.slept_ns(), 1'000'000U);
  constexpr std::uint64_t minute_ns = 60'000'000'000;
  port.listen();
  port.ring();
  EXPECT_EQ(sleep(minute_ns), Nap::Woken::by_port);
  bell.listen();
  bell.ring();
  EXPECT_EQ(sleep(minute_ns), Nap::Woken::by_bell);
  bell.hush();
  port.hush();
  EXPECT_EQ(sleep(1'000'000), Nap::Woken::by_time);
}

TEST(Nap, watches_no_port_that_does_not_tell_and_128_that_do) {
  dp::Bell port;
  Nap nap;
  nap.begin(-1);
  EXPECT_FALSE(nap.watch(-1));
  for (int queue = 0; queue < 128; ++queue) EXPECT_TRUE(nap.watch(port.descriptor()));
  EXPECT_FALSE(nap.watch(port.descriptor()));
}

TEST(Bell, makes_no_sound_while_nobody_listens) {
  dp::Bell bell;
  Nap nap;
  const auto sleep = [&] {
    nap.begin(bell.descriptor());
    return nap.sleep(1000);
  };

  bell.ring();
  EXPECT_EQ(sleep(), Nap::Woken::by_time);
  bell.listen();
  bell.stop_listening();
  bell.ring();
  EXPECT_EQ(sleep(), Nap::Woken::by_time);
}

}  // namespace
