// SPDX-License-Identifier: Apache-2.0
// The token bucket of each user.
#include "controlplane/api/rate.hpp"

#include <gtest/gtest.h>

namespace {

using cp::RequestRate;
using namespace std::chrono_literals;

constexpr RequestRate::Time start{};
constexpr int users_max = cp::rate_users_max;

bool take(RequestRate& rate, int user, RequestRate::Time now) {
  return rate.take("uid " + std::to_string(user), now);
}

int taken_at_once(RequestRate& rate, int user, RequestRate::Time now) {
  int taken = 0;
  while (taken < 100 && take(rate, user, now)) ++taken;
  return taken;
}

TEST(RequestRate, gives_a_seconds_share_at_once_and_then_one_at_a_time) {
  RequestRate rate(10);

  EXPECT_EQ(taken_at_once(rate, 1, start), 10);
  EXPECT_FALSE(take(rate, 1, start + 99ms));
  EXPECT_TRUE(take(rate, 1, start + 101ms));
  EXPECT_FALSE(take(rate, 1, start + 101ms));
  EXPECT_EQ(rate.refused(), 3u);
}

TEST(RequestRate, saves_no_more_than_a_seconds_share) {
  RequestRate rate(10);
  EXPECT_EQ(taken_at_once(rate, 1, start), 10);

  EXPECT_EQ(taken_at_once(rate, 1, start + 24h), 10);
}

TEST(RequestRate, counts_each_user_alone) {
  RequestRate rate(10);
  EXPECT_EQ(taken_at_once(rate, 1, start), 10);

  EXPECT_EQ(taken_at_once(rate, 2, start), 10);
}

TEST(RequestRate, has_no_limit_where_none_is_wanted) {
  RequestRate rate(0);

  EXPECT_EQ(taken_at_once(rate, 1, start), 100);
  EXPECT_EQ(rate.users(), 0u);
}

TEST(RequestRate, remembers_a_bounded_number_of_users) {
  RequestRate rate(10);
  for (int user = 0; user < 3 * users_max; ++user) {
    EXPECT_TRUE(take(rate, user, start + user * 1ms));
  }

  EXPECT_LE(rate.users(), cp::rate_users_max);
}

TEST(RequestRate, forgets_those_first_that_have_their_whole_share) {
  RequestRate rate(10);
  EXPECT_EQ(taken_at_once(rate, 0, start), 10);
  for (int user = 1; user < users_max; ++user) take(rate, user, start - 1s);

  EXPECT_TRUE(take(rate, users_max, start));

  EXPECT_EQ(rate.users(), 2u);
  EXPECT_FALSE(take(rate, 0, start));
}

}  // namespace
