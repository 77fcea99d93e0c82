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
constexpr unsigned rounds_per_turn = 8;

using Mbufs = std::array<rte_mbuf*, burst_max>;

}  // namespace

void Exits::queue_run(Batch& batch, Run run, PortId port, std::uint16_t transmit_stage) noexcept {
  EgressQueue* queue = egress_.queue(port);
  if (queue == nullptr) return send_run(batch, run, port, transmit_stage);
  const QueueRecord* record = environment_.tables.queues.find(port.value, environment_.generation);
  if (record == nullptr) record = &closing_record;

  const bool is_home = queue->home() == environment_.worker;
  if (is_home) {
    queue->use(*record, environment_.generation);
    run.first = pass_run(batch, run, *queue, *record);
  }
  for (std::uint16_t i = run.first; i < run.end; ++i) {
    const QueuedFrame frame = describe(batch.mbuf(i), batch.meta(i), *record, transmit_stage);
    if (is_home) {
      if (!queue->enqueue(frame, *record, queue_counters(port))) {
        drop_queued(frame, DropReason::queue_full);
      }
    } else if (queue->hand_over(environment_.worker, frame)) {
      ++totals_.handed_over;
    } else {
      drop_queued(frame, DropReason::hand_over_full);
    }
  }
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
    if (environment_.tables.queues.find(queue->port().value, environment_.generation) == nullptr &&
        queue->holds_frames_of(environment_.worker)) {
      closing |= std::uint64_t{1} << queue->port().value;
    }
  }
  return closing;
}

std::uint32_t Exits::serve_queues() noexcept {
  std::uint32_t moved = 0;
  queues_due_ = std::numeric_limits<std::uint64_t>::max();
  takes_over_ = false;
  for (EgressQueue* queue : home_queues_) {
    const QueueRecord* record =
        environment_.tables.queues.find(queue->port().value, environment_.generation);
    if (record == nullptr) {
      if (queue->empty()) continue;
      record = &closing_record;
    }
    takes_over_ |= queue->has_other_workers();
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
  queue.take_over([&](const QueuedFrame& frame) {
    ++totals_.taken_over;
    ++moved;
    if (!queue.enqueue(frame, record, counters)) drop_queued(frame, DropReason::queue_full);
  });
  // Nothing waits for a port that may come back as another one's.
  if (!egress_.has(port)) moved += lose_all(queue);
  bool all_left = true;
  for (unsigned round = 0; round < rounds_per_turn && all_left; ++round) {
    const std::uint32_t moved_before = moved;
    const auto frames =
        queue.dequeue(record, now, random_, counters, [&](const QueuedFrame& frame) {
          drop_queued(frame, DropReason::marker_dropped);
          ++moved;
        });
    if (frames.empty() && moved == moved_before) break;
    Mbufs mbufs;
    std::ranges::transform(frames, mbufs.begin(), &QueuedFrame::mbuf);
    const Egress::Sent sent = egress_.send(port, {mbufs.data(), frames.size()});
    std::uint64_t bytes = 0;
    for (const QueuedFrame& frame : frames.first(sent.count)) bytes += frame.bytes;
    count_sent(port, sent.count, bytes);
    all_left = sent.count == frames.size();
    queue.settle(sent.count, mbufs, record, counters);
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
