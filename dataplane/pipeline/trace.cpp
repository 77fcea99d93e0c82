// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline/trace.hpp"

#include "dataplane/base/clock.hpp"
#include "dataplane/packet/ecn.hpp"

#include <algorithm>
#include <cstring>

namespace dp {

using contract::TraceAdd;
using contract::TraceField;
using contract::TraceHop;
using contract::TracePacket;

namespace {

// From as many segments as it takes.
void copy_head(const rte_mbuf* mbuf,
               std::array<std::uint8_t, contract::trace_bytes_max>& head) noexcept {
  const std::uint32_t bytes = std::min<std::uint32_t>(mbuf->pkt_len, contract::trace_bytes_max);
  const void* piece = rte_pktmbuf_read(mbuf, 0, bytes, head.data());
  if (piece != nullptr && piece != head.data()) std::memcpy(head.data(), piece, bytes);
}

}  // namespace

bool TraceRing::has_room() noexcept {
  const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
  // Acquire pairs with the release in pop(): the place has been read before it is written again.
  if (tail - head_.load(std::memory_order_acquire) < capacity) return true;
  lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return false;
}

void TraceRing::push(const TracePacket& packet) noexcept {
  const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
  packets_[tail % capacity] = packet;
  tail_.store(tail + 1, std::memory_order_release);  // Pairs with the acquire in pop().
}

bool TraceRing::pop(TracePacket& packet) noexcept {
  const std::uint32_t head = head_.load(std::memory_order_relaxed);
  // Acquire pairs with the release in push(): the packet is complete.
  if (tail_.load(std::memory_order_acquire) == head) return false;
  packet = packets_[head % capacity];
  head_.store(head + 1, std::memory_order_release);  // Pairs with the acquire in push().
  return true;
}

bool TraceBoard::add(const TraceAdd& wanted) noexcept {
  for (Slot& slot : slots_) {
    if (slot.state.load(std::memory_order_relaxed) != Slot::State::free) continue;
    slot.wanted = wanted;
    slot.remaining.store(static_cast<std::int32_t>(wanted.count), std::memory_order_relaxed);
    // Release pairs with the acquire in Tracer::finish(): the filter is complete.
    slot.state.store(Slot::State::active, std::memory_order_release);
    active_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  return false;
}

void TraceBoard::end(Slot& slot) noexcept {
  auto expected = Slot::State::active;
  // The housekeeper may end the same trace at this moment; only one of both counts it.
  if (slot.state.compare_exchange_strong(expected, Slot::State::ended, std::memory_order_acq_rel)) {
    active_.fetch_sub(1, std::memory_order_relaxed);
  }
}

bool TraceBoard::remove(std::uint32_t trace) noexcept {
  bool found = false;
  for (Slot& slot : slots_) {
    if (slot.state.load(std::memory_order_relaxed) != Slot::State::active) continue;
    if (trace != 0 && slot.wanted.trace != trace) continue;
    end(slot);
    found = true;
  }
  return found;
}

std::uint32_t TraceBoard::ended() const noexcept {
  std::uint32_t slots = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].state.load(std::memory_order_relaxed) == Slot::State::ended) slots |= 1U << i;
  }
  return slots;
}

void TraceBoard::release(std::uint32_t slots) noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if ((slots >> i & 1) == 0) continue;
    auto expected = Slot::State::ended;
    slots_[i].state.compare_exchange_strong(expected, Slot::State::free, std::memory_order_acq_rel);
  }
}

Tracer::Tracer(TraceBoard& board, TraceRing& ring, base::WorkerId worker)
    : board_(board),
      ring_(ring),
      worker_(worker),
      stories_(std::make_unique<std::array<Story, story_max>>()) {}

