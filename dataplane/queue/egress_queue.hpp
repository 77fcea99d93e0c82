// SPDX-License-Identifier: Apache-2.0
// The egress queue of a port: up to eight traffic classes that wait for the port's rate, their own
// or the device, and tell of it by ECN. All but hand_over() is the home worker's.
//
//   other workers ─ hand_over ─► rings ─ take_over ─┐
//   the home worker ─────────────────── enqueue ─► classes ─ dequeue (scheduler, pacer, marker) ─►
//
// Time is the TSC's, given by the caller, so that tests can make it.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/queue/class_tally.hpp"
#include "dataplane/queue/frame_fifos.hpp"
#include "dataplane/queue/hand_over_ring.hpp"
#include "dataplane/queue/marker.hpp"
#include "dataplane/queue/pacer.hpp"
#include "dataplane/table/records.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dp {

// Counts depths; neighbours mostly are as deep as each other.
class DepthTally {
 public:
  void add(std::uint64_t depth, contract::QueueCounters& counters) noexcept {
    constexpr unsigned bits_below = 10;  // 1 KiB has 11 bits and is the first that is not below it.
    const auto bits = static_cast<unsigned>(std::bit_width(depth));
    const std::size_t slot = bits <= bits_below ? 0 : bits - bits_below;
    std::uint64_t* counter = &counters.depth_packets_at[std::min(slot, contract::depth_slots - 1)];
    if (counter != counter_) [[unlikely]] {  // Once a run.
      finish();
      counter_ = counter;
    }
    ++packets_;
  }
  void finish() noexcept {
    if (counter_ != nullptr) contract::add(*counter_, packets_);
    packets_ = 0;
  }

 private:
  std::uint64_t* counter_ = nullptr;
  std::uint32_t packets_ = 0;
};

// Of a queue that is being removed: what waits leaves as fast as the port takes it, class 7 last,
// into which all goes that comes meanwhile. So no frame overtakes an earlier one of its QP.
constexpr QueueRecord make_closing_record() noexcept {
  QueueRecord record{};
  constexpr std::uint8_t last = contract::traffic_class_count - 1;
  record.class_of_dscp.fill(last);
  record.class_of_kind.fill(last);
  record.strict_classes = (1u << last) - 1;
  for (QueueClassRecord& one : record.classes) {
    one.kmin = one.kmax = UINT32_MAX;
    one.buffer = contract::queue_buffer_max;
  }
  return record;
}
inline constexpr QueueRecord closing_record = make_closing_record();

class EgressQueue {
 public:
  // As many as leave the queue at once.
  static constexpr std::uint16_t departures_max = 32;

  // Holds at most `frames_max` frames, whatever their length: each takes a buffer of the pool that
  // all ports receive into.
  EgressQueue(base::PortId port, base::WorkerId home, std::uint32_t worker_count,
              std::uint32_t frames_max);
  // Frees what still waits.
  ~EgressQueue();
  EgressQueue(const EgressQueue&) = delete;
  EgressQueue& operator=(const EgressQueue&) = delete;

  base::PortId port() const noexcept { return port_; }
  base::WorkerId home() const noexcept { return home_; }
  bool has_other_workers() const noexcept { return rings_.size() > 1; }

  // What it is told from here on; before anything else of a turn in which it may be another.
  void use(const QueueRecord& record, base::Generation generation) noexcept;

  // Another worker. False: the ring is full, and the frame is still the caller's.
  bool hand_over(base::WorkerId from, const QueuedFrame& frame) noexcept {
    return rings_[from.value].push(frame);
  }

  // Any worker: frames of its own still wait here, so that later ones must not go another way.
  bool holds_frames_of(base::WorkerId worker) const noexcept {
    if (worker == home_) return !nothing_waits();
    // In this order: what has left the ring is waiting by then. Acquire pairs with the release in
    // take_over().
    return !rings_[worker.value].is_taken() || is_occupied_.load(std::memory_order_acquire);
  }

