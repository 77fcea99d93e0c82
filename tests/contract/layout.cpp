// SPDX-License-Identifier: Apache-2.0
// Golden sizes and offsets of everything that crosses between the processes. A number that must be
// changed here is a change of the contract: dataplane/contract/README.md says how that is done.
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/counters.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/contract/region.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace contract {
namespace {

TEST(Layout, frame_header_is_as_released) {
  EXPECT_EQ(sizeof(FrameHeader), 24u);
  EXPECT_EQ(offsetof(FrameHeader, magic), 0u);
  EXPECT_EQ(offsetof(FrameHeader, size), 4u);
  EXPECT_EQ(offsetof(FrameHeader, type), 8u);
  EXPECT_EQ(offsetof(FrameHeader, version), 10u);
  EXPECT_EQ(offsetof(FrameHeader, record_size), 12u);
  EXPECT_EQ(offsetof(FrameHeader, record_count), 14u);
  EXPECT_EQ(offsetof(FrameHeader, transaction), 16u);
  EXPECT_EQ(offsetof(FrameHeader, sequence), 20u);
}

TEST(Layout, session_verbs_are_as_released) {
  EXPECT_EQ(sizeof(Hello), 80u);
  EXPECT_EQ(offsetof(Hello, version_max), 2u);
  EXPECT_EQ(offsetof(Hello, pid), 4u);
  EXPECT_EQ(offsetof(Hello, features), 8u);
  EXPECT_EQ(offsetof(Hello, program), 16u);
  EXPECT_EQ(offsetof(Hello, release), 48u);
  EXPECT_EQ(sizeof(Begin), 4u);
  EXPECT_EQ(sizeof(Commit), 4u);
  EXPECT_EQ(sizeof(Abort), 4u);
}

TEST(Layout, port_records_are_as_released) {
  EXPECT_EQ(sizeof(PortAdd), 296u);
  EXPECT_EQ(offsetof(PortAdd, rx_queues), 2u);
  EXPECT_EQ(offsetof(PortAdd, rx_descriptors), 4u);
  EXPECT_EQ(offsetof(PortAdd, tx_descriptors), 6u);
  EXPECT_EQ(offsetof(PortAdd, name), 8u);
  EXPECT_EQ(offsetof(PortAdd, device), 40u);
  EXPECT_EQ(sizeof(PortRemove), 2u);
  EXPECT_EQ(sizeof(PortSet), 176u);
  EXPECT_EQ(offsetof(PortSet, role), 2u);
  EXPECT_EQ(offsetof(PortSet, neighbours), 3u);
  EXPECT_EQ(offsetof(PortSet, network), 4u);
  EXPECT_EQ(offsetof(PortSet, transit_peer), 6u);
  EXPECT_EQ(offsetof(PortSet, mtu), 8u);
  EXPECT_EQ(offsetof(PortSet, vlan), 10u);
  EXPECT_EQ(offsetof(PortSet, addresses), 12u);
  EXPECT_EQ(sizeof(PortAddress), 18u);
  EXPECT_EQ(offsetof(PortAddress, prefix_length), 16u);
  EXPECT_EQ(offsetof(PortSet, parent), 156u);
  EXPECT_EQ(offsetof(PortSet, inner_vlan), 158u);
  EXPECT_EQ(offsetof(PortSet, rate), 160u);
  EXPECT_EQ(offsetof(PortSet, burst), 168u);
}

TEST(Layout, overlay_records_are_as_released) {
  EXPECT_EQ(sizeof(NetworkSet), 268u);
  EXPECT_EQ(offsetof(NetworkSet, flood_vtep_count), 2u);
  EXPECT_EQ(offsetof(NetworkSet, vni), 4u);
  EXPECT_EQ(offsetof(NetworkSet, flood_unknown_unicast), 8u);
  EXPECT_EQ(offsetof(NetworkSet, flood_vteps), 12u);
  EXPECT_EQ(sizeof(NetworkRemove), 2u);
  EXPECT_EQ(sizeof(VtepSet), 38u);
  EXPECT_EQ(offsetof(VtepSet, kind), 2u);
  EXPECT_EQ(offsetof(VtepSet, dscp_mode), 3u);
  EXPECT_EQ(offsetof(VtepSet, dscp), 4u);
  EXPECT_EQ(offsetof(VtepSet, ttl), 5u);
  EXPECT_EQ(offsetof(VtepSet, source), 6u);
  EXPECT_EQ(offsetof(VtepSet, port), 8u);
  EXPECT_EQ(offsetof(VtepSet, next_hop_mac), 10u);
  EXPECT_EQ(offsetof(VtepSet, address), 16u);
  EXPECT_EQ(offsetof(VtepSet, udp_checksum), 32u);
  EXPECT_EQ(offsetof(VtepSet, next_hops), 34u);
  EXPECT_EQ(sizeof(VtepRemove), 2u);
  EXPECT_EQ(sizeof(NextHopSet), 26u);
  EXPECT_EQ(offsetof(NextHopSet, port), 2u);
  EXPECT_EQ(offsetof(NextHopSet, mac), 4u);
  EXPECT_EQ(offsetof(NextHopSet, address), 10u);
  EXPECT_EQ(sizeof(NextHopRemove), 2u);
  EXPECT_EQ(sizeof(EndpointSet), 12u);
  EXPECT_EQ(offsetof(EndpointSet, mac), 2u);
  EXPECT_EQ(offsetof(EndpointSet, place), 8u);
  EXPECT_EQ(offsetof(EndpointSet, target), 10u);
  EXPECT_EQ(sizeof(EndpointRemove), 8u);
  EXPECT_EQ(offsetof(EndpointRemove, mac), 2u);
}

TEST(Layout, host_rules_are_as_released) {
  EXPECT_EQ(sizeof(HostRuleSet), 12u);
  EXPECT_EQ(offsetof(HostRuleSet, action), 1u);
  EXPECT_EQ(offsetof(HostRuleSet, rate), 4u);
  EXPECT_EQ(offsetof(HostRuleSet, burst), 8u);
  EXPECT_EQ(sizeof(HostRuleRemove), 1u);
  EXPECT_EQ(static_cast<int>(HostClass::neighbour), 0);
  EXPECT_EQ(static_cast<int>(HostClass::other), 8);
  EXPECT_EQ(static_cast<int>(PortRole::host), 4);
}

TEST(Layout, trace_records_are_as_released) {
  EXPECT_EQ(sizeof(TraceAdd), 68u);
  EXPECT_EQ(offsetof(TraceAdd, count), 4u);
  EXPECT_EQ(offsetof(TraceAdd, fields), 8u);
  EXPECT_EQ(offsetof(TraceAdd, port), 10u);
  EXPECT_EQ(offsetof(TraceAdd, network), 12u);
  EXPECT_EQ(offsetof(TraceAdd, kind), 14u);
  EXPECT_EQ(offsetof(TraceAdd, ecn), 15u);
  EXPECT_EQ(offsetof(TraceAdd, destination_qp), 16u);
  EXPECT_EQ(offsetof(TraceAdd, reason), 20u);
  EXPECT_EQ(offsetof(TraceAdd, source_mac), 24u);
  EXPECT_EQ(offsetof(TraceAdd, destination_mac), 30u);
  EXPECT_EQ(offsetof(TraceAdd, source_ip), 36u);
  EXPECT_EQ(offsetof(TraceAdd, destination_ip), 52u);
  EXPECT_EQ(sizeof(TraceRemove), 4u);
  EXPECT_EQ(sizeof(TraceHop), 16u);
  EXPECT_EQ(offsetof(TraceHop, destination_qp), 8u);
  EXPECT_EQ(offsetof(TraceHop, reason), 14u);
  EXPECT_EQ(sizeof(TracePacket), 688u);
  EXPECT_EQ(offsetof(TracePacket, time_ns), 8u);
  EXPECT_EQ(offsetof(TracePacket, worker), 24u);
  EXPECT_EQ(offsetof(TracePacket, hop_count), 28u);
  EXPECT_EQ(offsetof(TracePacket, bytes_in), 32u);
  EXPECT_EQ(offsetof(TracePacket, hops), 40u);
  EXPECT_EQ(offsetof(TracePacket, head_in), 296u);
  EXPECT_EQ(offsetof(TracePacket, head_out), 488u);
  EXPECT_EQ(offsetof(TracePacket, destination_mac), 680u);
}

TEST(Layout, replies_are_as_released) {
  EXPECT_EQ(sizeof(HelloReply), 128u);
  EXPECT_EQ(offsetof(HelloReply, worker_count), 2u);
  EXPECT_EQ(offsetof(HelloReply, pid), 4u);
  EXPECT_EQ(offsetof(HelloReply, features), 8u);
  EXPECT_EQ(offsetof(HelloReply, boot_id), 16u);
  EXPECT_EQ(offsetof(HelloReply, generation), 24u);
  EXPECT_EQ(offsetof(HelloReply, digests), 32u);
  EXPECT_EQ(offsetof(HelloReply, region_bytes), 64u);
  EXPECT_EQ(offsetof(HelloReply, network_capacity), 72u);
  EXPECT_EQ(offsetof(HelloReply, port_capacity), 84u);
  EXPECT_EQ(offsetof(HelloReply, release), 88u);
  EXPECT_EQ(offsetof(HelloReply, next_hop_capacity), 120u);
  EXPECT_EQ(sizeof(Reply), 192u);
  EXPECT_EQ(offsetof(Reply, refused_record), 4u);
  EXPECT_EQ(offsetof(Reply, error_number), 8u);
  EXPECT_EQ(offsetof(Reply, text), 12u);
  EXPECT_EQ(sizeof(CommitReply), 232u);
  EXPECT_EQ(offsetof(CommitReply, refused_port), 2u);
  EXPECT_EQ(offsetof(CommitReply, error_number), 4u);
  EXPECT_EQ(offsetof(CommitReply, generation), 8u);
  EXPECT_EQ(offsetof(CommitReply, digests), 16u);
  EXPECT_EQ(offsetof(CommitReply, text), 48u);
  EXPECT_EQ(sizeof(NeighbourChange), 32u);
  EXPECT_EQ(offsetof(NeighbourChange, mac), 4u);
  EXPECT_EQ(offsetof(NeighbourChange, before), 10u);
  EXPECT_EQ(offsetof(NeighbourChange, address), 16u);
  EXPECT_EQ(sizeof(LinkChange), 8u);
  EXPECT_EQ(offsetof(LinkChange, gone), 3u);
  EXPECT_EQ(offsetof(LinkChange, speed_mbps), 4u);
}

TEST(Layout, region_description_is_as_released) {
  EXPECT_EQ(sizeof(RegionHeader), 48u);
  EXPECT_EQ(sizeof(LabelList), 48u);
  EXPECT_EQ(sizeof(Dimension), 48u);
  EXPECT_EQ(sizeof(Field), 424u);
  EXPECT_EQ(offsetof(Field, unit), 64u);
  EXPECT_EQ(offsetof(Field, help), 80u);
  EXPECT_EQ(offsetof(Field, kind), 208u);
  EXPECT_EQ(offsetof(Field, offset), 216u);
  EXPECT_EQ(offsetof(Field, dimension_count), 224u);
  EXPECT_EQ(offsetof(Field, dimensions), 232u);
}

TEST(Layout, queues_are_as_released) {
  EXPECT_EQ(sizeof(QueueSet), 48u);
  EXPECT_EQ(offsetof(QueueSet, traffic_class), 2u);
  EXPECT_EQ(offsetof(QueueSet, mark), 3u);
  EXPECT_EQ(offsetof(QueueSet, carries), 4u);
  EXPECT_EQ(offsetof(QueueSet, drop_not_ect), 5u);
  EXPECT_EQ(offsetof(QueueSet, mark_control), 6u);
  EXPECT_EQ(offsetof(QueueSet, dscp), 8u);
  EXPECT_EQ(offsetof(QueueSet, rate), 16u);
  EXPECT_EQ(offsetof(QueueSet, burst), 24u);
  EXPECT_EQ(offsetof(QueueSet, buffer), 28u);
  EXPECT_EQ(offsetof(QueueSet, kmin), 32u);
  EXPECT_EQ(offsetof(QueueSet, kmax), 36u);
  EXPECT_EQ(offsetof(QueueSet, pmax), 40u);
  EXPECT_EQ(sizeof(QueueRemove), 4u);
}

TEST(Layout, verbs_and_events_keep_their_numbers) {
  EXPECT_EQ(static_cast<int>(Verb::hello), 1);
  EXPECT_EQ(static_cast<int>(Verb::abort), 4);
  EXPECT_EQ(static_cast<int>(Verb::port_add), 10);
  EXPECT_EQ(static_cast<int>(Verb::port_set), 12);
  EXPECT_EQ(static_cast<int>(Verb::network_remove), 21);
  EXPECT_EQ(static_cast<int>(Verb::vtep_remove), 31);
  EXPECT_EQ(static_cast<int>(Verb::endpoint_remove), 41);
  EXPECT_EQ(static_cast<int>(Verb::next_hop_set), 50);
  EXPECT_EQ(static_cast<int>(Verb::next_hop_remove), 51);
  EXPECT_EQ(static_cast<int>(Verb::trace_remove), 61);
  EXPECT_EQ(static_cast<int>(Verb::host_rule_set), 70);
  EXPECT_EQ(static_cast<int>(Verb::host_rule_remove), 71);
  EXPECT_EQ(static_cast<int>(Verb::queue_set), 80);
  EXPECT_EQ(static_cast<int>(Verb::queue_remove), 81);
  EXPECT_EQ(static_cast<int>(EventType::hello_reply), 101);
  EXPECT_EQ(static_cast<int>(EventType::commit_reply), 103);
  EXPECT_EQ(static_cast<int>(EventType::trace_packet), 120);
}

}  // namespace
}  // namespace contract
