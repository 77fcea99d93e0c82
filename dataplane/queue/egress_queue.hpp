// SPDX-License-Identifier: Apache-2.0
// The egress queue of a port: up to eight traffic classes that wait for the port's rate, their own
// or the device, and tell of it by ECN. All but hand_over() is the home worker's.
//
//   other workers ─ hand_over ─► rings ─ take_over ─┐
//   the home worker ─────────────────── enqueue ─► classes ─ dequeue (scheduler, pacer, marker) ─►
//
// Time is the TSC's, given by the caller, so that tests can make it.
//
// Each class has a list for each of the last epochs (QueueRecord). Those that a DSCP or kind moved
// to wait until no frame of an earlier epoch does; the others go on.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/queue/bell.hpp"
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
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dp {

class EgressQueue {
 public:
  // As many as leave the queue at once.
  static constexpr std::uint16_t departures_max = 64;

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
  // Of the home worker, which outlives its use here; before any worker has the queue.
  void ring_at_home(Bell& bell) noexcept { bell_ = &bell; }

  // What it is told from here on; before anything else of a turn in which it may be another.
  void use(const QueueRecord& record, base::Generation generation) noexcept;

  // Another worker. As many as its ring has room for, which it says; the rest is still the
  // caller's.
  std::uint32_t hand_over(base::WorkerId from, std::span<const QueuedFrame> frames) noexcept {
    const std::uint32_t taken = rings_[from.value].push(frames);
    if (bell_ != nullptr) bell_->ring();
    return taken;
  }

  // Any worker: frames of its own still wait here, so that later ones must not go another way.
  bool holds_frames_of(base::WorkerId worker) const noexcept {
    if (worker == home_) return !nothing_waits();
    // In this order: what has left the ring is waiting by then. Acquire pairs with the release in
    // take_over().
    return !rings_[worker.value].is_taken() || is_occupied_.load(std::memory_order_acquire);
  }

  // Takes frames out of the rings, as many as were there: `take` gets them some at a time.
  template <class Take>
  void take_over(Take&& take) noexcept {
    for (HandOverRing& ring : rings_) {
      for (std::uint32_t left = ring.size(); left > 0;) {
        // Before the ring shows that they have left it; end_turn() takes it back.
        if (!is_occupied_.load(std::memory_order_relaxed)) {
          is_occupied_.store(true, std::memory_order_release);
        }
        const std::span<const QueuedFrame> frames = ring.front(left);
        take(frames);
        ring.pop(static_cast<std::uint32_t>(frames.size()));
        left -= static_cast<std::uint32_t>(frames.size());
      }
    }
  }
  // `refuse` gets those whose class is full; they are still the caller's.
  template <class Refuse>
  void enqueue(std::span<const QueuedFrame> frames, const QueueRecord& record,
               QueueCounterSpan counters, Refuse&& refuse) noexcept;

  // Nothing waits here, rings included.
  bool empty() const noexcept;
  // Nor has end_turn() anything to say that it has not said: a turn may leave it out.
  bool is_at_rest() const noexcept {
    return published_empty_ && !has_new_max_ && due_.at == UINT64_MAX && empty() &&
           !is_occupied_.load(std::memory_order_relaxed);
  }
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
  // The same frames, for the port, which may put copies in their place before it refuses them.
  std::span<rte_mbuf*> mbufs_to_send() noexcept {
    return std::span(mbufs_).subspan(departed_, left_over());
  }
  // The first `taken` of them have left; the rest waits and goes first. Says how many bytes left.
  std::uint64_t settle(std::uint16_t taken, const QueueRecord& record,
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
    std::uint32_t frames = 0;  // In its lists.
  };
  static constexpr unsigned class_count = contract::traffic_class_count;
  static constexpr unsigned no_class = class_count;
  static constexpr std::uint64_t all_classes = (1u << class_count) - 1;
  // Six before the one in force and, from workers that are ahead of this one, the next one.
  static constexpr unsigned epochs_kept = FrameFifos::list_count / class_count;

  bool rings_hold_frames() const noexcept;
  void publish(QueueCounterSpan counters) noexcept;
  std::uint64_t bytes_on_their_way(unsigned traffic_class) const noexcept;
  std::uint32_t due_classes(std::uint32_t classes, const QueueRecord& record,
                            std::uint64_t now) const noexcept;
  // The list of a class and epoch; its bit in waiting_.
  static constexpr unsigned list_of(unsigned traffic_class, unsigned epoch) noexcept {
    return epoch % epochs_kept * class_count + traffic_class;
  }
  // Its oldest list with frames, of a class that has some.
  unsigned oldest_list_of(unsigned traffic_class) const noexcept;
  // Classes whose first frame has to wait for no other epoch's, one bit each.
  std::uint32_t eligible() const noexcept {
    const unsigned current = list_of(0, epoch_);
    const std::uint64_t classes = waiting_ >> current & all_classes;
    if (waiting_ != classes << current) [[unlikely]]  // Classes are set up once.
      return eligible_of_all_epochs();
    return static_cast<std::uint32_t>(classes);
  }
  std::uint32_t eligible_of_all_epochs() const noexcept;
  const QueuedFrame& first_of(unsigned traffic_class) const noexcept {
    return fifos_.front(oldest_list_of(traffic_class)).front();
  }

  struct Turn {
    unsigned traffic_class;  // no_class: nobody's.
    bool may_stay;           // It has the next one, too, as long as frames of it wait.
  };
  // Whose turn it is, of those whose own rate allows it.
  Turn choose(const QueueRecord& record, std::uint64_t now) const noexcept {
    std::uint32_t may_go = eligible();
    if ((may_go & limited_classes_) != 0) [[unlikely]]  // Most classes have no rate of their own.
      may_go = due_classes(may_go, record, now);
    if (may_go == 0) return {.traffic_class = no_class, .may_stay = false};
    const auto strict = may_go & record.strict_classes;
    const bool may_stay = limited_classes_ == 0 && (strict != 0 || std::has_single_bit(may_go));
    if (strict != 0) {
      return {.traffic_class = static_cast<unsigned>(std::countr_zero(strict)),
              .may_stay = may_stay};
    }
    const auto rotated =
        std::rotr(static_cast<std::uint8_t>(may_go), static_cast<int>(next_class_));
    const unsigned next = next_class_ + static_cast<unsigned>(std::countr_zero(rotated));
    return {.traffic_class = next % class_count, .may_stay = may_stay};
  }
  void pass_turn(unsigned chosen, const QueueRecord& record) noexcept {
    if ((record.strict_classes >> chosen & 1) == 0) next_class_ = (chosen + 1) % class_count;
  }
  bool has_room(unsigned traffic_class, std::size_t frames, std::uint64_t bytes,
                const QueueRecord& record) const noexcept {
    const Class& its = classes_[traffic_class];
    return its.bytes + bytes <= record.classes[traffic_class].buffer &&
           its.frames + frames <= FrameFifos::frames_max && fifos_.total() + frames <= frames_max_;
  }
  // All of one class and epoch, and there is room.
  void put(std::span<const QueuedFrame> frames, std::uint64_t bytes) noexcept {
    const unsigned traffic_class = frames.front().traffic_class;
    const unsigned list = list_of(traffic_class, frames.front().epoch);
    Class& its = classes_[traffic_class];
    (void)fifos_.push(list, frames);
    its.frames += static_cast<std::uint32_t>(frames.size());
    its.bytes += bytes;
    if (its.bytes > its.bytes_max) {
      its.bytes_max = its.bytes;
      has_new_max_ = true;
    }
    waiting_ |= std::uint64_t{1} << list;
  }
  // The first `count` of the list, of `bytes` in all.
  void drop_front(unsigned list, std::uint32_t count, std::uint64_t bytes) noexcept {
    fifos_.pop(list, count);
    if (fifos_.size(list) == 0) waiting_ &= ~(std::uint64_t{1} << list);
    Class& its = classes_[list % class_count];
    its.frames -= count;
    its.bytes -= bytes;
  }
  // What became of the frames whose turn it was.
  struct Departure {
    std::uint16_t died;  // At the marker.
    bool wait_for_rate;  // The next one has to wait for the port's.
  };
  // Up to `room` frames of one class, as many as lie side by side.
  template <class Drop>
  Departure depart(unsigned traffic_class, std::size_t room, const QueueRecord& record,
                   std::uint64_t now, Random& random, QueueCounterSpan counters,
                   Drop&& drop) noexcept;
  std::span<const QueuedFrame> take_left_over(const QueueRecord& record) noexcept;
  void charge(const QueuedFrame& frame, const QueueRecord& record) noexcept {
    const unsigned i = frame.traffic_class;
    if ((limited_classes_ >> i & 1) != 0)
      classes_[i].pacer.sent(record.classes[i].rate, frame.bytes);
    if (Pacer::is_limited(record.rate)) pacer_.sent(record.rate, frame.bytes);
  }
  // The departures from `first` on, of `bytes` in all, which left `depth` bytes of their class.
  void count_depths(unsigned first, std::uint64_t depth, std::uint64_t bytes,
                    contract::QueueCounters& counters) const noexcept;
  // Departures that have been chosen; whether one is is not predictable, so nothing branches on it.
  struct ToMark {
    std::array<std::uint8_t, departures_max> places;
    unsigned count = 0;
    void add_if(bool is, unsigned place) noexcept {
      places[count] = static_cast<std::uint8_t>(place);
      count += is ? 1 : 0;
    }
  };
  ToMark choose_marks(unsigned first, std::uint64_t depth, const QueueClassRecord& rules,
                      Random& random, contract::QueueCounters& counters) const noexcept;
  // The same departures. Says which die of it, one bit each.
  std::uint64_t mark_departures(unsigned first, std::uint64_t depth, const QueueClassRecord& rules,
                                Random& random, contract::QueueCounters& counters) noexcept;
  // Says how many bytes they had.
  std::uint64_t forget_dead(std::uint64_t dead) noexcept;
  static void count_mark(MarkResult result, const QueuedFrame& frame,
                         contract::QueueCounters& counters) noexcept;
  std::uint16_t left_over() const noexcept {
    return static_cast<std::uint16_t>(departure_count_ - departed_);
  }

  base::PortId port_;
  base::WorkerId home_;
  Bell* bell_ = nullptr;  // The home's; nullptr: it never sleeps.
  std::uint32_t frames_max_;
  std::vector<HandOverRing> rings_;  // By worker; the home's own is never used.
  // From here on the home's. A line of its own: whoever hands over reads what stands before, with
  // every burst.
  alignas(64) std::atomic<bool> is_occupied_{false};  // Frames of other workers may wait here.
  FrameFifos fifos_;
  std::array<Class, class_count> classes_;
  Pacer pacer_;
  unsigned next_class_ = 0;    // Whose turn it is among those that are not strict.
  std::uint64_t waiting_ = 0;  // Bit n: list n has frames.
  Due due_;                    // When the last turn ended.
  // What dequeue() gave last; the port has taken those before departed_.
  std::array<QueuedFrame, departures_max> departures_;
  std::array<rte_mbuf*, departures_max> mbufs_;  // Theirs, as the port is given them.
  ClassTally departing_;                         // All that are left of them.
  std::uint16_t departure_count_ = 0;
  std::uint16_t departed_ = 0;
  bool published_empty_ = false;
  bool has_new_max_ = false;
  // Of what use() was told last.
  base::Generation generation_ = 0;
  std::uint8_t epoch_ = 0;
  std::uint32_t limited_classes_ = 0;  // Bit n: class n has a rate of its own.
  // Bit n: something may have moved to class n since the queue was empty.
  std::uint64_t gaining_classes_ = 0;
  decltype(QueueRecord::class_of_dscp) class_of_dscp_{};
  decltype(QueueRecord::class_of_kind) class_of_kind_{};
  std::uint32_t never_marked_bytes_ = 0;
};

template <class Refuse>
void EgressQueue::enqueue(std::span<const QueuedFrame> frames, const QueueRecord& record,
                          QueueCounterSpan counters, Refuse&& refuse) noexcept {
  while (!frames.empty()) {
    const unsigned traffic_class = frames.front().traffic_class;
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    const std::uint8_t epoch = frames.front().epoch;
    while (count < frames.size() && frames[count].traffic_class == traffic_class &&
           frames[count].epoch == epoch) {
      bytes += frames[count++].bytes;
    }
    if (has_room(traffic_class, count, bytes, record)) [[likely]] {
      put(frames.first(count), bytes);
    } else {
      for (const QueuedFrame& frame : frames.first(count)) {
        if (has_room(traffic_class, 1, frame.bytes, record)) {
          put({&frame, 1}, frame.bytes);
        } else {
          contract::add(counters[traffic_class].full_dropped_packets, 1);
          refuse(frame);
        }
      }
    }
    frames = frames.subspan(count);
  }
}

template <class Drop>
std::span<const QueuedFrame> EgressQueue::dequeue(const QueueRecord& record, std::uint64_t now,
                                                  Random& random, QueueCounterSpan counters,
                                                  Drop&& drop) noexcept {
  if (left_over() > 0) return take_left_over(record);
  departed_ = departure_count_ = 0;
  departing_ = {};
  std::size_t room = departures_max;
  while (room > 0) {
    const Turn turn = choose(record, now);
    if (turn.traffic_class == no_class) break;
    const std::uint16_t before = departure_count_;
    const Departure departure =
        depart(turn.traffic_class, turn.may_stay ? room : 1, record, now, random, counters, drop);
    const unsigned left = departure_count_ - before + departure.died;
    if (left != 0) pass_turn(turn.traffic_class, record);
    room -= left;
    if (departure.wait_for_rate) break;
  }
  return std::span(departures_).first(departure_count_);
}

template <class Drop>
EgressQueue::Departure EgressQueue::depart(unsigned traffic_class, std::size_t room,
                                           const QueueRecord& record, std::uint64_t now,
                                           Random& random, QueueCounterSpan counters,
                                           Drop&& drop) noexcept {
  const QueueClassRecord& rules = record.classes[traffic_class];
  contract::QueueCounters& counted = counters[traffic_class];
  const unsigned list = oldest_list_of(traffic_class);
  std::span<const QueuedFrame> frames = fifos_.front(list);
  if (frames.size() > room) frames = frames.first(room);
  // No smaller frame overtakes one that waits for the port's rate.
  const RateRecord rate = record.rate;
  const std::uint64_t due_until = Pacer::is_limited(rate) ? now : UINT64_MAX;
  // What other workers have handed over since is part of the queue.
  const std::uint64_t depth = classes_[traffic_class].bytes + bytes_on_their_way(traffic_class);
  Pacer pacer = pacer_;  // A copy stays in registers, as no frame can lie in it.
  std::uint64_t bytes = 0;
  std::size_t i = 0;
  for (; i < frames.size(); ++i) {
    const std::uint32_t frame_bytes = frames[i].bytes;
    if (pacer.due_frame(rate, frame_bytes) > due_until) break;
    pacer.sent(rate, frame_bytes);
    bytes += frame_bytes;
    departures_[departure_count_ + i] = frames[i];
    mbufs_[departure_count_ + i] = frames[i].mbuf;
  }
  pacer_ = pacer;
  drop_front(list, static_cast<std::uint32_t>(i), bytes);
  const auto first = departure_count_;
  departure_count_ += static_cast<std::uint16_t>(i);
  Departure departure{.died = 0, .wait_for_rate = i < frames.size()};
  count_depths(first, depth, bytes, counted);
  if (depth > rules.kmin) {
    const std::uint64_t dead = mark_departures(first, depth, rules, random, counted);
    if (dead != 0) [[unlikely]] {  // Senders without ECN are the exception.
      for (std::uint64_t left = dead; left != 0; left &= left - 1) {
        drop(departures_[static_cast<unsigned>(std::countr_zero(left))]);
      }
      const std::uint64_t dead_bytes = forget_dead(dead);
      pacer_.take_back(rate, dead_bytes);
      bytes -= dead_bytes;
      departure.died = static_cast<std::uint16_t>(std::popcount(dead));
    }
  }
  if ((limited_classes_ >> traffic_class & 1) != 0) {
    classes_[traffic_class].pacer.sent(rules.rate, bytes);
  }
  departing_.add_run(traffic_class, departure_count_ - first, bytes);
  return departure;
}

}  // namespace dp
