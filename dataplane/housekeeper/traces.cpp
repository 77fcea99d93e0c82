// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/traces.hpp"

#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/contract/packet_kind.hpp"

#include <vector>

namespace dp {

using base::Errc;
using base::fail;

namespace {

constexpr std::uint16_t known_fields = 0x07ff;  // All bits of TraceField.
// Per turn, so that a flood of traced packets does not hold up commands.
constexpr std::size_t packets_per_turn = 64;

}  // namespace

base::Status Traces::add(const contract::TraceAdd& wanted) {
  if (wanted.trace == 0) return fail(Errc::invalid_argument, "a trace's number is not 0");
  if (wanted.count == 0 || wanted.count > contract::trace_count_max) {
    return fail(Errc::invalid_argument, "a trace takes 1 to 1000 frames");
  }
  if ((wanted.fields & ~known_fields) != 0) {
    return fail(Errc::unsupported, "the trace filters by a field that this release does not know");
  }
  if (wanted.kind >= contract::packet_kind_count || wanted.ecn > 3 ||
      wanted.reason >= contract::drop_reason_count) {
    return fail(Errc::invalid_argument, "the trace filters by a kind, ECN or reason that is none");
  }
  for (TraceBoard::Slot& slot : board_.slots()) {
    // Relaxed: the filter is the housekeeper's own writing.
    if (slot.state.load(std::memory_order_relaxed) == TraceBoard::Slot::State::active &&
        slot.wanted.trace == wanted.trace) {
      return fail(Errc::already_exists, "a trace of this number is waiting");
    }
  }
  if (!board_.add(wanted)) {
    return fail(Errc::table_full, "8 traces wait already; remove one");
  }
  return {};
}

base::Status Traces::remove(std::uint32_t trace) {
  if (!board_.remove(trace) && trace != 0) return fail(Errc::not_found, "no such trace waits");
  return {};
}

void Traces::drain(CommandSocket& socket) {
  std::size_t left = packets_per_turn;
  contract::TracePacket packet;
  for (TraceRing* ring : rings_) {
    while (left > 0 && ring->pop(packet)) {
      --left;
      if (!socket.connected() || !socket.has_room()) {
        ++lost_to_controller_;
        continue;
      }
      socket.send(contract::make_frame<contract::TracePacket>(
          static_cast<std::uint16_t>(contract::EventType::trace_packet), 0, 0,
          std::span<const contract::TracePacket>(&packet, 1)));
    }
  }
}

void Traces::release() {
  if (releasing_ == 0) {
    releasing_ = board_.ended();
    if (releasing_ != 0) grace_ = epoch_.start_grace();
    return;
  }
  if (!epoch_.grace_passed(grace_)) return;
  board_.release(releasing_);
  releasing_ = 0;
}

std::uint64_t Traces::lost() const noexcept {
  std::uint64_t total = lost_to_controller_;
  for (const TraceRing* ring : rings_) total += ring->lost();
  return total;
}

}  // namespace dp
