// SPDX-License-Identifier: Apache-2.0
// The egress queue of a gateway's underlay port under virtual time: its TSC counts picoseconds.
#pragma once

#include "dataplane/queue/egress_queue.hpp"
#include "tools/pktgen/roce/stamp.hpp"

#include <array>
#include <vector>

namespace bench {

using pktgen::Time;

struct Curve {
  double bps;
  std::uint32_t kmin;
  std::uint32_t kmax;
  double pmax;
  std::uint32_t buffer;
};

class Bottleneck {
 public:
  Bottleneck(const Curve& curve, std::uint64_t seed);

  // False: no room; the frame is freed.
  bool enqueue(rte_mbuf* frame, Time now);
  // The frame that has left by now, its last bit sent; nullptr: none has.
  rte_mbuf* dequeue(Time now);
  Time next_due() const { return queue_.next_due(record_).at; }
  std::uint64_t depth_bytes() const { return depth_; }
  std::uint64_t lost() const { return lost_; }
  std::uint64_t marked() const { return counters_[data_class].marked_packets; }
  std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  static constexpr unsigned data_class = 3;

  dp::QueueRecord record_{};
  dp::EgressQueue queue_;
  dp::Random random_;
  std::array<contract::QueueCounters, contract::traffic_class_count> counters_{};
  std::uint64_t depth_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::vector<rte_mbuf*> left_;  // Left together; one is given at a time.
};

}  // namespace bench
