// SPDX-License-Identifier: Apache-2.0
// Every member of counters.hpp with unit and help. Forget one and tests/contract says which bytes
// of which block nobody describes.
#include "dataplane/contract/gaps.hpp"
#include "dataplane/contract/region_fields.hpp"

namespace contract {
namespace {

using enum FieldKind;

constexpr MemberDimension by_reason{.name = "drop_reason",
                                    .labels = Labels::drop_reason,
                                    .count = drop_reason_count,
                                    .slots = drop_reason_slots,
                                    .stride_bytes = 8};
constexpr MemberDimension by_kind{.name = "packet_kind",
                                  .labels = Labels::packet_kind,
                                  .count = packet_kind_count,
                                  .slots = packet_kind_slots,
                                  .stride_bytes = 4 * 8};

constexpr MemberDimension by_host_class{.name = "host_class",
                                        .labels = Labels::host_class,
                                        .count = host_class_count,
                                        .slots = host_class_slots,
                                        .stride_bytes = 8};

constexpr MemberDimension by_ecn(std::string_view name, std::uint32_t stride_bytes = 8) {
  return {.name = name,
          .labels = Labels::ecn,
          .count = ecn_names.size(),
          .slots = ecn_names.size(),
          .stride_bytes = stride_bytes};
}

constexpr Member worker_list[] = {
    {"sequence", "writes", gauge, "Odd while the worker writes these totals.",
     offsetof(WorkerTotals, sequence)},
    {"rx", "packets", counter, "Packets taken from ports.", offsetof(WorkerTotals, rx)},
    {"created", "packets", counter, "Copies made by flooding.", offsetof(WorkerTotals, created)},
    {"taken_over", "packets", counter, "Packets taken from other workers' hand-over rings.",
     offsetof(WorkerTotals, taken_over)},
    {"tx", "packets", counter, "Packets that ports accepted.", offsetof(WorkerTotals, tx)},
    {"dropped", "packets", counter, "Packets dropped, all reasons together.",
     offsetof(WorkerTotals, dropped)},
    {"consumed", "packets", counter, "Packets that ended here as meant, with an effect.",
     offsetof(WorkerTotals, consumed)},
    {"punted", "packets", counter, "Packets handed to the housekeeper.",
     offsetof(WorkerTotals, punted)},
    {"handed_over", "packets", counter, "Packets given to other workers' rings.",
     offsetof(WorkerTotals, handed_over)},
    {"held", "packets", gauge, "Packets in this worker's queues now, counted by walking them.",
     offsetof(WorkerTotals, held)},
    {"generation", "generations", gauge, "Configuration of the last batch or idle turn.",
     offsetof(WorkerTotals, generation)},
    {"turns", "turns", counter, "Rounds over all ports: the worker's heartbeat.",
     offsetof(WorkerTotals, turns)},
    {"turns_empty", "turns", counter, "Rounds that found no frame.",
     offsetof(WorkerTotals, turns_empty)},
    {"busy_cycles", "cycles", counter, "TSC cycles in rounds that found frames.",
     offsetof(WorkerTotals, busy_cycles)},
    {"idle_ns", "ns", counter, "Time asleep.", offsetof(WorkerTotals, idle_ns)},
    {"bursts", "bursts", counter, "Receive bursts with at least one frame.",
     offsetof(WorkerTotals, bursts)},
    {"drops",
     "packets",
     counter,
     "Packets dropped, by reason.",
     offsetof(WorkerTotals, drops),
     {by_reason}},
};

constexpr MemberDimension by_gap{"gap", Labels::gap, gap_slots, gap_slots + 2,
                                 sizeof(std::uint64_t)};

constexpr Member gap_list[] = {
    {"turns_by_gap",
     "turns",
     counter,
     "Rounds by the time since the round before, sleep not counted: less than so much.",
     offsetof(WorkerGaps, turns_by_gap),
     {by_gap}},
};

constexpr Member stage_list[] = {
    {"packets", "packets", counter, "Packets that entered the stage.",
     offsetof(StageCounters, packets)},
    {"packets_sampled", "packets", counter, "Of them, those in batches whose cycles were taken.",
     offsetof(StageCounters, packets_sampled)},
    {"cycles_sampled", "cycles", counter, "TSC cycles of the sampled batches in this stage.",
     offsetof(StageCounters, cycles_sampled)},
    {"drops",
     "packets",
     counter,
     "Packets that died in this stage, by reason.",
     offsetof(StageCounters, drops),
     {by_reason}},
};

constexpr Member port_list[] = {
    {"rx_packets", "packets", counter, "Frames received.", offsetof(PortCounters, rx_packets)},
    {"rx_bytes", "bytes", counter, "Bytes of received frames, from the Ethernet header on.",
     offsetof(PortCounters, rx_bytes)},
    {"tx_packets", "packets", counter, "Frames that the device accepted.",
     offsetof(PortCounters, tx_packets)},
    {"tx_bytes", "bytes", counter, "Bytes of sent frames, from the Ethernet header on.",
     offsetof(PortCounters, tx_bytes)},
    {"rx_kinds",
     "packets",
     counter,
     "Received frames by kind of the tenant's packet and by ECN of the outermost IP header.",
     offsetof(PortCounters, rx_kinds),
     {by_kind, by_ecn("ecn")}},
    {"host_passed",
     "packets",
     counter,
     "Received frames for the host itself that were handed to its kernel, by class.",
     offsetof(PortCounters, host_passed),
     {by_host_class}},
    {"host_policed",
     "packets",
     counter,
     "Received frames for the host itself above the rate of their class.",
     offsetof(PortCounters, host_policed),
     {by_host_class}},
    {"host_refused",
     "packets",
     counter,
     "Received frames for the host itself of classes that a rule drops.",
     offsetof(PortCounters, host_refused),
     {by_host_class}},
};

constexpr Member network_list[] = {
    {"encap_packets", "packets", counter, "Packets sent into tunnels, copies included.",
     offsetof(NetworkCounters, encap_packets)},
    {"encap_bytes", "bytes", counter, "Bytes of tenant frames sent into tunnels.",
     offsetof(NetworkCounters, encap_bytes)},
    {"decap_packets", "packets", counter, "Packets taken out of tunnels.",
     offsetof(NetworkCounters, decap_packets)},
    {"decap_bytes", "bytes", counter, "Bytes of tenant frames taken out of tunnels.",
     offsetof(NetworkCounters, decap_bytes)},
    {"local_packets", "packets", counter, "Packets from tenant port to tenant port here.",
     offsetof(NetworkCounters, local_packets)},
    {"local_bytes", "bytes", counter, "Bytes of frames from tenant port to tenant port here.",
     offsetof(NetworkCounters, local_bytes)},
    {"flooded_packets", "packets", counter,
     "Frames that were flooded; their copies are counted as created by the worker.",
     offsetof(NetworkCounters, flooded_packets)},
    {"ecn_encap",
     "packets",
     counter,
     "Encapsulated packets by ECN of the tenant's packet.",
     offsetof(NetworkCounters, ecn_encap),
     {by_ecn("ecn")}},
    {"ecn_decap",
     "packets",
     counter,
     "Decapsulated packets by inner and outer ECN: the cells of RFC 6040.",
     offsetof(NetworkCounters, ecn_decap),
     {by_ecn("inner_ecn", 4 * 8), by_ecn("outer_ecn")}},
};

constexpr Member vtep_list[] = {
    {"encap_packets", "packets", counter, "Packets sent to this VTEP.",
     offsetof(VtepCounters, encap_packets)},
    {"encap_bytes", "bytes", counter, "Bytes of tenant frames sent to this VTEP.",
     offsetof(VtepCounters, encap_bytes)},
    {"decap_packets", "packets", counter, "Packets received from this VTEP.",
     offsetof(VtepCounters, decap_packets)},
    {"decap_bytes", "bytes", counter, "Bytes of tenant frames received from this VTEP.",
     offsetof(VtepCounters, decap_bytes)},
};

constexpr Member port_state_list[] = {
    {"present", "bool", gauge, "1: the port exists.", offsetof(PortState, present)},
    {"link_up", "bool", gauge, "1: the device reports a link.", offsetof(PortState, link_up)},
    {"link_speed_mbps", "mbps", gauge, "Speed of the link; 0: the device does not say.",
     offsetof(PortState, link_speed_mbps)},
    {"rx_queues", "queues", gauge, "Receive queues in use.", offsetof(PortState, rx_queues)},
    {"tx_queues", "queues", gauge, "Transmit queues in use.", offsetof(PortState, tx_queues)},
    {"rx_descriptors", "frames", gauge, "Room of each receive ring.",
     offsetof(PortState, rx_descriptors)},
    {"tx_descriptors", "frames", gauge, "Room of each transmit ring.",
     offsetof(PortState, tx_descriptors)},
    {"mtu", "bytes", gauge, "Largest IP packet that may leave here.", offsetof(PortState, mtu)},
    {"device_drops",
     "packets",
     counter,
     "Frames lost by device or kernel before a worker saw them or after it sent them, by reason.",
     offsetof(PortState, device_drops),
     {by_reason}},
    {"name",
     "text",
     text,
     "The port as the operator calls it.",
     offsetof(PortState, name),
     {},
     sizeof(PortState::name)},
    {"driver",
     "text",
     text,
     "What drives the device; of an xdp port also its mode and whether frames are copied.",
     offsetof(PortState, driver),
     {},
     sizeof(PortState::driver)},
    {"interface_gone", "bool", gauge,
     "1: the kernel's interface that the port stands on was removed.",
     offsetof(PortState, interface_gone)},
    {"socket", "id", gauge, "NUMA node of the device; 4294967295: none, or not known.",
     offsetof(PortState, socket)},
};

constexpr Member worker_place_list[] = {
    {"core", "id", gauge, "Core that the worker is pinned to; 4294967295: none.",
     offsetof(WorkerPlace, core)},
    {"socket", "id", gauge, "NUMA node of that core; 4294967295: none, or not known.",
     offsetof(WorkerPlace, socket)},
};

constexpr MemberDimension by_depth{"depth", Labels::depth, depth_slots, depth_slots,
                                   sizeof(std::uint64_t)};

constexpr Member queue_list[] = {
    {"tx_packets", "packets", counter, "Left the queue for the port, or passed it while empty.",
     offsetof(QueueCounters, tx_packets)},
    {"tx_bytes", "bytes", counter, "Of them.", offsetof(QueueCounters, tx_bytes)},
    {"waited_packets", "packets", counter, "Left the queue after they had waited in it.",
     offsetof(QueueCounters, waited_packets)},
    {"marked_packets", "packets", counter, "Were ECT and left with CE.",
     offsetof(QueueCounters, marked_packets)},
    {"marked_bytes", "bytes", counter, "Of them.", offsetof(QueueCounters, marked_bytes)},
    {"marked_before_packets", "packets", counter, "Were to be marked and had CE already.",
     offsetof(QueueCounters, marked_before_packets)},
    {"not_ect_packets", "packets", counter, "Were to be marked but Not-ECT, and passed.",
     offsetof(QueueCounters, not_ect_packets)},
    {"exempt_packets", "packets", counter, "Were to be marked but ACK, CNP or CM, and passed.",
     offsetof(QueueCounters, exempt_packets)},
    {"marker_dropped_packets", "packets", counter, "Were to be marked but Not-ECT, and died.",
     offsetof(QueueCounters, marker_dropped_packets)},
    {"mark_probability_ppm", "ppm", counter,
     "Sum of the probabilities with which packets were to be marked.",
     offsetof(QueueCounters, mark_probability_ppm)},
    {"full_dropped_packets", "packets", counter, "Died because the buffer was full.",
     offsetof(QueueCounters, full_dropped_packets)},
    {"late_ns", "ns", counter, "A rate let packets pass, and the worker was not there in time.",
     offsetof(QueueCounters, late_ns)},
    {"depth_bytes", "bytes", gauge, "Waiting now.", offsetof(QueueCounters, depth_bytes)},
    {"depth_packets", "packets", gauge, "Waiting now.", offsetof(QueueCounters, depth_packets)},
    {"depth_bytes_max", "bytes", gauge, "Most that has waited since the port was first opened.",
     offsetof(QueueCounters, depth_bytes_max)},
    {"depth_packets_at",
     "packets",
     counter,
     "Waited, and left while less than so much did.",
     offsetof(QueueCounters, depth_packets_at),
     {by_depth}},
};

constexpr Member next_hop_list[] = {
    {"present", "bool", gauge, "1: the next hop exists.", offsetof(NextHopState, present)},
    {"usable", "bool", gauge, "1: frames may go there: MAC known, link up.",
     offsetof(NextHopState, usable)},
    {"resolved", "bool", gauge, "1: its MAC is known.", offsetof(NextHopState, resolved)},
    {"link_up", "bool", gauge, "1: its port reports a link.", offsetof(NextHopState, link_up)},
    {"changes", "changes", counter, "Times that it became usable, or no longer was.",
     offsetof(NextHopState, changes)},
    {"mac",
     "text",
     text,
     "Its MAC, static or resolved; empty while it is not known.",
     offsetof(NextHopState, mac),
     {},
     sizeof(NextHopState::mac)},
};

constexpr Member neighbour_list[] = {
    {"own", "bool", gauge, "1: an address of ours; 0: a next hop.", offsetof(NeighbourState, own)},
    {"usable", "bool", gauge, "1: a next hop's MAC is known, or an address of ours answered for.",
     offsetof(NeighbourState, usable)},
    {"since_ns", "ns", gauge, "CLOCK_MONOTONIC when it got its MAC or, without one, its state.",
     offsetof(NeighbourState, since_ns)},
    {"moves", "moves", counter, "Times that it got another MAC.", offsetof(NeighbourState, moves)},
    {"losses", "losses", counter, "Times that it no longer answered.",
     offsetof(NeighbourState, losses)},
    {"conflicts", "conflicts", counter, "Times that another one claimed it.",
     offsetof(NeighbourState, conflicts)},
    {"duplicates", "duplicates", counter, "Times that another one had it before us.",
     offsetof(NeighbourState, duplicates)},
    {"port",
     "text",
     text,
     "The port on whose link it is.",
     offsetof(NeighbourState, port),
     {},
     sizeof(NeighbourState::port)},
    {"address",
     "text",
     text,
     "Its address; empty: nobody has this place.",
     offsetof(NeighbourState, address),
     {},
     sizeof(NeighbourState::address)},
    {"mac",
     "text",
     text,
     "Its MAC; empty while it is not known.",
     offsetof(NeighbourState, mac),
     {},
     sizeof(NeighbourState::mac)},
    {"state",
     "text",
     text,
     "incomplete, reachable, probed; of ours tentative, usable, duplicate.",
     offsetof(NeighbourState, state),
     {},
     sizeof(NeighbourState::state)},
};

constexpr Member global_list[] = {
    {"boot_id", "id", gauge, "Random per start of the data plane.", offsetof(GlobalState, boot_id)},
    {"generation", "generations", gauge, "Configuration in force; grows by one per commit.",
     offsetof(GlobalState, generation)},
    {"started_ns", "ns", gauge, "CLOCK_MONOTONIC at the start of the data plane.",
     offsetof(GlobalState, started_ns)},
    {"heartbeat_ns", "ns", gauge, "CLOCK_MONOTONIC of the housekeeper's last turn.",
     offsetof(GlobalState, heartbeat_ns)},
    {"commits", "commits", counter, "Transactions put in force.", offsetof(GlobalState, commits)},
    {"commits_refused", "commits", counter, "Transactions refused at their commit.",
     offsetof(GlobalState, commits_refused)},
    {"controller_connected", "bool", gauge, "1: a control plane is connected.",
     offsetof(GlobalState, controller_connected)},
    {"tsc_hz", "hertz", gauge, "Cycles per second of the time-stamp counter.",
     offsetof(GlobalState, tsc_hz)},
    {"mbufs_capacity", "mbufs", gauge, "Packet buffers in the pool.",
     offsetof(GlobalState, mbufs_capacity)},
    {"mbufs_in_use", "mbufs", gauge, "Packet buffers that are not free.",
     offsetof(GlobalState, mbufs_in_use)},
    {"networks_used", "entries", gauge, "Networks configured.",
     offsetof(GlobalState, networks_used)},
    {"networks_capacity", "entries", gauge, "Room for networks (--networks).",
     offsetof(GlobalState, networks_capacity)},
    {"vteps_used", "entries", gauge, "VTEPs configured.", offsetof(GlobalState, vteps_used)},
    {"vteps_capacity", "entries", gauge, "Room for VTEPs (--vteps).",
     offsetof(GlobalState, vteps_capacity)},
    {"endpoints_used", "entries", gauge, "Endpoints configured.",
     offsetof(GlobalState, endpoints_used)},
    {"endpoints_capacity", "entries", gauge, "Room for endpoints (--endpoints).",
     offsetof(GlobalState, endpoints_capacity)},
    {"ports_used", "entries", gauge, "Ports that exist.", offsetof(GlobalState, ports_used)},
    {"ports_capacity", "entries", gauge, "Room for ports.", offsetof(GlobalState, ports_capacity)},
    {"hugepages", "bool", gauge, "1: packet memory is on hugepages.",
     offsetof(GlobalState, hugepages)},
    {"traces_lost", "packets", counter, "Traced packets for which the ring had no room.",
     offsetof(GlobalState, traces_lost)},
    {"next_hops_used", "entries", gauge, "Next hops configured.",
     offsetof(GlobalState, next_hops_used)},
    {"next_hops_capacity", "entries", gauge, "Room for next hops (--next-hops).",
     offsetof(GlobalState, next_hops_capacity)},
    {"neighbour_messages", "packets", counter,
     "ARP and neighbour discovery messages that reached the housekeeper.",
     offsetof(GlobalState, neighbour_messages)},
    {"neighbour_faults", "packets", counter,
     "Neighbour messages that were broken, forged or of no kind that we know.",
     offsetof(GlobalState, neighbour_faults)},
    {"neighbour_questions", "packets", counter, "ARP requests and neighbour solicitations sent.",
     offsetof(GlobalState, neighbour_questions)},
    {"neighbour_answers", "packets", counter,
     "ARP replies, neighbour advertisements and announcements sent.",
     offsetof(GlobalState, neighbour_answers)},
    {"neighbour_limited", "packets", counter,
     "Questions and claims of neighbours that were ignored: too many a second.",
     offsetof(GlobalState, neighbour_limited)},
    {"neighbour_moves", "moves", counter, "Times that a next hop got another MAC.",
     offsetof(GlobalState, neighbour_moves)},
    {"neighbour_losses", "losses", counter, "Times that a next hop no longer answered.",
     offsetof(GlobalState, neighbour_losses)},
    {"neighbour_conflicts", "conflicts", counter, "Times that two claimed one address.",
     offsetof(GlobalState, neighbour_conflicts)},
    {"neighbour_unsent", "packets", counter,
     "Questions and answers for which no buffer or ring had room.",
     offsetof(GlobalState, neighbour_unsent)},
    {"neighbour_duplicates", "duplicates", counter,
     "Times that somebody had an address of ours before us.",
     offsetof(GlobalState, neighbour_duplicates)},
    {"neighbours_unlisted", "neighbours", gauge,
     "Neighbours for which this region has no room: they work, but are not listed.",
     offsetof(GlobalState, neighbours_unlisted)},
    {"endpoints_adopted", "entries", gauge,
     "Endpoints taken over at the start from the table file of the process before.",
     offsetof(GlobalState, endpoints_adopted)},
    {"table_file_bytes", "bytes", gauge,
     "Memory of the file that keeps endpoints for the next process; 0: there is none.",
     offsetof(GlobalState, table_file_bytes)},
};

}  // namespace

std::span<const Member> worker_members() noexcept {
  return worker_list;
}
std::span<const Member> gap_members() noexcept {
  return gap_list;
}
std::span<const Member> stage_members() noexcept {
  return stage_list;
}
std::span<const Member> port_members() noexcept {
  return port_list;
}
std::span<const Member> network_members() noexcept {
  return network_list;
}
std::span<const Member> vtep_members() noexcept {
  return vtep_list;
}
std::span<const Member> port_state_members() noexcept {
  return port_state_list;
}
std::span<const Member> worker_place_members() noexcept {
  return worker_place_list;
}

std::span<const Member> next_hop_members() noexcept {
  return next_hop_list;
}
std::span<const Member> neighbour_members() noexcept {
  return neighbour_list;
}
std::span<const Member> queue_members() noexcept {
  return queue_list;
}
std::span<const Member> global_members() noexcept {
  return global_list;
}

}  // namespace contract
