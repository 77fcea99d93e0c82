// SPDX-License-Identifier: Apache-2.0
// Packets and bytes by traffic class, added up in registers as long as neighbours are of one class,
// as they mostly are.
#pragma once

#include "dataplane/contract/counters.hpp"
#include "dataplane/contract/limits.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dp {

// The counters of one port, by traffic class.
using QueueCounterSpan = std::span<contract::QueueCounters, contract::traffic_class_count>;

class ClassTally {
 public:
  void add(unsigned traffic_class, std::uint32_t bytes) noexcept {
    if (traffic_class != current_) [[unlikely]] {  // Once a run.
      finish();
      current_ = traffic_class;
    }
    ++current_packets_;
    current_bytes_ += bytes;
  }
  // After the last of them, before anything is asked.
  void finish() noexcept {
    packets_[current_] += current_packets_;
    bytes_[current_] += current_bytes_;
    total_bytes_ += current_bytes_;
    current_packets_ = 0;
    current_bytes_ = 0;
  }
  // Some of one class, and finished.
  void add_run(unsigned traffic_class, std::uint32_t packets, std::uint64_t bytes) noexcept {
    packets_[traffic_class] += packets;
    bytes_[traffic_class] += bytes;
    total_bytes_ += bytes;
  }
  void take_back(unsigned traffic_class, std::uint32_t bytes) noexcept {
    --packets_[traffic_class];
    bytes_[traffic_class] -= bytes;
    total_bytes_ -= bytes;
  }
  std::uint64_t bytes() const noexcept { return total_bytes_; }
  // All of them have left; `waited`: after they had been in the queue.
  void count(QueueCounterSpan counters, bool waited) const noexcept {
    for (std::size_t i = 0; i < packets_.size(); ++i) {
      if (packets_[i] == 0) continue;
      contract::add(counters[i].tx_packets, packets_[i]);
      contract::add(counters[i].tx_bytes, bytes_[i]);
      if (waited) contract::add(counters[i].waited_packets, packets_[i]);
    }
  }

 private:
  unsigned current_ = 0;
  std::uint32_t current_packets_ = 0;
  std::uint64_t current_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::array<std::uint32_t, contract::traffic_class_count> packets_{};
  std::array<std::uint64_t, contract::traffic_class_count> bytes_{};
};

}  // namespace dp
