// SPDX-License-Identifier: Apache-2.0
// The main path of one gateway, end to end: a tenant's frame into the tunnel, a tunnel's frame to
// the tenant, floods, isolation, accounting.
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace {

using contract::DropReason;
using contract::Ecn;
using contract::PacketKind;
using test::Bytes;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t blue = 1;
constexpr std::uint16_t self = 1;
constexpr std::uint16_t remote = 2;

template <class Header>
void append(Bytes& frame, const Header& header) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  frame.insert(frame.end(), bytes, bytes + sizeof header);
}

// An RC WRITE Middle of `payload` bytes, without a valid ICRC, which no stage looks at.
Bytes roce_frame(std::string_view source_mac, std::string_view destination_mac, std::uint8_t tos,
                 std::uint32_t qp = 0x100, std::size_t payload = 64) {
  Bytes frame;
  append(frame, dp::EthernetHeader{.destination = test::mac(destination_mac),
                                   .source = test::mac(source_mac),
                                   .type = base::be16(dp::ethertype::ipv4)});
  const auto udp_bytes = static_cast<std::uint16_t>(8 + 12 + payload + 4);
  dp::Ipv4Header ip{.version_ihl = 0x45,
                    .tos = tos,
                    .total_length = base::be16(static_cast<std::uint16_t>(20 + udp_bytes)),
                    .id = base::be16(7),
                    .flags_fragment = base::be16(0x4000),
                    .ttl = 64,
                    .protocol = 17,
                    .checksum = base::be16(0),
                    .source = test::ipv4("10.0.0.1"),
                    .destination = test::ipv4("10.0.0.2")};
  ip.checksum =
      base::be16::from_raw(static_cast<std::uint16_t>(~dp::fold(dp::sum_words(&ip, sizeof ip))));
  append(frame, ip);
  append(frame, dp::UdpHeader{.source = base::be16(49152),
                              .destination = base::be16(4791),
                              .length = base::be16(udp_bytes),
                              .checksum = base::be16(0)});
  append(frame, dp::BthHeader{.opcode = 0x07,
                              .flags = 0,
                              .partition_key = base::be16(0xffff),
                              .destination_qp_word = base::be32(qp),
                              .psn_word = base::be32(1)});
  frame.resize(frame.size() + payload + 4, 0xa5);
  return frame;
}

class Path : public test::OnWorkers {
 protected:
  void SetUp() override {
    gateway_.add_port(host, test::tenant_port(blue));
    gateway_.add_port(wire, test::underlay_port("02:70:63:61:70:00"));
    gateway_.set_local_vtep(self, "198.18.0.1");
    gateway_.set_remote_vtep(remote,
                             {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
    gateway_.set_network(blue, 100, true, std::array<std::uint16_t, 1>{remote});
    gateway_.set_endpoint(blue, "02:00:00:00:0a:01", test::at_port(host));
    gateway_.set_endpoint(blue, "02:00:00:00:0b:01", test::at_vtep(remote));
    gateway_.commit();
  }
  void TearDown() override {
    EXPECT_EQ(gateway_.mismatch(), 0);
    EXPECT_EQ(gateway_.mbufs_in_use(), 0u);
  }

  test::Gateway gateway_{on_workers()};
};

INSTANTIATE_TEST_SUITE_P(Workers, Path, test::one_and_two_workers);

TEST_P(Path, wraps_a_tenant_frame_for_the_remote_vtep) {
  const Bytes inner = roce_frame("02:00:00:00:0a:01", "02:00:00:00:0b:01", 0x6a);
  gateway_.offer(host, inner);
  gateway_.run();
  const auto sent = gateway_.take_sent(wire);

  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].size(), inner.size() + 50);
  EXPECT_TRUE(std::equal(inner.begin(), inner.end(), sent[0].begin() + 50));
  dp::UdpTunnelHeader<dp::Ipv4Header> outer;
  std::memcpy(&outer, sent[0].data(), sizeof outer);
  EXPECT_TRUE(dp::checksum_holds(outer.ip));
  EXPECT_EQ(outer.ip.tos, 0x6a);
  EXPECT_EQ(outer.ip.total_length.host(), inner.size() + 36);
  EXPECT_EQ(outer.udp.length.host(), inner.size() + 16);
  EXPECT_GE(outer.udp.source.host(), 49152);
  EXPECT_EQ(gateway_.kinds(host, PacketKind::roce_write, Ecn::ect0), 1u);
  EXPECT_EQ(gateway_.network_counters(blue).encap_packets, 1u);
  EXPECT_EQ(gateway_.vtep_counters(remote).encap_bytes, inner.size());
}

