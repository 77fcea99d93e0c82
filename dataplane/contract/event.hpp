// SPDX-License-Identifier: Apache-2.0
// Data plane → control plane: replies, link changes, traced packets. Every command frame gets
// exactly one reply, in order; other events come between them at any time.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"
#include "dataplane/contract/frame.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace contract {

enum class EventType : std::uint16_t {
  hello_reply = 101,  // Carries the descriptor of the counter region (SCM_RIGHTS).
  reply = 102,
  commit_reply = 103,
  link_change = 110,
  neighbour_change = 111,
  trace_packet = 120,
};

struct HelloReply {
  std::uint16_t version;  // The one both will speak.
  std::uint16_t worker_count;
  std::uint32_t pid;
  std::uint64_t features;  // Bits of what this data plane can, as below.
  std::uint64_t boot_id;   // Random per start of the data plane.
  std::uint64_t generation;
  Digests digests;
  std::uint64_t region_bytes;
  std::uint32_t network_capacity;
  std::uint32_t vtep_capacity;
  std::uint32_t endpoint_capacity;
  std::uint32_t port_capacity;
  Text<name_bytes> release;
  std::uint32_t next_hop_capacity;
  std::uint32_t reserved;
};

// Begin::replace may name single tables. One that lacks it refuses all but 0 and 1.
inline constexpr std::uint64_t feature_replace_tables = 1;

struct Reply {
  std::uint16_t status;          // A base::Errc.
  std::uint16_t verb;            // What it answers.
  std::uint32_t refused_record;  // Index of the first refused record; 0xffffffff: none.
  std::int32_t error_number;     // errno, or 0.
  Text<180> text;                // What is wrong and what to do, empty where status is ok.
};

struct CommitReply {
  std::uint16_t status;
  std::uint16_t refused_port;  // Number of the port whose device failed, plus 1; 0: none is named.
  std::int32_t error_number;
  std::uint64_t generation;  // In force now, whatever the status.
  Digests digests;
  Text<184> text;
};

struct LinkChange {
  base::PortId port;
  std::uint8_t up;
  std::uint8_t gone;         // 1: the kernel's interface that the port stands on was removed.
  std::uint32_t speed_mbps;  // 0: the device does not say.
};

// What ARP and neighbour discovery found out.
enum class NeighbourNews : std::uint8_t {
  none = 0,
  next_hop_resolved = 1,
  next_hop_moved = 2,     // It has another MAC now.
  next_hop_lost = 3,      // It no longer answers.
  next_hop_conflict = 4,  // Two MACs claim it; `before` stays in use.
  address_usable = 5,     // One of ours: nobody else has it.
  address_duplicate = 6,  // One of ours that somebody had before us: it is not used.
  address_conflict = 7,   // One of ours that somebody else claims: it stays in use.
};

constexpr std::string_view name(NeighbourNews news) noexcept {
  switch (news) {
    case NeighbourNews::none: return "none";
    case NeighbourNews::next_hop_resolved: return "next_hop_resolved";
    case NeighbourNews::next_hop_moved: return "next_hop_moved";
    case NeighbourNews::next_hop_lost: return "next_hop_lost";
    case NeighbourNews::next_hop_conflict: return "next_hop_conflict";
    case NeighbourNews::address_usable: return "address_usable";
    case NeighbourNews::address_duplicate: return "address_duplicate";
    case NeighbourNews::address_conflict: return "address_conflict";
  }
  return "unknown";  // Of a later release.
}

struct NeighbourChange {
  base::PortId port;
  NeighbourNews what;
  std::uint8_t reserved;
  base::MacAddress mac;     // The new one; in a conflict the other one. Zero: none.
  base::MacAddress before;  // Of a next hop.
  base::IpAddress address;
};

inline constexpr std::size_t trace_bytes_max = 192;
inline constexpr std::size_t trace_hops_max = 16;

// What was known of the packet when a stage was done with it.
struct TraceHop {
  std::uint16_t stage;      // Index into the region's stage list.
  base::NetworkId network;  // 0: not known.
  base::VtepId vtep;        // Matched: where it goes or, out of a tunnel, came from; 0: none.
  base::PortId out_port;    // no_port: not decided.
  std::uint32_t destination_qp;
  std::uint8_t kind;
  std::uint8_t ecn;
  std::uint8_t reason;            // Not none: it died here.
  std::uint8_t endpoint_matched;  // 1: found here, by network and destination_mac.
};

struct TracePacket {
  std::uint32_t trace;
  std::uint32_t remaining;  // Frames that the trace still waits for.
  std::uint64_t time_ns;    // CLOCK_MONOTONIC.
  std::uint64_t generation;
  base::WorkerId worker;
  base::PortId in_port;
  std::uint16_t hop_count;
  std::uint16_t replica;    // 0: the frame itself, 1..: a flooded copy.
  std::uint32_t bytes_in;   // Whole length of the frame as received.
  std::uint32_t bytes_out;  // As sent, or put into a queue; 0 where dropped.
  std::array<TraceHop, trace_hops_max> hops;
  std::array<std::uint8_t, trace_bytes_max> head_in;
  std::array<std::uint8_t, trace_bytes_max> head_out;
  base::MacAddress destination_mac;  // Of the carried frame.
  std::uint16_t queue;  // 1 + the traffic class in which it waits at out_port; 0: it has left.
};

static_assert(Record<HelloReply> && Record<Reply> && Record<CommitReply>);
static_assert(Record<LinkChange> && Record<TraceHop> && Record<TracePacket>);
static_assert(Record<NeighbourChange> && sizeof(NeighbourChange) == 32);
static_assert(sizeof(HelloReply) == 128 && sizeof(Reply) == 192 && sizeof(CommitReply) == 232);
static_assert(sizeof(TraceHop) == 16 && sizeof(TracePacket) == 688);

}  // namespace contract
