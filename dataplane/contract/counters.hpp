// SPDX-License-Identifier: Apache-2.0
// What workers count, as it lies in the shared region. Each block belongs to one worker, which is
// its only writer; sums over workers are the reader's business. Totals of a worker are published
// together at batch ends under `sequence`, so that the accounting identity holds in every
// consistent read:
//
//   rx + created + taken_over == tx + dropped + consumed + punted + handed_over + held
//
// The other blocks are single 64-bit counters that only grow; each is torn-free by itself.
// region.cpp describes every member; a member without a description fails its test.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/contract/host_class.hpp"
#include "dataplane/contract/packet_kind.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace contract {

inline constexpr std::size_t cache_line_bytes = 64;

// Written by the worker at each batch end; read by anyone through read_totals().
struct alignas(cache_line_bytes) WorkerTotals {
  std::uint64_t sequence;    // Odd while the worker writes.
  std::uint64_t rx;          // Packets taken from ports.
  std::uint64_t created;     // Copies made by flooding (later: generated replies).
  std::uint64_t taken_over;  // From other workers' hand-over rings.
  std::uint64_t tx;          // Packets that ports accepted.
  std::uint64_t dropped;     // All reasons together.
  std::uint64_t consumed;
  std::uint64_t punted;       // To the housekeeper.
  std::uint64_t handed_over;  // To other workers' rings.
  std::uint64_t held;         // In this worker's queues now: walked, never derived.
  std::uint64_t generation;   // Of the last batch or idle turn.
  std::uint64_t turns;        // Rounds over all its ports: the heartbeat.
  std::uint64_t turns_empty;  // Rounds that found no frame.
  std::uint64_t busy_cycles;  // TSC cycles in rounds that found frames.
  std::uint64_t idle_ns;      // Time asleep.
  std::uint64_t bursts;       // rx bursts with at least one frame.
  std::array<std::uint64_t, drop_reason_slots> drops;  // Packets, by DropReason.

  // Packets that are unaccounted for: 0, or a bug.
  constexpr std::int64_t mismatch() const noexcept {
    return static_cast<std::int64_t>(rx + created + taken_over - tx - dropped - consumed - punted -
                                     handed_over - held);
  }
};

// Per worker and stage.
struct StageCounters {
  std::uint64_t packets;          // That entered the stage.
  std::uint64_t packets_sampled;  // Of them, in batches whose cycles were taken.
  std::uint64_t cycles_sampled;   // TSC cycles of those batches in this stage.
  std::array<std::uint64_t, drop_reason_slots> drops;
};

// Per worker and port.
struct PortCounters {
  std::uint64_t rx_packets;
  std::uint64_t rx_bytes;
  std::uint64_t tx_packets;
  std::uint64_t tx_bytes;
  // By PacketKind (of the tenant's frame, inside a tunnel too) and by ECN of the outermost IP
  // header as received.
  std::array<std::array<std::uint64_t, 4>, packet_kind_slots> rx_kinds;
  // Frames received here for the host itself, by HostClass.
  std::array<std::uint64_t, host_class_slots> host_passed;
  std::array<std::uint64_t, host_class_slots> host_policed;  // Above the class's rate.
  std::array<std::uint64_t, host_class_slots> host_refused;  // A rule drops the class.
};

// Per worker and network.
struct NetworkCounters {
  std::uint64_t encap_packets;  // Into tunnels, copies included.
  std::uint64_t encap_bytes;    // Of tenant frames, tunnel headers not counted.
  std::uint64_t decap_packets;
  std::uint64_t decap_bytes;
  std::uint64_t local_packets;  // Tenant port to tenant port of this gateway.
  std::uint64_t local_bytes;
  std::uint64_t flooded_packets;           // Frames that were flooded; their copies are `created`.
  std::array<std::uint64_t, 4> ecn_encap;  // By ECN of the tenant's packet.
  std::array<std::array<std::uint64_t, 4>, 4> ecn_decap;  // Inner × outer: the cells of RFC 6040.
};

