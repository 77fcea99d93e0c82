// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/egress_queue.hpp"

#include "dataplane/packet/owned_mbuf.hpp"

#include <algorithm>
#include <limits>

namespace dp {

EgressQueue::EgressQueue(base::PortId port, base::WorkerId home, std::uint32_t worker_count,
                         std::uint32_t frames_max)
    : port_(port), home_(home), frames_max_(frames_max), rings_(worker_count) {}

EgressQueue::~EgressQueue() {
  for (QueuedFrame frame = take_any(); frame.mbuf != nullptr; frame = take_any()) {
    const OwnedMbuf freed(frame.mbuf);
  }
  take_over([](const QueuedFrame& frame) { const OwnedMbuf freed(frame.mbuf); });
}

bool EgressQueue::rings_hold_frames() const noexcept {
  return std::ranges::any_of(rings_, [](const HandOverRing& ring) { return ring.size() != 0; });
}

bool EgressQueue::empty() const noexcept {
  return nothing_waits() && !rings_hold_frames();
}

std::uint32_t EgressQueue::held() const noexcept {
  std::uint32_t frames = left_over();
  for (unsigned i = 0; i < class_count; ++i) frames += fifos_.size(i);
  return frames;
}

void EgressQueue::use(const QueueRecord& record, base::Generation generation) noexcept {
  if (generation == generation_) return;
  generation_ = generation;
  limited_classes_ = 0;
  never_marked_bytes_ = std::numeric_limits<std::uint32_t>::max();
  for (unsigned i = 0; i < class_count; ++i) {
    const QueueClassRecord& one = record.classes[i];
    if (Pacer::is_limited(one.rate)) limited_classes_ |= 1u << i;
    never_marked_bytes_ = std::min({never_marked_bytes_, one.kmin, one.buffer});
  }
}

bool EgressQueue::let_pass(const QueueRecord& record, std::uint64_t now, std::uint64_t bytes,
                           std::uint32_t largest) noexcept {
  if (!empty()) return false;
  if (limited_classes_ != 0 || largest > never_marked_bytes_) return false;
  if (!Pacer::is_limited(record.rate)) return true;
  pacer_.catch_up(record.rate, now);
  if (pacer_.due(record.rate, bytes) > now) return false;
  pacer_.sent(record.rate, bytes);
  return true;
}

void EgressQueue::catch_up(const QueueRecord& record, std::uint64_t now, std::uint64_t tsc_hz,
                           QueueCounterSpan counters) noexcept {
  if (now > due_.at && now - due_.at > due_.burst_cycles) {
    const auto late = static_cast<double>(now - due_.at - due_.burst_cycles);
    contract::add(counters[due_.traffic_class].late_ns,
                  static_cast<std::uint64_t>(late * 1e9 / static_cast<double>(tsc_hz)));
  }
  due_ = {};
  pacer_.catch_up(record.rate, now);
  for (unsigned i = 0; i < class_count; ++i) {
    classes_[i].pacer.catch_up(record.classes[i].rate, now);
  }
}

// Those of `classes` whose own rate lets their first frame go.
std::uint32_t EgressQueue::due_classes(std::uint32_t classes, const QueueRecord& record,
                                       std::uint64_t now) const noexcept {
  for (std::uint32_t left = classes & limited_classes_; left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    if (classes_[i].pacer.due_frame(record.classes[i].rate, fifos_.front(i).bytes) > now) {
      classes &= ~(1u << i);
    }
  }
  return classes;
}

std::span<const QueuedFrame> EgressQueue::take_left_over(const QueueRecord& record) noexcept {
  const auto frames = std::span(departures_).subspan(departed_, left_over());
  for (const QueuedFrame& frame : frames) {
    classes_[frame.traffic_class].bytes -= frame.bytes;
    charge(frame, record);
  }
  return frames;
}

void EgressQueue::settle(std::uint16_t taken, std::span<rte_mbuf* const> mbufs,
                         const QueueRecord& record, QueueCounterSpan counters) noexcept {
  ClassTally tally;
  const auto frames = std::span(departures_).subspan(departed_, left_over());
  for (const QueuedFrame& frame : frames.first(taken)) {
    tally.add(frame.traffic_class, frame.bytes);
  }
  tally.finish();
  tally.count(counters, /*waited=*/true);
  for (std::size_t i = taken; i < frames.size(); ++i) {
    QueuedFrame& frame = frames[i];
    frame.mbuf = mbufs[i];
    Class& its = classes_[frame.traffic_class];
    its.bytes += frame.bytes;
    const RateRecord& rate = record.classes[frame.traffic_class].rate;
    if (Pacer::is_limited(rate)) its.pacer.take_back(rate, frame.bytes);
    take_back(record, frame.bytes);
  }
  departed_ = static_cast<std::uint16_t>(departed_ + taken);
}

QueuedFrame EgressQueue::take_any() noexcept {
  if (left_over() > 0) {
    const QueuedFrame frame = departures_[departed_++];
    classes_[frame.traffic_class].bytes -= frame.bytes;
    return frame;
  }
  if (waiting_ == 0) return {};
  const auto first = static_cast<unsigned>(std::countr_zero(waiting_));
  const QueuedFrame frame = fifos_.front(first);
  drop_front(first, frame);
  return frame;
}

EgressQueue::Due EgressQueue::next_due(const QueueRecord& record) const noexcept {
  Due soonest;
  if (left_over() > 0) return soonest;
  for (std::uint32_t left = waiting_; left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    const std::uint32_t bytes = fifos_.front(i).bytes;
    Due due{.at = 0, .traffic_class = i};
    const auto wait_for = [&](const Pacer& pacer, const RateRecord& rate) {
      if (!Pacer::is_limited(rate)) return;
      due.at = std::max(due.at, pacer.due_frame(rate, bytes));
      due.burst_cycles = std::min(due.burst_cycles, rate.burst_cycles);
    };
    wait_for(pacer_, record.rate);
    wait_for(classes_[i].pacer, record.classes[i].rate);
    if (due.at < soonest.at) soonest = due;
  }
  return soonest;
}

std::uint64_t EgressQueue::end_turn(const QueueRecord& record, QueueCounterSpan counters) noexcept {
  publish(counters);
  if (nothing_waits() && is_occupied_.load(std::memory_order_relaxed)) {
    is_occupied_.store(false, std::memory_order_release);
  }
  due_ = next_due(record);
  return due_.at;
}

std::uint64_t EgressQueue::bytes_on_their_way(unsigned traffic_class) const noexcept {
  std::uint64_t bytes = 0;
  for (const HandOverRing& ring : rings_) bytes += ring.bytes(traffic_class);
  return bytes;
}

void EgressQueue::publish(QueueCounterSpan counters) noexcept {
  const bool is_empty = empty();
  if (is_empty && published_empty_ && !has_new_max_) return;
  has_new_max_ = false;
  published_empty_ = is_empty;
  std::array<std::uint32_t, class_count> packets;
  for (unsigned i = 0; i < class_count; ++i) packets[i] = fifos_.size(i);
  for (std::uint16_t i = departed_; i < departure_count_; ++i) {
    ++packets[departures_[i].traffic_class];
  }
  for (unsigned i = 0; i < class_count; ++i) {
    Class& its = classes_[i];
    const std::uint64_t bytes = its.bytes + bytes_on_their_way(i);
    its.bytes_max = std::max(its.bytes_max, bytes);
    contract::set(counters[i].depth_bytes, bytes);
    contract::set(counters[i].depth_bytes_max, its.bytes_max);
    contract::set(counters[i].depth_packets, packets[i]);
  }
}

void EgressQueue::count_mark(MarkResult result, const QueuedFrame& frame,
                             contract::QueueCounters& counters) noexcept {
  switch (result) {
    case MarkResult::marked:
      contract::add(counters.marked_packets, 1);
      contract::add(counters.marked_bytes, frame.bytes);
      break;
    case MarkResult::marked_before: contract::add(counters.marked_before_packets, 1); break;
    case MarkResult::not_ect: contract::add(counters.not_ect_packets, 1); break;
    case MarkResult::exempt: contract::add(counters.exempt_packets, 1); break;
    case MarkResult::drop: contract::add(counters.marker_dropped_packets, 1); break;
  }
}

}  // namespace dp
