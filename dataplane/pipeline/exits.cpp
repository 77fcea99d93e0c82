// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/exits.hpp"

#include <rte_cycles.h>

#include <bit>

namespace dp {

Exits::Exits(const Environment& environment, Egress& egress, Tracer& tracer,
             FrameRing& to_housekeeper) noexcept
    : counters_(environment.counters),
      egress_(egress),
      tracer_(tracer),
      to_housekeeper_(to_housekeeper),
      environment_(environment),
      punt_limit_(rte_get_tsc_hz()),
      random_(environment.seed),
      tsc_hz_(rte_get_tsc_hz()) {}

Exits::~Exits() {
  free_dead();
  for (Outbox& outbox : outboxes_) {
    if (outbox.size() > 0) rte_pktmbuf_free_bulk(outbox.frames().data(), outbox.size());
  }
}

void Exits::count_drop(std::uint16_t stage, DropReason reason, std::uint16_t packets) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  totals_.dropped += packets;
  totals_.drops[index] += packets;
  drops_changed_ = true;
  contract::add(counters_.stages[stage].drops[index], packets);
}

void Exits::free_dead() noexcept {
  if (dead_count_ > 0) rte_pktmbuf_free_bulk(dead_.data(), dead_count_);
  dead_count_ = 0;
}

void Exits::end(std::uint16_t stage, rte_mbuf* mbuf, PacketMeta& meta, Verdict verdict) noexcept {
  if (verdict == divert) {
    tracer_.hop(stage, {mbuf, meta});
    diverted_.push(mbuf, meta);
    return;
  }
  if (verdict != punt) return drop(stage, mbuf, meta, verdict);
  const DropReason refused = punt_frame(mbuf, meta.in_port);
  if (refused != DropReason::none) return drop(stage, mbuf, meta, refused);
  ++totals_.punted;
  // Its story ends here, without a reason.
  if (meta.trace_slot != no_trace) tracer_.punted(stage, meta);
}

// Whoever is punted has an Ethernet header.
DropReason Exits::punt_frame(rte_mbuf* mbuf, base::PortId port) noexcept {
  const bool is_to_group = (*rte_pktmbuf_mtod(mbuf, const std::uint8_t*) & 1) != 0;
  if (!punt_limit_.take(port, is_to_group, environment_.turn_cycles)) {
    return DropReason::punt_rate_exceeded;
  }
  // However many ports are flooded, answers find the other half.
  const std::uint32_t room = is_to_group ? FrameRing::capacity / 2 : FrameRing::capacity;
  return to_housekeeper_.push(mbuf, port, room) ? DropReason::none : DropReason::punt_queue_full;
}

void Exits::drop(std::uint16_t stage, rte_mbuf* mbuf, const PacketMeta& meta,
                 DropReason reason) noexcept {
  count_drop(stage, reason, 1);
  // Off the common path: traces are rare, and dying is too.
  if (meta.trace_slot != no_trace) [[unlikely]] {
    tracer_.dropped(stage, meta, reason);
  }
  if (dead_count_ == dead_.size()) free_dead();
  dead_[dead_count_++] = mbuf;
}

void Exits::drop_uncreated(std::uint16_t stage, DropReason reason) noexcept {
  totals_.created += 1;
  count_drop(stage, reason, 1);
}

// At once: the buffers of a large frame are many.
void Exits::replaced(rte_mbuf* mbuf) noexcept {
  rte_pktmbuf_free(mbuf);
}

void Exits::send(Batch& batch, std::uint16_t transmit_stage) noexcept {
  const std::uint16_t count = batch.size();
  // Weir's own frames, few and small, wait for nobody.
  const bool own = refused_ == DropReason::own_frame_refused;
  const std::uint64_t queueing = own ? 0 : environment_.in_port->queueing_ports | closing_ports_;
  std::uint16_t sent = 0;
  while (sent < count) {
    const PortId port = batch.meta(sent).out_port;
    // Neighbours mostly leave at the same port: they go as one run.
    std::uint16_t end = sent;
    while (end < count && batch.meta(end).out_port == port) ++end;
    if (batch.traced()) [[unlikely]] {  // Traces are asked for by hand.
      for (std::uint16_t i = sent; i < end; ++i) {
        if (batch.meta(i).trace_slot != no_trace) {
          tracer_.sent(transmit_stage, batch.mbuf(i), batch.meta(i));
        }
      }
    }
    const Run run{.first = sent, .end = end};
    if (port.value < contract::port_count_max && (queueing >> port.value & 1) != 0) [[unlikely]] {
      queue_run(batch, run, port, transmit_stage,
                batch.traced());  // Costs the others one look per run.
    } else {
      send_run(batch, run, port, transmit_stage);
    }
    sent = end;
  }
  batch.keep(0);
}