  // Takes frames out of the rings, as many as were there: `take` says what became of each.
  template <class Take>
  void take_over(Take&& take) noexcept {
    // Before a ring shows that they have left it; end_turn() takes it back.
    if (!is_occupied_.load(std::memory_order_relaxed) && rings_hold_frames()) {
      is_occupied_.store(true, std::memory_order_release);
    }
    for (HandOverRing& ring : rings_) {
      for (std::uint32_t left = ring.size(); left > 0; --left) take(ring.pop());
    }
  }
  // False: its class is full, and the frame is still the caller's.
  bool enqueue(const QueuedFrame& frame, const QueueRecord& record,
               QueueCounterSpan counters) noexcept {
    const unsigned traffic_class = frame.traffic_class;
    Class& its = classes_[traffic_class];
    if (its.bytes + frame.bytes > record.classes[traffic_class].buffer ||
        fifos_.total() >= frames_max_ || !fifos_.push(traffic_class, frame))
        [[unlikely]] {  // A congested network is the exception.
      contract::add(counters[traffic_class].full_dropped_packets, 1);
      return false;
    }
    its.bytes += frame.bytes;
    if (its.bytes > its.bytes_max) {
      its.bytes_max = its.bytes;
      has_new_max_ = true;
    }
    waiting_ |= 1u << traffic_class;
    return true;
  }

  // Nothing waits here, rings included.
  bool empty() const noexcept;
  // Rings not counted.
  bool nothing_waits() const noexcept { return waiting_ == 0 && left_over() == 0; }
  // Frames that wait; those in the rings are not the home's yet.
  std::uint32_t held() const noexcept;

  // May frames of `bytes` bytes in all, the largest of `largest`, pass without being enqueued? Then
  // they count for the rate. Only where nothing waits, no class has a rate and none would be
  // marked.
  bool let_pass(const QueueRecord& record, std::uint64_t now, std::uint64_t bytes,
                std::uint32_t largest) noexcept;

  // `bytes` of those that passed did not leave, after all.
  void take_back(const QueueRecord& record, std::uint64_t bytes) noexcept {
    if (Pacer::is_limited(record.rate)) pacer_.take_back(record.rate, bytes);
  }

  // Once a turn, before dequeue(). Counts for how long rates would have let a frame go that had to
  // wait for this worker, beyond what a burst makes up for.
  void catch_up(const QueueRecord& record, std::uint64_t now, std::uint64_t tsc_hz,
                QueueCounterSpan counters) noexcept;
  // The frames that may leave now, marked, in their order; none is forgotten before settle() says
  // how many of them the port took. `drop` gets those that die at the marker, which count as if
  // they left: none may be left over although more wait.
  template <class Drop>
  std::span<const QueuedFrame> dequeue(const QueueRecord& record, std::uint64_t now, Random& random,
                                       QueueCounterSpan counters, Drop&& drop) noexcept;
  // The first `taken` of them have left; the rest waits and goes first. The port may have put
  // copies in the place of `mbufs` before it refused them.
  void settle(std::uint16_t taken, std::span<rte_mbuf* const> mbufs, const QueueRecord& record,
              QueueCounterSpan counters) noexcept;
  // Any frame, whatever rate and marker say, as it was; mbuf is nullptr where none waits.
  QueuedFrame take_any() noexcept;

  // When a frame may leave, TSC cycles, its class, and how much of a pause would be made up for
  // then.
  struct Due {
    std::uint64_t at = UINT64_MAX;  // None waits, or those wait for the device.
    std::uint64_t burst_cycles = UINT64_MAX;
    unsigned traffic_class = 0;
  };
  Due next_due(const QueueRecord& record) const noexcept;
  // At the end of a turn: publishes depths, and says when a frame may leave next.
  std::uint64_t end_turn(const QueueRecord& record, QueueCounterSpan counters) noexcept;

 private:
  struct Class {
    Pacer pacer;
    std::uint64_t bytes = 0;  // That wait, rings not counted.
    std::uint64_t bytes_max = 0;
  };
  static constexpr unsigned class_count = contract::traffic_class_count;
  static constexpr unsigned no_class = class_count;