void Tracer::begin(Batch& batch, base::Generation generation) noexcept {
  const std::uint64_t time_ns = base::monotonic_ns();
  story_count_ = batch.size();
  batch.note_traced();
  for (std::uint16_t i = 0; i < batch.size(); ++i) {
    Story& story = (*stories_)[i];
    story = Story{};
    Packet packet = batch[i];
    packet.meta().trace_slot = i;
    story.packet.time_ns = time_ns;
    story.packet.generation = generation;
    story.packet.worker = worker_;
    story.packet.in_port = packet.meta().in_port;
    story.device_port = packet.meta().in_port;
    story.packet.bytes_in = packet.length();
    copy_head(packet.mbuf(), story.packet.head_in);
  }
}

std::uint16_t Tracer::replicate(const PacketMeta& original) noexcept {
  if (original.trace_slot == no_trace || story_count_ == story_max) return no_trace;
  Story& story = (*stories_)[original.trace_slot];
  const std::uint16_t slot = story_count_++;
  (*stories_)[slot] = story;
  (*stories_)[slot].packet.replica = ++story.copies;
  return slot;
}

void Tracer::learn_addresses(Story& story, Packet packet) const noexcept {
  if (packet.contiguous() < sizeof(EthernetHeader)) return;
  const auto& ethernet = packet.header<EthernetHeader>(0);
  story.source_mac = ethernet.source;
  story.packet.destination_mac = ethernet.destination;

  const PacketMeta& meta = packet.meta();
  if (meta.ip_version == 4 && meta.l3 + sizeof(Ipv4Header) <= packet.contiguous()) {
    const auto& ip = packet.header<Ipv4Header>(meta.l3);
    story.source_ip = base::IpAddress::from(ip.source);
    story.destination_ip = base::IpAddress::from(ip.destination);
  } else if (meta.ip_version == 6 && meta.l3 + sizeof(Ipv6Header) <= packet.contiguous()) {
    const auto& ip = packet.header<Ipv6Header>(meta.l3);
    story.source_ip = base::IpAddress{ip.source};
    story.destination_ip = base::IpAddress{ip.destination};
  }
  if (meta.ip_version != 0 && !story.ecn_known) {
    story.ecn = static_cast<std::uint8_t>(ecn_of(meta.tos));
    story.ecn_known = true;
  }
}

TraceHop& Tracer::add_hop(Story& story, std::uint16_t stage,
                          const PacketMeta& meta) const noexcept {
  // The last place is overwritten where a pipeline has more stages than a story has room for.
  const auto index = std::min<std::size_t>(story.packet.hop_count, contract::trace_hops_max - 1);
  story.packet.hop_count = static_cast<std::uint16_t>(index + 1);
  TraceHop& hop = story.packet.hops[index];
  hop = TraceHop{.stage = stage,
                 .network = meta.network,
                 .vtep = meta.vtep != base::no_vtep ? meta.vtep : meta.source_vtep,
                 .out_port = meta.out_port,
                 .destination_qp = meta.destination_qp,
                 .kind = static_cast<std::uint8_t>(meta.kind),
                 .ecn = static_cast<std::uint8_t>(ecn_of(meta.tos)),
                 .reason = 0,
                 .endpoint_matched = 0};
  return hop;
}

void Tracer::note_endpoint(Story& story, TraceHop& hop, const PacketMeta& meta) noexcept {
  if (story.placed || meta.network == base::no_network) return;
  const bool has_target = meta.vtep != base::no_vtep || meta.out_port != base::no_port;
  story.placed = has_target || meta.flood;
  hop.endpoint_matched = has_target ? 1 : 0;
}

void Tracer::hop(std::uint16_t stage, Packet packet) noexcept {
  if (packet.meta().trace_slot == no_trace) return;
  Story& story = (*stories_)[packet.meta().trace_slot];
  TraceHop& hop = add_hop(story, stage, packet.meta());
  note_endpoint(story, hop, packet.meta());
  story.packet.in_port = packet.meta().in_port;  // A VLAN's port, once it is known.
  // Until the way out is known, the carried frame is what lies at the front.
  if (packet.meta().out_port == base::no_port) learn_addresses(story, packet);
}