// Per worker and remote VTEP.
struct VtepCounters {
  std::uint64_t encap_packets;
  std::uint64_t encap_bytes;  // Of tenant frames, tunnel headers not counted.
  std::uint64_t decap_packets;
  std::uint64_t decap_bytes;
};

// Per port, written by the housekeeper once a second and on events.
struct PortState {
  std::uint64_t present;  // 0 or 1.
  std::uint64_t link_up;
  std::uint64_t link_speed_mbps;
  std::uint64_t rx_queues;
  std::uint64_t tx_queues;
  std::uint64_t rx_descriptors;
  std::uint64_t tx_descriptors;
  std::uint64_t mtu;
  std::array<std::uint64_t, drop_reason_slots>
      device_drops;  // Reasons before rx, and tx_device_error.
  std::array<char, 32> name;
  std::array<char, 32> driver;  // "net_tap"; of an xdp port also how: "xdp native copy".
  std::uint64_t interface_gone;
  std::uint64_t socket;  // NUMA node of the device, or nowhere.
};

// Of a core or socket that nobody knows, or that there is none of.
inline constexpr std::uint64_t nowhere = 0xffff'ffff;

// Per worker, written by the housekeeper as it starts.
struct WorkerPlace {
  std::uint64_t core;    // That it is pinned to, or nowhere.
  std::uint64_t socket;  // NUMA node of that core, or nowhere.
};

// Who owns a port's egress queue: for as long as the data plane lives, so that its counters have
// one writer.
constexpr base::WorkerId home_worker(base::PortId port, std::size_t worker_count) noexcept {
  return base::WorkerId{static_cast<std::uint16_t>(port.value % worker_count)};
}

// Who reads an rx queue. By port and queue alone, so that another port's coming or going moves no
// queue to another worker: that could reorder a flow.
constexpr base::WorkerId reading_worker(base::PortId port, std::uint32_t queue,
                                        std::size_t worker_count) noexcept {
  return base::WorkerId{static_cast<std::uint16_t>((port.value + queue) % worker_count)};
}

inline constexpr std::size_t depth_slots = 24;  // Of QueueCounters::depth_packets_at.
// Where each of them ends; the last has no end.
inline constexpr std::array<std::string_view, depth_slots> depth_names{
    "1KiB",   "2KiB",   "4KiB",   "8KiB",   "16KiB", "32KiB", "64KiB", "128KiB",
    "256KiB", "512KiB", "1MiB",   "2MiB",   "4MiB",  "8MiB",  "16MiB", "32MiB",
    "64MiB",  "128MiB", "256MiB", "512MiB", "1GiB",  "2GiB",  "4GiB",  "unbounded"};

// Per port and traffic class, written by the port's home worker.
struct QueueCounters {
  std::uint64_t tx_packets;  // That left the queue for the port, or passed it while it was empty.
  std::uint64_t tx_bytes;
  std::uint64_t waited_packets;  // Of them, those that were held.
  std::uint64_t marked_packets;  // ECT until here, CE from here on.
  std::uint64_t marked_bytes;
  std::uint64_t marked_before_packets;   // To be marked, and CE already.
  std::uint64_t not_ect_packets;         // To be marked, but Not-ECT; passed.
  std::uint64_t exempt_packets;          // To be marked, but ACK, CNP or CM; passed.
  std::uint64_t marker_dropped_packets;  // To be marked, but Not-ECT; dropped.
  // Sum of the probabilities with which packets were to be marked: a millionth of it is how many
  // of them (marked, marked before, Not-ECT, exempt) the curve lets one expect.
  std::uint64_t mark_probability_ppm;
  std::uint64_t full_dropped_packets;
  // Time that a rate would have let frames pass and the worker was not there, beyond the burst.
  std::uint64_t late_ns;
  std::uint64_t depth_bytes;  // Waiting now, on their way from other workers included.
  std::uint64_t depth_packets;
  std::uint64_t depth_bytes_max;  // Highest since the port was first opened.
  // Packets that waited, by the bytes that waited when they left, themselves included: position 0
  // below 1 KiB, each next one up to twice as many.
  std::array<std::uint64_t, depth_slots> depth_packets_at;
};

