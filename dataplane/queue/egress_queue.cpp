// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/egress_queue.hpp"

#include "dataplane/packet/owned_mbuf.hpp"

#include <rte_prefetch.h>

#include <algorithm>
#include <limits>

namespace dp {
namespace {

// Of QueueCounters::depth_packets_at.
std::size_t depth_slot(std::uint64_t depth) noexcept {
  constexpr unsigned bits_below = 10;  // 1 KiB has 11 bits and is the first that is not below it.
  const auto bits = static_cast<unsigned>(std::bit_width(depth));
  return std::min<std::size_t>(bits <= bits_below ? 0 : bits - bits_below,
                               contract::depth_slots - 1);
}

}  // namespace

EgressQueue::EgressQueue(base::PortId port, base::WorkerId home, std::uint32_t worker_count,
                         std::uint32_t frames_max)
    : port_(port),
      home_(home),
      frames_max_(std::min(frames_max, class_count * FrameFifos::frames_max)),
      rings_(worker_count),
      fifos_(frames_max_) {}

EgressQueue::~EgressQueue() {
  for (QueuedFrame frame = take_any(); frame.mbuf != nullptr; frame = take_any()) {
    const OwnedMbuf freed(frame.mbuf);
  }
  take_over([](std::span<const QueuedFrame> frames) {
    for (const QueuedFrame& frame : frames) const OwnedMbuf freed(frame.mbuf);
  });
}

bool EgressQueue::rings_hold_frames() const noexcept {
  return std::ranges::any_of(rings_, [](const HandOverRing& ring) { return ring.size() != 0; });
}

bool EgressQueue::empty() const noexcept {
  return nothing_waits() && !rings_hold_frames();
}

std::uint32_t EgressQueue::held() const noexcept {
  return left_over() + fifos_.total();
}

void EgressQueue::use(const QueueRecord& record, base::Generation generation) noexcept {
  if (generation == generation_) return;
  // What was in force in between is not known here, but frames may have come by it.
  const bool missed_some = generation != generation_ + 1;
  generation_ = generation;
  limited_classes_ = 0;
  never_marked_bytes_ = std::numeric_limits<std::uint32_t>::max();
  for (unsigned i = 0; i < class_count; ++i) {
    const QueueClassRecord& one = record.classes[i];
    if (Pacer::is_limited(one.rate)) limited_classes_ |= 1u << i;
    never_marked_bytes_ = std::min({never_marked_bytes_, one.kmin, one.buffer});
  }
  if (record.epoch != epoch_) {
    if (empty()) gaining_classes_ = 0;
    if (missed_some) gaining_classes_ = all_classes;
    const auto note_moves = [this](const auto& before, const auto& after) {
      for (std::size_t i = 0; i < before.size(); ++i) {
        if (after[i] == before[i]) continue;
        gaining_classes_ |= after[i] == class_by_dscp ? all_classes : std::uint64_t{1} << after[i];
      }
    };
    note_moves(class_of_dscp_, record.class_of_dscp);
    note_moves(class_of_kind_, record.class_of_kind);
    epoch_ = record.epoch;
  }
  class_of_dscp_ = record.class_of_dscp;
  class_of_kind_ = record.class_of_kind;
}

unsigned EgressQueue::oldest_list_of(unsigned traffic_class) const noexcept {
  for (unsigned epoch = epoch_ + 2; epoch < epoch_ + epochs_kept; ++epoch) {
    const unsigned list = list_of(traffic_class, epoch);
    if ((waiting_ >> list & 1) != 0) return list;
  }
  const unsigned current = list_of(traffic_class, epoch_);
  return (waiting_ >> current & 1) != 0 ? current : list_of(traffic_class, epoch_ + 1);
}

std::uint32_t EgressQueue::eligible_of_all_epochs() const noexcept {
  std::uint64_t classes = 0;
  std::uint64_t seen = 0;
  // From the oldest one, modulo epochs_kept, to that in force.
  for (unsigned epoch = epoch_ + 2; epoch <= epoch_ + epochs_kept; ++epoch) {
    const std::uint64_t waiting = waiting_ >> list_of(0, epoch) & all_classes;
    const std::uint64_t first = waiting & ~seen;
    classes |= seen == 0 ? first : first & ~gaining_classes_;
    seen |= waiting;
  }
  // What moves in the next one is not known here yet.
  if (seen == 0) classes = waiting_ >> list_of(0, epoch_ + 1) & all_classes;
  return static_cast<std::uint32_t>(classes);
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
  for (std::uint32_t left = limited_classes_; left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    classes_[i].pacer.catch_up(record.classes[i].rate, now);
  }
}

// Those of `classes` whose own rate lets their first frame go.
std::uint32_t EgressQueue::due_classes(std::uint32_t classes, const QueueRecord& record,
                                       std::uint64_t now) const noexcept {
  for (std::uint32_t left = classes & limited_classes_; left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    if (classes_[i].pacer.due_frame(record.classes[i].rate, first_of(i).bytes) > now) {
      classes &= ~(1u << i);
    }
  }
  return classes;
}

std::span<const QueuedFrame> EgressQueue::take_left_over(const QueueRecord& record) noexcept {
  const auto frames = std::span(departures_).subspan(departed_, left_over());
  departing_ = {};
  for (const QueuedFrame& frame : frames) {
    departing_.add_run(frame.traffic_class, 1, frame.bytes);
    classes_[frame.traffic_class].bytes -= frame.bytes;
    charge(frame, record);
  }
  return frames;
}

std::uint64_t EgressQueue::settle(std::uint16_t taken, const QueueRecord& record,
                                  QueueCounterSpan counters) noexcept {
  for (std::uint16_t i = departed_ + taken; i < departure_count_; ++i) {
    QueuedFrame& frame = departures_[i];
    frame.mbuf = mbufs_[i];
    departing_.take_back(frame.traffic_class, frame.bytes);
    Class& its = classes_[frame.traffic_class];
    its.bytes += frame.bytes;
    const RateRecord& rate = record.classes[frame.traffic_class].rate;
    if (Pacer::is_limited(rate)) its.pacer.take_back(rate, frame.bytes);
    take_back(record, frame.bytes);
  }
  departing_.count(counters, /*waited=*/true);
  departed_ = static_cast<std::uint16_t>(departed_ + taken);
  return departing_.bytes();
}

QueuedFrame EgressQueue::take_any() noexcept {
  if (left_over() > 0) {
    const QueuedFrame frame = departures_[departed_++];
    classes_[frame.traffic_class].bytes -= frame.bytes;
    return frame;
  }
  if (waiting_ == 0) return {};
  const auto first = static_cast<unsigned>(std::countr_zero(waiting_));  // A list.
  const QueuedFrame frame = fifos_.front(first).front();
  drop_front(first, 1, frame.bytes);
  return frame;
}

EgressQueue::Due EgressQueue::next_due(const QueueRecord& record) const noexcept {
  Due soonest;
  if (left_over() > 0 || waiting_ == 0) return soonest;
  for (std::uint32_t left = eligible(); left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    const std::uint32_t bytes = first_of(i).bytes;
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
  for (unsigned i = 0; i < class_count; ++i) packets[i] = classes_[i].frames;
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

void EgressQueue::count_depths(unsigned first, std::uint64_t depth, std::uint64_t bytes,
                               contract::QueueCounters& counters) const noexcept {
  if (first == departure_count_) return;
  const std::uint64_t depth_of_last = depth - bytes + departures_[departure_count_ - 1].bytes;
  const std::size_t slot = depth_slot(depth);
  if (depth_slot(depth_of_last) == slot) {  // Neighbours mostly are as deep as each other.
    contract::add(counters.depth_packets_at[slot], departure_count_ - first);
    return;
  }
  for (unsigned place = first; place < departure_count_; ++place) {
    contract::add(counters.depth_packets_at[depth_slot(depth)], 1);
    depth -= departures_[place].bytes;
  }
}

EgressQueue::ToMark EgressQueue::choose_marks(unsigned first, std::uint64_t depth,
                                              const QueueClassRecord& rules, Random& random,
                                              contract::QueueCounters& counters) const noexcept {
  ToMark chosen;
  Random draws = random;  // A copy stays in registers.
  std::uint64_t probabilities = 0;
  for (unsigned place = first; place < departure_count_; ++place) {
    const std::uint64_t probability = mark_probability(rules, depth);
    probabilities += probability;
    chosen.add_if(is_to_mark(probability, draws), place);
    depth -= departures_[place].bytes;
  }
  random = draws;
  contract::add(counters.mark_probability_ppm, in_millionths(probabilities));
  return chosen;
}

std::uint64_t EgressQueue::mark_departures(unsigned first, std::uint64_t depth,
                                           const QueueClassRecord& rules, Random& random,
                                           contract::QueueCounters& counters) noexcept {
  static_assert(departures_max <= 64, "one bit each");
  const ToMark to_mark = choose_marks(first, depth, rules, random, counters);
  const auto places = std::span(to_mark.places).first(to_mark.count);
  for (const std::uint8_t place : places) {
    rte_prefetch0(rte_pktmbuf_mtod(departures_[place].mbuf, const std::uint8_t*));
  }
  std::uint64_t dead = 0;
  for (const std::uint8_t place : places) {
    const MarkResult result = mark(departures_[place], rules);
    count_mark(result, departures_[place], counters);
    if (result == MarkResult::drop) dead |= std::uint64_t{1} << place;
  }
  return dead;
}

std::uint64_t EgressQueue::forget_dead(std::uint64_t dead) noexcept {
  std::uint64_t bytes = 0;
  std::uint16_t alive = 0;
  for (std::uint16_t i = 0; i < departure_count_; ++i) {
    if ((dead >> i & 1) != 0) {
      bytes += departures_[i].bytes;
      continue;
    }
    departures_[alive] = departures_[i];
    mbufs_[alive++] = mbufs_[i];
  }
  departure_count_ = alive;
  return bytes;
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