void Tracer::dropped(std::uint16_t stage, const PacketMeta& meta, DropReason reason) noexcept {
  Story& story = (*stories_)[meta.trace_slot];
  add_hop(story, stage, meta).reason = static_cast<std::uint8_t>(reason);
  story.packet.in_port = meta.in_port;
}

void Tracer::punted(std::uint16_t stage, const PacketMeta& meta) noexcept {
  add_hop((*stories_)[meta.trace_slot], stage, meta);
}

void Tracer::sent(std::uint16_t stage, const rte_mbuf* mbuf, const PacketMeta& meta) noexcept {
  Story& story = (*stories_)[meta.trace_slot];
  add_hop(story, stage, meta);
  story.mbuf = mbuf;
  story.packet.bytes_out = mbuf->pkt_len;
  copy_head(mbuf, story.packet.head_out);
}

void Tracer::queued(const PacketMeta& meta, unsigned traffic_class) noexcept {
  (*stories_)[meta.trace_slot].packet.queue = static_cast<std::uint16_t>(1 + traffic_class);
}

void Tracer::refused(const rte_mbuf* mbuf, DropReason reason) noexcept {
  for (std::uint16_t i = 0; i < story_count_; ++i) {
    Story& story = (*stories_)[i];
    if (story.mbuf != mbuf) continue;
    story.packet.hops[story.packet.hop_count - 1].reason = static_cast<std::uint8_t>(reason);
    story.packet.bytes_out = 0;
  }
}

bool Tracer::matches(const TraceAdd& wanted, const Story& story) noexcept {
  const TracePacket& packet = story.packet;
  const TraceHop& last = packet.hops[packet.hop_count > 0 ? packet.hop_count - 1 : 0];
  const auto asks = [&](TraceField field) {
    return (wanted.fields & static_cast<std::uint16_t>(field)) != 0;
  };
  if (asks(TraceField::port) && wanted.port != packet.in_port && wanted.port != story.device_port) {
    return false;
  }
  if (asks(TraceField::network) && wanted.network != last.network) return false;
  if (asks(TraceField::source_mac) && wanted.source_mac != story.source_mac) return false;
  if (asks(TraceField::destination_mac) && wanted.destination_mac != story.packet.destination_mac) {
    return false;
  }
  if (asks(TraceField::source_ip) && wanted.source_ip != story.source_ip) return false;
  if (asks(TraceField::destination_ip) && wanted.destination_ip != story.destination_ip) {
    return false;
  }
  if (asks(TraceField::destination_qp) &&
      (!contract::is_roce_v2(static_cast<PacketKind>(last.kind)) ||
       wanted.destination_qp != last.destination_qp)) {
    return false;
  }
  if (asks(TraceField::kind) && wanted.kind != last.kind) return false;
  if (asks(TraceField::ecn) && (!story.ecn_known || wanted.ecn != story.ecn)) return false;
  if (asks(TraceField::reason) && wanted.reason != last.reason) return false;
  if (asks(TraceField::dropped) && last.reason == 0) return false;
  return true;
}

void Tracer::finish() noexcept {
  for (std::uint16_t i = 0; i < story_count_; ++i) {
    Story& story = (*stories_)[i];
    for (TraceBoard::Slot& slot : board_.slots()) {
      // Acquire pairs with the release in TraceBoard::add().
      if (slot.state.load(std::memory_order_acquire) != TraceBoard::Slot::State::active) continue;
      if (!matches(slot.wanted, story)) continue;
      // Before it is counted as one of those wanted: the last one must reach the controller.
      if (!ring_.has_room()) continue;
      // Workers race for the last frames; a number below 1 means that others took them.
      const std::int32_t remaining = slot.remaining.fetch_sub(1, std::memory_order_relaxed) - 1;
      if (remaining < 0) continue;
      story.packet.trace = slot.wanted.trace;
      story.packet.remaining = static_cast<std::uint32_t>(remaining);
      ring_.push(story.packet);
      if (remaining == 0) board_.end(slot);
    }
  }
  story_count_ = 0;
}

}  // namespace dp
