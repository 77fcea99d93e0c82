// SPDX-License-Identifier: Apache-2.0
// Frames that leave by a port's egress queue: into it, past it while it is empty, over to the
// worker whose it is, and out of it.
#include "dataplane/pipeline/exits.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace dp {
namespace {

// Departures of one queue in one turn, so that a long queue does not keep the worker from its
// ports.
constexpr unsigned rounds_per_turn = 4;

// Of a port that has gone: what waits is let in, and lost.
constexpr QueueRecord no_record = [] {
  QueueRecord record{};
  for (QueueClassRecord& one : record.classes) one.buffer = contract::queue_buffer_max;
  return record;
}();

}  // namespace

void Exits::queue_run(Batch& batch, Run run, PortId port, std::uint16_t transmit_stage,
                      bool traced) noexcept {
  EgressQueue* queue = egress_.queue(port);
  const QueueRecord* record = environment_.tables.queues.find(port.value, environment_.generation);
  // Without a port they die there.
  if (queue == nullptr || record == nullptr) return send_run(batch, run, port, transmit_stage);

  const bool is_home = queue->home() == environment_.worker;
  if (is_home) {
    queue->use(*record, environment_.generation);
    run.first = pass_run(batch, run, *queue, *record);
  }
  std::array<QueuedFrame, burst_max> described;
  std::size_t count = 0;
  for (std::uint16_t i = run.first; i < run.end; ++i) {
    described[count++] = describe(batch.mbuf(i), batch.meta(i), *record, transmit_stage);
  }
  if (traced) [[unlikely]] {  // Traces are asked for by hand.
    for (std::uint16_t i = run.first; i < run.end; ++i) {
      if (batch.meta(i).trace_slot == no_trace) continue;
      tracer_.queued(batch.meta(i), described[i - run.first].traffic_class);
    }
  }
  const auto frames = std::span<const QueuedFrame>(described).first(count);
  if (is_home) return enqueue(*queue, *record, frames);
  const std::uint32_t handed_over = queue->hand_over(environment_.worker, frames);
  totals_.handed_over += handed_over;
  for (const QueuedFrame& frame : frames.subspan(handed_over)) {
    drop_queued(frame, DropReason::hand_over_full);
  }
}

void Exits::enqueue(EgressQueue& queue, const QueueRecord& record,
                    std::span<const QueuedFrame> frames) noexcept {
  queue.enqueue(frames, record, queue_counters(queue.port()),
                [this](const QueuedFrame& frame) { drop_queued(frame, DropReason::queue_full); });
}

std::uint16_t Exits::pass_run(Batch& batch, Run run, EgressQueue& queue,
                              const QueueRecord& record) noexcept {
  if (!queue.nothing_waits()) return run.first;
  ClassTally tally;
  std::uint32_t largest = 0;
  for (std::uint16_t i = run.first; i < run.end; ++i) {
    const rte_mbuf* mbuf = batch.mbuf(i);
    largest = std::max(largest, mbuf->pkt_len);
    tally.add(traffic_class_of(mbuf, batch.meta(i), record), mbuf->pkt_len);
  }
  tally.finish();
  const std::uint64_t now = environment_.turn_cycles;
  if (!queue.let_pass(record, now, tally.bytes(), largest)) {
    return run.first;
  }
  const Egress::Sent sent = egress_.send(queue.port(), batch.mbufs_to_send(run.first, run.end));
  const std::uint64_t offered = tally.bytes();
  const auto first_left = static_cast<std::uint16_t>(run.first + sent.count);
  for (std::uint16_t i = first_left; i < run.end; ++i) {
    const rte_mbuf* mbuf = batch.mbuf(i);
    tally.take_back(traffic_class_of(mbuf, batch.meta(i), record), mbuf->pkt_len);
  }
  if (first_left < run.end) queue.take_back(record, offered - tally.bytes());
  count_sent(queue.port(), sent.count, tally.bytes());
  tally.count(queue_counters(queue.port()), /*waited=*/false);
  return first_left;
}

std::uint64_t Exits::find_closing() const noexcept {
  std::uint64_t closing = 0;
  for (EgressQueue* queue : queues_) {
    const QueueRecord* record =
        environment_.tables.queues.find(queue->port().value, environment_.generation);
    if (record != nullptr && record->is_closing && queue->holds_frames_of(environment_.worker)) {
      closing |= std::uint64_t{1} << queue->port().value;
    }
  }
  return closing;
}

std::uint32_t Exits::serve_queues() noexcept {
  std::uint32_t moved = 0;
  queues_due_ = std::numeric_limits<std::uint64_t>::max();
  for (EgressQueue* queue : home_queues_) {
    const QueueRecord* record =
        environment_.tables.queues.find(queue->port().value, environment_.generation);
    const bool is_in_use = record != nullptr && !record->is_closing;
    if (!is_in_use && queue->empty()) continue;
    if (record != nullptr && queue->is_at_rest()) {
      queue->use(*record, environment_.generation);
      continue;
    }
    if (record == nullptr) record = &no_record;
    moved += serve(*queue, *record);
  }
  free_dead();
  return moved;
}

std::uint32_t Exits::serve(EgressQueue& queue, const QueueRecord& record) noexcept {
  const PortId port = queue.port();
  const QueueCounterSpan counters = queue_counters(port);
  const std::uint64_t now = environment_.turn_cycles;
  std::uint32_t moved = 0;
  queue.use(record, environment_.generation);
  queue.catch_up(record, now, tsc_hz_, counters);
  queue.take_over([&](std::span<const QueuedFrame> frames) {
    totals_.taken_over += frames.size();
    moved += static_cast<std::uint32_t>(frames.size());
    enqueue(queue, record, frames);
  });
  // Nothing waits for a port that may come back as another one's.
  if (&record == &no_record || !egress_.has(port)) moved += lose_all(queue);
  bool all_left = true;
  for (unsigned round = 0; round < rounds_per_turn && all_left; ++round) {
    const std::uint32_t moved_before = moved;
    const auto frames =
        queue.dequeue(record, now, random_, counters, [&](const QueuedFrame& frame) {
          drop_queued(frame, DropReason::marker_dropped);
          ++moved;
        });
    if (frames.empty() && moved == moved_before) break;
    const Egress::Sent sent = egress_.send(port, queue.mbufs_to_send());
    all_left = sent.count == frames.size();
    count_sent(port, sent.count, queue.settle(sent.count, record, counters));
    moved += sent.count;
  }
  queues_due_ = std::min(queues_due_, queue.end_turn(record, counters));
  return moved;
}

std::uint32_t Exits::lose_all(EgressQueue& queue) noexcept {
  std::uint32_t lost = 0;
  for (QueuedFrame frame = queue.take_any(); frame.mbuf != nullptr; frame = queue.take_any()) {
    drop_queued(frame, DropReason::port_missing);
    ++lost;
  }
  return lost;
}

void Exits::drop_queued(const QueuedFrame& frame, DropReason reason) noexcept {
  tracer_.refused(frame.mbuf, reason);
  count_drop(frame.stage, reason, 1);
  if (dead_count_ == dead_.size()) free_dead();
  dead_[dead_count_++] = frame.mbuf;
}

}  // namespace dp