// Per next hop, written by the housekeeper once a second and when it changes.
struct NextHopState {
  std::uint64_t present;   // 0 or 1.
  std::uint64_t usable;    // Its MAC is known and its port has a link: frames may go there.
  std::uint64_t resolved;  // Its MAC is known.
  std::uint64_t link_up;   // Of its port.
  std::uint64_t changes;   // Times that it became usable, or no longer was.
  std::array<char, 24> mac;
};

// Per neighbour, written by the housekeeper once a second and when it changes: what somebody at the
// other end of a port has (a next hop), and what is ours there. Without an address: nobody's place.
struct NeighbourState {
  std::uint64_t own;         // 1: an address of ours; 0: a next hop.
  std::uint64_t usable;      // A next hop's MAC is known; an address of ours is answered for.
  std::uint64_t since_ns;    // CLOCK_MONOTONIC of its state, or its MAC where it has one.
  std::uint64_t moves;       // Times that it got another MAC.
  std::uint64_t losses;      // Times that it no longer answered.
  std::uint64_t conflicts;   // Times that another one claimed it.
  std::uint64_t duplicates;  // Times that another one had it before us.
  std::array<char, 32> port;
  std::array<char, 48> address;
  std::array<char, 24> mac;    // Empty while it is not known.
  std::array<char, 16> state;  // As NeighbourList says it: "reachable".
};

// Written by the housekeeper.
struct GlobalState {
  std::uint64_t boot_id;
  std::uint64_t generation;    // In force.
  std::uint64_t started_ns;    // CLOCK_MONOTONIC.
  std::uint64_t heartbeat_ns;  // CLOCK_MONOTONIC of the housekeeper's last turn.
  std::uint64_t commits;
  std::uint64_t commits_refused;
  std::uint64_t controller_connected;
  std::uint64_t tsc_hz;
  std::uint64_t mbufs_capacity;
  std::uint64_t mbufs_in_use;
  std::uint64_t networks_used;
  std::uint64_t networks_capacity;
  std::uint64_t vteps_used;
  std::uint64_t vteps_capacity;
  std::uint64_t endpoints_used;
  std::uint64_t endpoints_capacity;
  std::uint64_t ports_used;
  std::uint64_t ports_capacity;
  std::uint64_t hugepages;    // 1: packet memory is on hugepages.
  std::uint64_t traces_lost;  // Traced packets for which the ring had no room.
  std::uint64_t next_hops_used;
  std::uint64_t next_hops_capacity;
  std::uint64_t neighbour_messages;    // ARP and neighbour discovery that reached the housekeeper.
  std::uint64_t neighbour_faults;      // Of them, those that were not believed or not understood.
  std::uint64_t neighbour_questions;   // Sent.
  std::uint64_t neighbour_answers;     // Sent, announcements included.
  std::uint64_t neighbour_limited;     // Questions or claims ignored: too many a second.
  std::uint64_t neighbour_moves;       // Next hops that got another MAC.
  std::uint64_t neighbour_losses;      // Next hops that no longer answered.
  std::uint64_t neighbour_conflicts;   // Addresses that two claimed.
  std::uint64_t neighbour_unsent;      // Questions and answers for which no buffer was free.
  std::uint64_t neighbour_duplicates;  // Addresses of ours that somebody had before us.
  std::uint64_t neighbours_unlisted;   // For which the region has no NeighbourState.
  std::uint64_t endpoints_adopted;     // From the file of the process before, at start.
  std::uint64_t table_file_bytes;      // Memory that file takes now; 0: there is none.
};

// For single-writer counters in shared memory: a plain load, add and store, which a reader on
// another core cannot see half of. Relaxed: the value orders nothing else.
inline void add(std::uint64_t& counter, std::uint64_t amount) noexcept {
  std::atomic_ref<std::uint64_t> shared(counter);
  shared.store(shared.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

inline void set(std::uint64_t& gauge, std::uint64_t value) noexcept {
  std::atomic_ref<std::uint64_t>(gauge).store(value, std::memory_order_relaxed);
}

}  // namespace contract
