// SPDX-License-Identifier: Apache-2.0
// `weir trace`: the next N frames that match, with the stages they passed and how they ended.
//
// While no trace waits, it costs one load per burst. While one does, bursts run through the
// observed form of the pipeline: every packet gets a slot with its story, and at the end of the
// burst the stories that match a filter go to the housekeeper through a bounded ring.
#pragma once

#include "dataplane/contract/event.hpp"
#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/stage.hpp"

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace dp {

// From one worker to the housekeeper. Full: the packet is not reported but counted as lost, and its
// trace waits for another.
class TraceRing {
 public:
  static constexpr std::uint32_t capacity = 128;  // A power of two: positions are masked.

  bool has_room() noexcept;                                 // Worker only; counts where not.
  void push(const contract::TracePacket& packet) noexcept;  // Worker only, after has_room().
  bool pop(contract::TracePacket& packet) noexcept;         // Housekeeper only.
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> tail_{0};  // Written by the worker.
  std::atomic<std::uint32_t> head_{0};  // Written by the housekeeper.
  std::atomic<std::uint64_t> lost_{0};  // Written by the worker.
  std::array<contract::TracePacket, capacity> packets_;
};

// The traces that wait, shared by the housekeeper (adds, removes) and all workers (match).
class TraceBoard {
 public:
  static constexpr std::size_t trace_max = 8;

  // Housekeeper only. A slot whose trace ended may be filled again only after every worker has
  // passed a quiescent point since, because a worker may still compare with the old filter: then
  // release() is called with what ended() said before.
  bool add(const contract::TraceAdd& wanted) noexcept;  // False: all slots are in use.
  bool remove(std::uint32_t trace) noexcept;            // 0: all. False: no such trace.
  std::uint32_t ended() const noexcept;                 // One bit per slot.
  void release(std::uint32_t slots) noexcept;

  // Workers.
  bool any() const noexcept { return active_.load(std::memory_order_relaxed) != 0; }

  struct Slot {
    enum class State : std::uint8_t { free, active, ended };
    contract::TraceAdd wanted{};
    std::atomic<State> state{State::free};
    std::atomic<std::int32_t> remaining{0};
  };
  std::array<Slot, trace_max>& slots() noexcept { return slots_; }
  // A worker took the last frame of this slot.
  void end(Slot& slot) noexcept;

 private:
  std::array<Slot, trace_max> slots_;
  std::atomic<std::uint32_t> active_{0};
};

// One worker's side. Borrows board and ring, which outlive it.
class Tracer {
 public:
  Tracer(TraceBoard& board, TraceRing& ring, base::WorkerId worker);

  bool active() const noexcept { return board_.any(); }

  // Gives every packet of a fresh burst its slot.
  void begin(Batch& batch, base::Generation generation) noexcept;
  // A copy of a packet continues its story; no_trace where there are more copies than slots.
  std::uint16_t replicate(const PacketMeta& original) noexcept;
  void hop(std::uint16_t stage, Packet packet) noexcept;
  void dropped(std::uint16_t stage, const PacketMeta& meta, DropReason reason) noexcept;
  void punted(std::uint16_t stage, const PacketMeta& meta) noexcept;
  void sent(std::uint16_t stage, const rte_mbuf* mbuf, const PacketMeta& meta) noexcept;
  // A frame that was reported as sent waits in a queue; what becomes of it there is not told.
  void queued(const PacketMeta& meta, unsigned traffic_class) noexcept;
  // The port did not take a frame that was reported as sent.
  void refused(const rte_mbuf* mbuf, DropReason reason) noexcept;
  // Reports what matches; the slots are free again.
  void finish() noexcept;

 private:
  // Twice a burst: the burst and as many copies.
  static constexpr std::uint16_t story_max = 2 * burst_max;

  struct Story {
    contract::TracePacket packet;
    const rte_mbuf* mbuf;
    base::PortId device_port;  // Where it entered; of a frame with a VLAN tag the parent.
    // Of the frame that is carried, for the filter.
    base::MacAddress source_mac;
    base::IpAddress source_ip;
    base::IpAddress destination_ip;
    std::uint16_t copies;
    std::uint8_t ecn;
    bool ecn_known;
    bool placed;  // Its destination has been decided, by an endpoint or by flooding.
  };

  void learn_addresses(Story& story, Packet packet) const noexcept;
  contract::TraceHop& add_hop(Story& story, std::uint16_t stage,
                              const PacketMeta& meta) const noexcept;
  // Whether this is the stage that found out where the frame goes.
  static void note_endpoint(Story& story, contract::TraceHop& hop, const PacketMeta& meta) noexcept;
  static bool matches(const contract::TraceAdd& wanted, const Story& story) noexcept;

  TraceBoard& board_;
  TraceRing& ring_;
  base::WorkerId worker_;
  std::uint16_t story_count_ = 0;
  std::unique_ptr<std::array<Story, story_max>> stories_;  // 90 KB, touched only while tracing.
};

}  // namespace dp
