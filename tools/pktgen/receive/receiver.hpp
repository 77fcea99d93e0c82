// SPDX-License-Identifier: Apache-2.0
// Judges received frames: is the ICRC right, what is missing, late or twice of each queue pair, who
// is marked, how long they took.
#pragma once

#include "tools/pktgen/generate/mix.hpp"
#include "tools/pktgen/measure/histogram.hpp"
#include "tools/pktgen/measure/psn_series.hpp"
#include "tools/pktgen/receive/counters.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace pktgen {

class Receiver {
 public:
  // Expects the queue pairs and first PSNs of the profile.
  explicit Receiver(const Profile& profile);

  // One frame, which was here at `now`.
  void take(std::span<const std::uint8_t> frame, Time now) noexcept;

  // What was sent last and did not come: PSNs up to these were sent. Once, after the last frame.
  void expect_ends(const std::vector<std::array<std::uint32_t, counted_series>>& ends) noexcept;

  const ReceiveCounters& counters() const noexcept { return counters_; }
  std::span<const FlowCounters> flows() const noexcept { return flows_; }
  const Histogram& latency_ns() const noexcept { return latency_ns_; }
  // Of the frames since it was last asked.
  Histogram take_recent_latency_ns() noexcept;

 private:
  void take_inner(std::span<const std::uint8_t> frame, std::size_t wire_bytes, Time now) noexcept;
  void take_sequence(FlowCounters& flow, PsnSeries& series, const RocePacket& packet) noexcept;
  void take_stamp(std::span<const std::uint8_t> payload, Time now) noexcept;

  std::uint32_t first_qp_;
  std::uint16_t pmtu_;
  ReceiveCounters counters_;
  std::vector<FlowCounters> flows_;
  std::vector<std::array<PsnSeries, counted_series>> series_;
  Histogram latency_ns_;
  Histogram recent_latency_ns_;
};

}  // namespace pktgen