void Exits::send_run(Batch& batch, Run run, PortId port, std::uint16_t transmit_stage) noexcept {
  // A stage that left no port would be a bug; the packet dies visibly rather than out of bounds.
  if (port.value >= contract::port_count_max) [[unlikely]] {
    for (std::uint16_t i = run.first; i < run.end; ++i) {
      drop(transmit_stage, batch.mbuf(i), batch.meta(i), DropReason::port_missing);
    }
    return;
  }
  Outbox& outbox = outboxes_[port.value];
  touched_ |= std::uint64_t{1} << port.value;
  used_ |= std::uint64_t{1} << port.value;
  while (run.first < run.end) {
    run.first = static_cast<std::uint16_t>(
        run.first + outbox.push(batch.mbufs().subspan(run.first, run.end - run.first)));
    if (outbox.full()) [[unlikely]]
      flush_port(port, transmit_stage);
  }
}

void Exits::flush_port(base::PortId port, std::uint16_t transmit_stage) noexcept {
  Outbox& outbox = outboxes_[port.value];
  const std::span<rte_mbuf*> frames = outbox.frames();
  std::uint64_t bytes = 0;
  for (const rte_mbuf* mbuf : frames) bytes += mbuf->pkt_len;

  const Egress::Sent sent = egress_.send(port, frames);
  if (sent.count < frames.size()) [[unlikely]] {
    const std::span<rte_mbuf*> refused = frames.subspan(sent.count);
    const DropReason reason = sent.port_present ? refused_ : DropReason::port_missing;
    for (const rte_mbuf* mbuf : refused) {
      bytes -= mbuf->pkt_len;
      tracer_.refused(mbuf, reason);
    }
    count_drop(transmit_stage, reason, static_cast<std::uint16_t>(refused.size()));
    rte_pktmbuf_free_bulk(refused.data(), static_cast<unsigned>(refused.size()));
  }
  count_sent(port, sent.count, bytes);
  outbox.clear();
}

void Exits::count_sent(base::PortId port, std::uint64_t packets, std::uint64_t bytes) noexcept {
  totals_.tx += packets;
  contract::PortCounters& counters = counters_.ports[port.value];
  contract::add(counters.tx_packets, packets);
  contract::add(counters.tx_bytes, bytes);
}

void Exits::flush(std::uint16_t transmit_stage) noexcept {
  while (touched_ != 0) {
    const auto port = static_cast<std::uint16_t>(std::countr_zero(touched_));
    touched_ &= touched_ - 1;
    if (outboxes_[port].size() > 0) flush_port(base::PortId{port}, transmit_stage);
  }
  free_dead();
}

void Exits::send_own(Batch& batch, std::uint16_t transmit_stage) noexcept {
  refused_ = DropReason::own_frame_refused;
  send(batch, transmit_stage);
  flush(transmit_stage);
  refused_ = DropReason::tx_ring_full;
}

std::uint32_t Exits::count_held() const noexcept {
  std::uint32_t held = 0;
  // Those never used are empty, and walking all 64 would take an eighth of the L1 cache per burst.
  for (std::uint64_t used = used_; used != 0; used &= used - 1) {
    held += outboxes_[static_cast<std::size_t>(std::countr_zero(used))].size();
  }
  for (const EgressQueue* queue : home_queues_) held += queue->held();
  return held;
}

void Exits::publish() noexcept {
  contract::WorkerTotals& shared = *counters_.totals;
  contract::begin_totals(shared);
  using contract::set;
  set(shared.rx, totals_.rx);
  set(shared.created, totals_.created);
  set(shared.taken_over, totals_.taken_over);
  set(shared.tx, totals_.tx);
  set(shared.dropped, totals_.dropped);
  set(shared.consumed, totals_.consumed);
  set(shared.punted, totals_.punted);
  set(shared.handed_over, totals_.handed_over);
  set(shared.held, totals_.held);
  set(shared.generation, totals_.generation);
  set(shared.turns, totals_.turns);
  set(shared.turns_empty, totals_.turns_empty);
  set(shared.busy_cycles, totals_.busy_cycles);
  set(shared.idle_ns, totals_.idle_ns);
  set(shared.bursts, totals_.bursts);
  if (drops_changed_) {
    for (std::size_t i = 0; i < contract::drop_reason_count; ++i) {
      set(shared.drops[i], totals_.drops[i]);
    }
    drops_changed_ = false;
  }
  contract::end_totals(shared);
}

}  // namespace dp