TEST_P(Path, brings_a_wrapped_frame_back_unchanged_except_for_ce) {
  const Bytes inner = roce_frame("02:00:00:00:0b:01", "02:00:00:00:0a:01", 0x6a);
  Bytes wrapped;
  dp::UdpTunnelHeader<dp::Ipv4Header> outer = dp::prepare_udp_tunnel(
      dp::UdpTunnelAddresses<dp::Ipv4Header>{.source_mac = test::mac("02:00:00:00:ff:02"),
                                             .next_hop_mac = test::mac("02:70:63:61:70:00"),
                                             .source = test::ipv4("198.18.0.2"),
                                             .destination = test::ipv4("198.18.0.1"),
                                             .ttl = 64,
                                             .udp_destination = 4789});
  dp::write_udp_tunnel(&outer, dp::front_of(outer), outer,
                       {.varying = dp::constant_sum(outer.ip),
                        .tos = 0x6b,
                        .source_port = 50000,
                        .payload_bytes = static_cast<std::uint16_t>(inner.size() + 8)});
  append(wrapped, outer);
  append(wrapped,
         dp::VxlanHeader{.flags = base::be32(0x08000000), .vni_reserved = base::be32(100 << 8)});
  wrapped.insert(wrapped.end(), inner.begin(), inner.end());
  gateway_.offer(wire, wrapped);
  gateway_.run();
  const auto sent = gateway_.take_sent(host);

  Bytes expected = inner;
  expected[15] = 0x6b;
  // RFC 1624: the TOS grew by one, so the checksum shrinks by one.
  const unsigned checksum = (expected[24] << 8 | expected[25]) - 1;
  expected[24] = static_cast<std::uint8_t>(checksum >> 8);
  expected[25] = static_cast<std::uint8_t>(checksum);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0], expected);
  EXPECT_EQ(gateway_.kinds(wire, PacketKind::roce_write, Ecn::ce), 1u);
  EXPECT_EQ(gateway_.network_counters(blue).ecn_decap[2][3], 1u);
}

TEST_P(Path, floods_broadcast_to_the_other_port_and_the_vtep) {
  gateway_.add_port(2, test::tenant_port(blue));
  gateway_.commit();
  gateway_.offer(host, roce_frame("02:00:00:00:0a:01", "ff:ff:ff:ff:ff:ff", 0));
  gateway_.run();

  EXPECT_EQ(gateway_.take_sent(wire).size(), 1u);
  EXPECT_EQ(gateway_.take_sent(2).size(), 1u);
  EXPECT_EQ(gateway_.take_sent(host).size(), 0u);
  EXPECT_EQ(gateway_.totals().created, 1u);
}

TEST_P(Path, counts_a_dropped_frame_under_its_stage_and_reason) {
  gateway_.set_network(blue, 100, false);
  gateway_.commit();
  gateway_.offer(host, roce_frame("02:00:00:00:0a:01", "02:00:00:00:0c:01", 0));
  gateway_.run();

  EXPECT_EQ(gateway_.stage_drops("host_to_wire/look_up_endpoint", DropReason::unknown_destination),
            1u);
  EXPECT_EQ(gateway_.drops(DropReason::unknown_destination), 1u);
}

TEST_P(Path, traces_a_frame_through_its_stages) {
  contract::TraceAdd wanted{};
  wanted.trace = 7;
  wanted.count = 1;
  ASSERT_TRUE(gateway_.trace_board().add(wanted));
  for (const std::uint16_t queue : {0, workers() - 1}) {
    gateway_.offer(host, roce_frame("02:00:00:00:0a:01", "02:00:00:00:0b:01", 0x6a), queue);
  }
  gateway_.run();
  const auto traces = gateway_.take_traces();

  ASSERT_EQ(traces.size(), 1u);
  EXPECT_EQ(traces[0].trace, 7u);
  ASSERT_EQ(traces[0].hop_count, 11u);
  EXPECT_EQ(gateway_.shape().stages[traces[0].hops[0].stage], "host_to_wire/gather_headers");
  EXPECT_EQ(gateway_.shape().stages[traces[0].hops[10].stage], "host_to_wire/transmit");
  EXPECT_EQ(traces[0].hops[10].vtep.value, remote);
  EXPECT_EQ(traces[0].hops[10].destination_qp, 0x100u);
  EXPECT_EQ(traces[0].bytes_out, traces[0].bytes_in + 50);
  EXPECT_EQ(gateway_.take_sent(wire).size(), 2u);
}

TEST_P(Path, a_trace_waits_for_frames_that_its_ring_has_room_for) {
  contract::TraceAdd wanted{};
  wanted.trace = 7;
  wanted.count = 150;
  ASSERT_TRUE(gateway_.trace_board().add(wanted));
  const Bytes frame = roce_frame("02:00:00:00:0a:01", "02:00:00:00:0b:01", 0x02);
  const auto pass = [&](int frames) {
    for (int i = 0; i < frames; ++i) gateway_.offer(host, frame);
    gateway_.run();
    (void)gateway_.take_sent(wire);
    return gateway_.take_traces();
  };

  EXPECT_EQ(pass(200).size(), dp::TraceRing::capacity);
  const auto rest = pass(64);

  ASSERT_EQ(rest.size(), 150 - dp::TraceRing::capacity);
  EXPECT_EQ(rest.back().remaining, 0u) << "the controller learns that it has all";
  EXPECT_EQ(gateway_.trace_board().ended(), 1u);
}

}  // namespace
