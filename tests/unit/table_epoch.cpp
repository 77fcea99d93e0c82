// SPDX-License-Identifier: Apache-2.0
// Who has passed the last flip. One thread plays all workers; table_stress has real ones.
#include "dataplane/table/epoch.hpp"

#include <gtest/gtest.h>

namespace {

using base::WorkerId;

dp::Epoch make_epoch(base::Generation first = 0) {
  auto epoch = dp::Epoch::make(4, first);
  EXPECT_TRUE(epoch.has_value());
  return std::move(*epoch);
}

TEST(Epoch, nobody_waits_without_workers) {
  dp::Epoch epoch = make_epoch();

  EXPECT_EQ(epoch.flip(), 1U);
  EXPECT_TRUE(epoch.all_passed(1));
}

TEST(Epoch, flip_waits_for_every_worker_and_names_the_late_ones) {
  dp::Epoch epoch = make_epoch(41);
  ASSERT_TRUE(epoch.register_worker(WorkerId{0}));
  ASSERT_TRUE(epoch.register_worker(WorkerId{3}));
  EXPECT_TRUE(epoch.all_passed(41));

  EXPECT_EQ(epoch.flip(), 42U);

  EXPECT_EQ(epoch.enter_batch(), 42U);
  EXPECT_FALSE(epoch.all_passed(42));
  EXPECT_EQ(epoch.late_workers(42), 0b1001U);
  epoch.quiescent(WorkerId{0});
  EXPECT_FALSE(epoch.all_passed(42));
  EXPECT_EQ(epoch.late_workers(42), 0b1000U);
  epoch.quiescent(WorkerId{3});
  EXPECT_TRUE(epoch.all_passed(42));
  EXPECT_EQ(epoch.late_workers(42), 0U);
}

TEST(Epoch, sleeping_workers_hold_nobody_up_and_wake_under_the_new_generation) {
  dp::Epoch epoch = make_epoch();
  ASSERT_TRUE(epoch.register_worker(WorkerId{1}));
  epoch.offline(WorkerId{1});

  epoch.flip();
  EXPECT_TRUE(epoch.all_passed(1));
  EXPECT_EQ(epoch.late_workers(1), 0U);

  epoch.online(WorkerId{1});
  EXPECT_EQ(epoch.enter_batch(), 1U);
  EXPECT_TRUE(epoch.all_passed(1));
  epoch.flip();
  EXPECT_EQ(epoch.late_workers(2), 0b10U);
}

TEST(Epoch, workers_that_left_are_not_waited_for) {
  dp::Epoch epoch = make_epoch();
  ASSERT_TRUE(epoch.register_worker(WorkerId{2}));

  epoch.flip();
  EXPECT_FALSE(epoch.all_passed(1));
  epoch.unregister_worker(WorkerId{2});

  EXPECT_TRUE(epoch.all_passed(1));
  EXPECT_EQ(epoch.late_workers(1), 0U);
}

TEST(Epoch, refuses_worker_numbers_it_has_no_room_for) {
  dp::Epoch epoch = make_epoch();

  EXPECT_EQ(epoch.register_worker(WorkerId{4}).error().code, base::Errc::invalid_argument);
  EXPECT_FALSE(dp::Epoch::make(0));
  EXPECT_FALSE(dp::Epoch::make(65));
}

TEST(Epoch, graces_need_no_generation_and_do_not_disturb_one) {
  dp::Epoch epoch = make_epoch(10);
  ASSERT_TRUE(epoch.register_worker(WorkerId{1}));

  const std::uint64_t grace = epoch.start_grace();
  EXPECT_EQ(epoch.current(), 10U);
  EXPECT_FALSE(epoch.grace_passed(grace));
  EXPECT_FALSE(epoch.all_passed(11));
  epoch.quiescent(WorkerId{1});
  EXPECT_TRUE(epoch.grace_passed(grace));
  EXPECT_FALSE(epoch.all_passed(11)) << "a grace is no flip";

  EXPECT_EQ(epoch.flip(), 11U);
  EXPECT_FALSE(epoch.all_passed(11));
  const std::uint64_t later = epoch.start_grace();
  epoch.quiescent(WorkerId{1});
  EXPECT_TRUE(epoch.all_passed(11));
  EXPECT_TRUE(epoch.grace_passed(later));
  epoch.unregister_worker(WorkerId{1});
}

}  // namespace
