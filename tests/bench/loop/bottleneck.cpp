// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/loop/bottleneck.hpp"

#include <cmath>

namespace bench {

namespace {
constexpr std::uint8_t outer_ip = 14, inner_ip = 14 + 50;
}

Bottleneck::Bottleneck(const Curve& curve, std::uint64_t seed)
    : queue_(base::PortId{1}, base::WorkerId{0}, 1, UINT32_MAX), random_(seed) {
  const double ps_per_byte = 8e12 / curve.bps;
  record_.rate = {.cycles_per_byte = static_cast<std::uint64_t>(
                      std::llround(ps_per_byte * (1 << dp::cycles_per_byte_shift))),
                  .burst_cycles = static_cast<std::uint64_t>(ps_per_byte * 1500)};  // One frame.
  record_.class_of_dscp.fill(data_class);
  record_.class_of_kind.fill(dp::class_by_dscp);
  for (auto& one : record_.classes) {
    one = {.rate = {},
           .probability_per_byte = static_cast<std::uint64_t>(
               curve.pmax / (curve.kmax - curve.kmin) *
               static_cast<double>(std::uint64_t{1} << dp::probability_shift)),
           .kmin = curve.kmin,
           .kmax = curve.kmax,
           .buffer = curve.buffer,
           .mark = contract::MarkPlace::outer,
           .drop_not_ect = false,
           .mark_control = false,
           .reserved = 0};
  }
  queue_.use(record_, 1);
}

bool Bottleneck::enqueue(rte_mbuf* frame, Time now) {
  queue_.catch_up(record_, now, 1'000'000'000'000, counters_);
  const dp::QueuedFrame queued{.mbuf = frame,
                               .bytes = frame->pkt_len,
                               .outer_ip = outer_ip,
                               .inner_ip = inner_ip,
                               .traffic_class = data_class,
                               .control = false,
                               .epoch = 0,
                               .stage = 0};
  bool taken = true;
  queue_.enqueue({&queued, 1}, record_, counters_, [&](const dp::QueuedFrame&) { taken = false; });
  if (!taken) {
    ++lost_;
    rte_pktmbuf_free(frame);
    return false;
  }
  depth_ += frame->pkt_len;
  return true;
}

rte_mbuf* Bottleneck::dequeue(Time now) {
  if (left_.empty()) {
    const auto frames =
        queue_.dequeue(record_, now, random_, counters_, [](const dp::QueuedFrame&) {});
    for (const dp::QueuedFrame& frame : frames) left_.push_back(frame.mbuf);
    queue_.settle(static_cast<std::uint16_t>(frames.size()), record_, counters_);
  }
  if (left_.empty()) return nullptr;
  rte_mbuf* const frame = left_.front();
  left_.erase(left_.begin());
  depth_ -= frame->pkt_len;
  sent_bytes_ += frame->pkt_len;
  return frame;
}

}  // namespace bench
