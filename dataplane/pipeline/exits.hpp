// SPDX-License-Identifier: Apache-2.0
// Where packets end: they leave at a port, go to the housekeeper or die for a reason, and each is
// counted exactly once.
// Owned by a worker, used by one pipeline run at a time.
#pragma once

#include "dataplane/contract/counters.hpp"
#include "dataplane/contract/limits.hpp"
#include "dataplane/contract/region.hpp"
#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/egress.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/punt_limit.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "dataplane/pipeline/trace.hpp"
#include "dataplane/queue/egress_queue.hpp"
#include "dataplane/queue/frame_ring.hpp"
#include "dataplane/queue/outbox.hpp"

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

namespace dp {

class Exits {
 public:
  // All outlive this.
  Exits(const Environment& environment, Egress& egress, Tracer& tracer,
        FrameRing& to_housekeeper) noexcept;
  ~Exits();
  Exits(const Exits&) = delete;
  Exits& operator=(const Exits&) = delete;

  // A packet that a stage did not keep; takes ownership. `stage` is the index in the region's stage
  // list. Not told as a Packet: g++ 12 then spills in the loop that encapsulates, and loads more
  // than it stored (host_to_wire 112 cycles a packet instead of 97, tests/bench/stages,
  // 2026-11-29).
  void end(std::uint16_t stage, rte_mbuf* mbuf, PacketMeta& meta, Verdict verdict) noexcept;
  // Ends a packet's life; takes ownership.
  void drop(std::uint16_t stage, rte_mbuf* mbuf, const PacketMeta& meta,
            DropReason reason) noexcept;
  // Packets that wait for the pipeline of diverted ones: no more than a burst, as stages in front
  // of a verdict to divert make none.
  Batch& diverted() noexcept { return diverted_; }
  // A copy that could not be made: created and dropped at once, so that it shows in both.
  void drop_uncreated(std::uint16_t stage, DropReason reason) noexcept;
  void created(std::uint16_t count) noexcept { totals_.created += count; }
  // Frees a buffer whose packet lives on in another.
  void replaced(rte_mbuf* mbuf) noexcept;

  // Takes all packets of the batch to the outboxes of their out_port.
  void send(Batch& batch, std::uint16_t transmit_stage) noexcept;
  // Hands the outboxes to the ports. Called at the end of every burst.
  void flush(std::uint16_t transmit_stage) noexcept;
  // The same for a batch of frames that Weir made itself, while the outboxes are empty.
  void send_own(Batch& batch, std::uint16_t transmit_stage) noexcept;

  // At the start of a turn: all egress queues, and those whose home this worker is; they outlive
  // their use here.
  void use_queues(std::span<EgressQueue* const> queues,
                  std::span<EgressQueue* const> home_queues) noexcept {
    queues_ = queues;
    home_queues_ = home_queues;
    closing_ports_ = find_closing();
  }
  // Once a turn: takes over what other workers handed over, and sends what may leave. Says how many
  // frames went either way.
  std::uint32_t serve_queues() noexcept;
  // When the next frame in a queue may leave, TSC cycles; UINT64_MAX: none waits for a rate.
  std::uint64_t queues_due() const noexcept { return queues_due_; }

  // Packets in the outboxes and the queues now, by walking them.
  std::uint32_t count_held() const noexcept;

  // The worker adds rx and its own gauges, then publishes all of it at once.
  contract::WorkerTotals& totals() noexcept { return totals_; }
  void publish() noexcept;

  Tracer& tracer() noexcept { return tracer_; }

 private:
  // Packets first..end-1 of a batch.
  struct Run {
    std::uint16_t first;
    std::uint16_t end;
  };
  void send_run(Batch& batch, Run run, base::PortId port, std::uint16_t transmit_stage) noexcept;
  // To the port's queue (exits_queue.cpp).
  void queue_run(Batch& batch, Run run, base::PortId port, std::uint16_t transmit_stage,
                 bool traced) noexcept;
  void enqueue(EgressQueue& queue, const QueueRecord& record,
               std::span<const QueuedFrame> frames) noexcept;
  // The first of them that did not pass.
  std::uint16_t pass_run(Batch& batch, Run run, EgressQueue& queue,
                         const QueueRecord& record) noexcept;
  std::uint32_t serve(EgressQueue& queue, const QueueRecord& record) noexcept;
  std::uint32_t lose_all(EgressQueue& queue) noexcept;
  // Ports whose queue has been removed, and holds frames of this worker; one bit each.
  std::uint64_t find_closing() const noexcept;
  void drop_queued(const QueuedFrame& frame, DropReason reason) noexcept;
  void count_sent(base::PortId port, std::uint64_t packets, std::uint64_t bytes) noexcept;
  QueueCounterSpan queue_counters(base::PortId port) const noexcept {
    return counters_.queues.subspan(port.value * contract::traffic_class_count)
        .first<contract::traffic_class_count>();
  }
  void flush_port(base::PortId port, std::uint16_t transmit_stage) noexcept;
  void count_drop(std::uint16_t stage, DropReason reason, std::uint16_t packets) noexcept;
  void free_dead() noexcept;
  // none: the housekeeper has it.
  DropReason punt_frame(rte_mbuf* mbuf, base::PortId port) noexcept;

  contract::WorkerBlock counters_;
  Egress& egress_;
  Tracer& tracer_;
  FrameRing& to_housekeeper_;
  contract::WorkerTotals totals_{};  // Private copy; publish() writes it out.
  bool drops_changed_ = false;
  std::uint16_t dead_count_ = 0;
  std::array<rte_mbuf*, burst_max> dead_;  // Freed in bulk.
  std::uint64_t touched_ = 0;              // Bit n: outbox n is not empty.
  std::uint64_t used_ = 0;                 // Bit n: outbox n has ever had a frame.
  std::array<Outbox, contract::port_count_max> outboxes_;
  Batch diverted_;
  DropReason refused_ = DropReason::tx_ring_full;  // What a port does not take dies as.
  const Environment& environment_;
  PuntLimit punt_limit_;
  std::span<EgressQueue* const> queues_;
  std::span<EgressQueue* const> home_queues_;
  std::uint64_t closing_ports_ = 0;
  std::uint64_t queues_due_ = UINT64_MAX;
  Random random_;
  std::uint64_t tsc_hz_;
};
static_assert(contract::port_count_max == 64, "touched_ has one bit per port");

}  // namespace dp
