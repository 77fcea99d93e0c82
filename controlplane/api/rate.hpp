// SPDX-License-Identifier: Apache-2.0
// How many requests a user may make: a token bucket each. Pure but for what it remembers; the
// caller says what time it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace cp {

// Of whom a bucket is remembered. Then those that are full, which is as good as none, make room,
// and if there are none of these, all.
inline constexpr std::size_t rate_users_max = 4096;

class RequestRate {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // As many at once as in a second. 0: as many as they like.
  explicit RequestRate(std::uint32_t per_second) : per_second_(per_second) {}

  // False: that user has had its share, and may come again within a second.
  bool take(const std::string& user, Time now);

  std::uint64_t refused() const noexcept { return refused_; }
  std::size_t users() const noexcept { return buckets_.size(); }

 private:
  struct Bucket {
    double tokens;
    Time at;
  };
  double filled(const Bucket& bucket, Time now) const;
  void forget_idle(Time now);

  double per_second_;
  std::unordered_map<std::string, Bucket> buckets_;
  std::uint64_t refused_ = 0;
};

}  // namespace cp
