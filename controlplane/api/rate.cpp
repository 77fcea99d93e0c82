// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/rate.hpp"

#include <algorithm>

namespace cp {

bool RequestRate::take(const std::string& user, Time now) {
  if (per_second_ == 0) return true;
  if (buckets_.size() >= rate_users_max) forget_idle(now);
  Bucket& bucket =
      buckets_.try_emplace(user, Bucket{.tokens = per_second_, .at = now}).first->second;
  bucket = {.tokens = filled(bucket, now), .at = now};
  if (bucket.tokens < 1) {
    ++refused_;
    return false;
  }
  bucket.tokens -= 1;
  return true;
}

double RequestRate::filled(const Bucket& bucket, Time now) const {
  const std::chrono::duration<double> since = now - bucket.at;
  return std::min(per_second_, bucket.tokens + since.count() * per_second_);
}

void RequestRate::forget_idle(Time now) {
  std::erase_if(buckets_,
                [&](const auto& entry) { return filled(entry.second, now) >= per_second_; });
  if (buckets_.size() >= rate_users_max) buckets_.clear();
}

}  // namespace cp