  bool rings_hold_frames() const noexcept;
  void publish(QueueCounterSpan counters) noexcept;
  std::uint64_t bytes_on_their_way(unsigned traffic_class) const noexcept;
  std::uint32_t due_classes(std::uint32_t classes, const QueueRecord& record,
                            std::uint64_t now) const noexcept;
  // Whose turn it is, of those whose own rate allows it; no_class: nobody's.
  unsigned choose(const QueueRecord& record, std::uint64_t now) const noexcept {
    std::uint32_t may_go = waiting_;
    if ((may_go & limited_classes_) != 0) [[unlikely]]  // Most classes have no rate of their own.
      may_go = due_classes(may_go, record, now);
    const auto strict = may_go & static_cast<std::uint32_t>(record.strict_classes);
    if (strict != 0) return static_cast<unsigned>(std::countr_zero(strict));
    if (may_go == 0) return no_class;
    const auto rotated =
        std::rotr(static_cast<std::uint8_t>(may_go), static_cast<int>(next_class_));
    return (next_class_ + static_cast<unsigned>(std::countr_zero(rotated))) % class_count;
  }
  void pass_turn(unsigned chosen, const QueueRecord& record) noexcept {
    if ((record.strict_classes >> chosen & 1) == 0) next_class_ = (chosen + 1) % class_count;
  }
  // The first of its class, which is `frame`.
  void drop_front(unsigned traffic_class, const QueuedFrame& frame) noexcept {
    fifos_.pop(traffic_class);
    fifos_.prefetch(traffic_class, 3);
    if (fifos_.size(traffic_class) == 0) waiting_ &= ~(1u << traffic_class);
    classes_[traffic_class].bytes -= frame.bytes;
  }
  std::span<const QueuedFrame> take_left_over(const QueueRecord& record) noexcept;
  void charge(const QueuedFrame& frame, const QueueRecord& record) noexcept {
    const unsigned i = frame.traffic_class;
    if ((limited_classes_ >> i & 1) != 0)
      classes_[i].pacer.sent(record.classes[i].rate, frame.bytes);
    if (Pacer::is_limited(record.rate)) pacer_.sent(record.rate, frame.bytes);
  }
  static void count_mark(MarkResult result, const QueuedFrame& frame,
                         contract::QueueCounters& counters) noexcept;
  std::uint16_t left_over() const noexcept {
    return static_cast<std::uint16_t>(departure_count_ - departed_);
  }

  base::PortId port_;
  base::WorkerId home_;
  std::uint32_t frames_max_;
  std::vector<HandOverRing> rings_;       // By worker; the home's own is never used.
  std::atomic<bool> is_occupied_{false};  // Frames of other workers may wait here.
  FrameFifos fifos_;
  std::array<Class, class_count> classes_;
  Pacer pacer_;
  unsigned next_class_ = 0;    // Whose turn it is among those that are not strict.
  std::uint32_t waiting_ = 0;  // Bit n: class n has frames in its FIFO.
  Due due_;                    // When the last turn ended.
  // What dequeue() gave last; the port has taken those before departed_.
  std::array<QueuedFrame, departures_max> departures_;
  std::uint16_t departure_count_ = 0;
  std::uint16_t departed_ = 0;
  bool published_empty_ = false;
  bool has_new_max_ = false;
  // Of what use() was told last.
  base::Generation generation_ = 0;
  std::uint32_t limited_classes_ = 0;  // Bit n: class n has a rate of its own.
  std::uint32_t never_marked_bytes_ = 0;
};

template <class Drop>
std::span<const QueuedFrame> EgressQueue::dequeue(const QueueRecord& record, std::uint64_t now,
                                                  Random& random, QueueCounterSpan counters,
                                                  Drop&& drop) noexcept {
  if (left_over() > 0) return take_left_over(record);
  departed_ = departure_count_ = 0;
  // What other workers have handed over since is part of the queue.
  std::array<std::uint64_t, class_count> on_their_way;
  for (std::uint32_t left = waiting_; left != 0; left &= left - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(left));
    on_their_way[i] = bytes_on_their_way(i);
  }
  const bool is_limited = Pacer::is_limited(record.rate);
  DepthTally depths;

  std::uint16_t died = 0;

  while (departure_count_ + died < departures_max && waiting_ != 0) {
    const unsigned chosen = choose(record, now);
    if (chosen == no_class) break;
    const QueuedFrame frame = fifos_.front(chosen);
    // No smaller frame overtakes one that waits for the port's rate.
    if (is_limited && pacer_.due_frame(record.rate, frame.bytes) > now) break;
    const QueueClassRecord& rules = record.classes[chosen];
    const std::uint64_t depth = classes_[chosen].bytes + on_their_way[chosen];
    pass_turn(chosen, record);
    drop_front(chosen, frame);
    if (const std::uint64_t probability = mark_probability(rules, depth); probability != 0) {
      contract::add(counters[chosen].mark_probability_ppm, in_millionths(probability));
      if (is_to_mark(probability, random)) {
        const MarkResult result = mark(frame, rules);
        count_mark(result, frame, counters[chosen]);
        if (result == MarkResult::drop) {
          drop(frame);
          ++died;
          continue;
        }
      }
    }
    depths.add(depth, counters[chosen]);
    charge(frame, record);
    departures_[departure_count_++] = frame;
  }
  depths.finish();
  return std::span(departures_).first(departure_count_);
}

}  // namespace dp
