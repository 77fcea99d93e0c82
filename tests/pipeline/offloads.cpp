// SPDX-License-Identifier: Apache-2.0
// Offloads of devices: large frames of many buffers, no buffer for a segment, checksums left to the
// device, and what devices claim to have checked. What segments look like the table `large` tells.
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/segmentation.hpp"
#include "dataplane/packet/transport_checksum.hpp"
#include "drivers/xdp/unfinished_checksum.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace {

using contract::DropReason;
using test::Bytes;
using test::Gateway;
using test::GatewayOptions;

constexpr std::uint16_t left = 0;
constexpr std::uint16_t right = 1;
constexpr std::uint16_t host = 2;
constexpr std::uint16_t wire = 3;
constexpr std::uint16_t blue = 1;
constexpr std::string_view wire_mac = "02:70:63:61:70:00";

struct TcpFrame {
  dp::EthernetHeader ethernet;
  dp::Ipv4Header ip;
  dp::TcpHeader tcp;
};

Bytes tcp_frame(std::size_t payload) {
  Bytes bytes(sizeof(TcpFrame) + payload);
  auto& frame = *reinterpret_cast<TcpFrame*>(bytes.data());
  frame = {};
  frame.ethernet = {.destination = test::mac("02:00:00:00:0b:01"),
                    .source = test::mac("02:00:00:00:0a:01"),
                    .type = dp::be16(dp::ethertype::ipv4)};
  frame.ip.version_ihl = dp::Ipv4Header::plain;
  frame.ip.protocol = dp::ip_protocol::tcp;
  frame.ip.total_length = dp::be16(static_cast<std::uint16_t>(40 + payload));
  frame.tcp.offset_reserved = 5 << 4;
  for (std::size_t i = 0; i < payload; ++i) {
    bytes[sizeof(TcpFrame) + i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
  }
  return bytes;
}

std::uint16_t sum_of(const rte_mbuf& frame, std::uint16_t bytes) {
  const auto& ip = *rte_pktmbuf_mtod_offset(&frame, const dp::Ipv4Header*, 14);
  return dp::transport_sum(frame, ip, {.protocol = ip.protocol, .offset = 34, .bytes = bytes});
}

class Offloads : public test::OnWorkers {
 protected:
  std::unique_ptr<Gateway> make_gateway(const GatewayOptions& options = {}) {
    auto gateway = std::make_unique<Gateway>(on_workers(options));
    gateway->add_port(left, test::transit_port(right));
    gateway->add_port(right, test::transit_port(left));
    gateway->add_port(host, test::tenant_port(blue));
    gateway->add_port(wire, test::underlay_port(wire_mac));
    gateway->set_local_vtep(1, "198.18.0.1");
    gateway->set_remote_vtep(2, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
    gateway->set_network(blue, 100);
    gateway->set_endpoint(blue, "02:00:00:00:0b:01", test::at_port(host));
    gateway->commit();
    return gateway;
  }
  // In buffers of 2000 bytes, as a driver fills them.
  static rte_mbuf* make_large(Gateway& gateway, const Bytes& frame, std::uint16_t segment_bytes) {
    rte_mbuf* mbuf = test::make_mbuf(gateway.pool(), frame,
                                     std::vector<std::uint16_t>(frame.size() / 2000, 2000));
    dp::mark_large(*mbuf, segment_bytes);
    return mbuf;
  }
  static std::uint16_t last_queue() { return static_cast<std::uint16_t>(workers() - 1); }
};

INSTANTIATE_TEST_SUITE_P(Workers, Offloads, test::one_and_two_workers);

TEST_P(Offloads, the_largest_frame_there_is_leaves_in_order_and_complete) {
  const Bytes frame = tcp_frame(65'535 - 40);
  for (const std::uint16_t segment_bytes : {1448, 8948, 536, 65'495, 48}) {
    auto gateway = make_gateway({.copies = 4095});
    for (const std::uint16_t port : {left, right}) {
      auto roomy = test::transit_port(port == left ? right : left);
      roomy.mtu = 65'535;
      gateway->set_port(port, roomy);
    }
    gateway->commit();
    gateway->offer(left, make_large(*gateway, frame, segment_bytes), last_queue());
    gateway->run();

    Bytes payload;
    for (const Bytes& segment : gateway->take_sent(right)) {
      ASSERT_GE(segment.size(), sizeof(TcpFrame));
      const auto& head = *reinterpret_cast<const TcpFrame*>(segment.data());
      EXPECT_EQ(head.tcp.sequence.host(), payload.size());
      EXPECT_EQ(head.ip.total_length.host(), segment.size() - 14);
      payload.insert(payload.end(), segment.begin() + sizeof(TcpFrame), segment.end());
    }
    EXPECT_TRUE(std::ranges::equal(payload, std::span(frame).subspan(sizeof(TcpFrame))));
    const std::uint64_t segments = (65'495u + segment_bytes - 1) / segment_bytes;
    EXPECT_EQ(gateway->totals().tx, segments);
    EXPECT_EQ(gateway->totals().created, segments - 1);
    EXPECT_EQ(gateway->mbufs_in_use(), 0U);
  }
}

TEST_P(Offloads, a_frame_ends_where_no_buffer_is_left_for_its_next_segment) {
  for (std::uint32_t buffers = 1; buffers < 7; buffers += 2) {
    auto gateway = make_gateway({.copies = buffers});
    gateway->offer(left, make_large(*gateway, tcp_frame(10'000), 1000), last_queue());
    gateway->run();

    EXPECT_EQ(gateway->stage_drops("transit/segment_large", DropReason::no_mbuf), 1U);
    EXPECT_EQ(gateway->take_sent(right).size(), buffers);
    EXPECT_EQ(gateway->totals().created, buffers);
    EXPECT_EQ(gateway->mismatch(), 0);
  }
}

TEST_P(Offloads, a_frame_that_names_no_segment_size_dies) {
  auto gateway = make_gateway();
  gateway->offer(left, make_large(*gateway, tcp_frame(1000), 0), last_queue());
  gateway->run();

  EXPECT_EQ(gateway->stage_drops("transit/segment_large", DropReason::large_frame_malformed), 1U);
  EXPECT_EQ(gateway->totals().tx, 0U);
}

TEST_P(Offloads, a_checksum_left_to_the_device_is_finished_over_any_buffers) {
  auto gateway = make_gateway();
  for (const std::size_t payload : {0, 1, 2, 99, 1000}) {
    for (const std::vector<std::uint16_t>& sizes :
         {std::vector<std::uint16_t>{}, {54}, {55}, {60, 1, 1, 0, 3}, {101, 20}}) {
      rte_mbuf* frame = test::make_mbuf(gateway->pool(), tcp_frame(payload), sizes);
      const auto bytes = static_cast<std::uint16_t>(sizeof(dp::TcpHeader) + payload);
      const auto& ip = *rte_pktmbuf_mtod_offset(frame, const dp::Ipv4Header*, 14);
      auto& tcp = *rte_pktmbuf_mtod_offset(frame, dp::TcpHeader*, 34);
      // The pseudo header's sum, as a sender leaves it (Linux: skb_partial_csum_set).
      tcp.checksum = dp::be16::from_raw(dp::fold(
          dp::sum_words(&ip.source, 8) + dp::be16(bytes).raw() + dp::be16(ip.protocol).raw()));

      EXPECT_FALSE(dp::transport_sum_holds(sum_of(*frame, bytes)));
      ASSERT_TRUE(dp::finish_checksum(*frame, 34, 16));
      EXPECT_TRUE(dp::transport_sum_holds(sum_of(*frame, bytes)));
      rte_pktmbuf_free(frame);
    }
  }
}

TEST_P(Offloads, a_checksum_outside_of_the_headers_is_not_finished) {
  auto gateway = make_gateway();
  const Bytes bytes = tcp_frame(100);
  rte_mbuf* frame = test::make_mbuf(gateway->pool(), bytes, std::vector<std::uint16_t>{60});
  for (const auto& [start, place] : {std::pair(34, 25), {60, 0}, {0xffff, 0xffff}, {59, 0}}) {
    EXPECT_FALSE(dp::finish_checksum(*frame, static_cast<std::uint16_t>(start),
                                     static_cast<std::uint16_t>(place)));
  }
  EXPECT_EQ(std::memcmp(rte_pktmbuf_mtod(frame, const void*), bytes.data(), 60), 0);
  rte_pktmbuf_free(frame);
}

Bytes with_tags(Bytes frame, int count) {
  for (int i = 0; i < count; ++i) {
    const std::array<std::uint8_t, 4> tag{0x81, 0x00, 0x60, static_cast<std::uint8_t>(i)};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  }
  return frame;
}

// In the UDP header behind IPv4.
Bytes with_pseudo_sum(Bytes frame) {
  const std::size_t bytes = frame.size() - 34;
  const std::uint16_t sum =
      dp::fold(dp::sum_words(&frame[26], 8) + dp::be16(static_cast<std::uint16_t>(bytes)).raw() +
               dp::be16(dp::ip_protocol::udp).raw());
  std::memcpy(&frame[40], &sum, sizeof sum);
  return frame;
}

bool is_unfinished(Gateway& gateway, const Bytes& bytes) {
  rte_mbuf* frame = test::make_mbuf(gateway.pool(), bytes);
  const bool unfinished = dp::has_unfinished_checksum(*frame);
  rte_pktmbuf_free(frame);
  return unfinished;
}

// Of every 65,536 right checksums one is the sum of the pseudo header: the last one here is, by its
// payload.
TEST_P(Offloads, an_unfinished_checksum_is_told_from_a_right_one_that_looks_the_same) {
  auto gateway = make_gateway();
  const auto judge = [&gateway](const Bytes& bytes) {
    return is_unfinished(*gateway, bytes);
  };
  Bytes bytes = tcp_frame(100);
  auto& frame = *reinterpret_cast<TcpFrame*>(bytes.data());
  frame.ip.source = dp::be32(0x0a4d0001);
  frame.ip.destination = dp::be32(0x0a4d0002);
  const std::uint16_t alone = dp::fold(dp::sum_words(&frame.ip.source, 8) + dp::be16(120).raw() +
                                       dp::be16(frame.ip.protocol).raw());
  frame.tcp.checksum = dp::be16::from_raw(alone);
  EXPECT_TRUE(judge(bytes));
  EXPECT_TRUE(judge(with_tags(bytes, 1)));
  EXPECT_TRUE(judge(with_tags(bytes, 2)));
  EXPECT_FALSE(judge(with_tags(bytes, 3))) << "nobody knows what that is";
  const Bytes with_head_alone = with_tags(bytes, 2);
  for (std::size_t length = 12; length < 26; ++length) {
    EXPECT_FALSE(judge(
        {with_head_alone.begin(), with_head_alone.begin() + static_cast<std::ptrdiff_t>(length)}));
  }

  Bytes damaged = bytes;
  reinterpret_cast<TcpFrame*>(damaged.data())->tcp.checksum = dp::be16::from_raw(alone ^ 1);
  EXPECT_FALSE(judge(damaged)) << "is wrong, but not of that kind";
  Bytes fragment = bytes;
  reinterpret_cast<TcpFrame*>(fragment.data())->ip.flags_fragment = dp::be16(0x2000);
  EXPECT_FALSE(judge(fragment));
  Bytes longer = bytes;
  reinterpret_cast<TcpFrame*>(longer.data())->ip.total_length = dp::be16(141);
  EXPECT_FALSE(judge(longer));
  EXPECT_FALSE(judge(Bytes(bytes.begin(), bytes.begin() + 50))) << "ends within TCP";

  rte_mbuf* mbuf = test::make_mbuf(gateway->pool(), bytes);
  const std::uint16_t sum = dp::be16::from_raw(sum_of(*mbuf, 120)).host();
  rte_pktmbuf_free(mbuf);
  auto& word = *reinterpret_cast<dp::be16*>(bytes.data() + sizeof(TcpFrame));
  const std::uint32_t completing = word.host() + (0xffffu - sum);
  word = dp::be16(static_cast<std::uint16_t>(completing + (completing >> 16)));
  EXPECT_FALSE(judge(bytes));
}

// A kernel whose device is said to finish checksums leaves it the outer one, or, where a tunnel
// packet has none or a right one, that of what it carries.
TEST_P(Offloads, an_unfinished_checksum_is_found_in_a_tunnel_packet_and_inside) {
  auto gateway = make_gateway();
  const auto judge = [&gateway](const Bytes& bytes) {
    return is_unfinished(*gateway, bytes);
  };
  const Bytes good = test::make({});
  const Bytes unfinished = with_pseudo_sum(good);
  ASSERT_FALSE(judge(good));
  ASSERT_TRUE(judge(unfinished));
  for (const test::Wrapping& wrapping :
       {test::Wrapping{}, {.source = "fd00:18::2", .destination = "fd00:18::1"}}) {
    EXPECT_FALSE(judge(test::wrap(good, wrapping)));
    EXPECT_TRUE(judge(test::wrap(unfinished, wrapping)));
    EXPECT_TRUE(judge(with_tags(test::wrap(unfinished, wrapping), 1)));
    EXPECT_TRUE(judge(test::wrap(with_tags(unfinished, 2), wrapping)));
    EXPECT_FALSE(judge(test::wrap(test::wrap(unfinished, wrapping), wrapping)))
        << "one tunnel is looked into, no more";
  }
  EXPECT_TRUE(judge(with_pseudo_sum(test::wrap(good))));
  // Cut off anywhere, or on its way to another service.
  const Bytes whole = test::wrap(unfinished);
  for (std::size_t length = 1; length < whole.size(); ++length) {
    EXPECT_FALSE(judge({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}));
  }
  Bytes other = whole;
  other[37] ^= 1;
  EXPECT_FALSE(judge(other));
}

// What a device says about checksums is a hint that nobody takes: some lie, some are mistaken about
// tunnels, and a virtual machine says what it likes.
TEST_P(Offloads, no_claim_of_a_device_lets_a_bad_packet_pass_or_a_good_one_die) {
  constexpr std::uint64_t good =
      RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD;
  constexpr std::uint64_t bad = RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD |
                                RTE_MBUF_F_RX_OUTER_L4_CKSUM_BAD | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD;
  constexpr std::uint64_t none = RTE_MBUF_F_RX_IP_CKSUM_NONE | RTE_MBUF_F_RX_L4_CKSUM_NONE;
  const Bytes sound = test::wrap(test::make({}));
  Bytes wrong_ip = sound;
  wrong_ip[24] ^= 1;
  Bytes wrong_udp = sound;
  wrong_udp[41] = 1;  // A UDP checksum of 1.
  auto gateway = make_gateway();
  std::uint64_t rounds = 0;
  for (const std::uint64_t claim : {std::uint64_t{0}, good, bad, none}) {
    for (const Bytes& frame : {sound, wrong_ip, wrong_udp}) {
      rte_mbuf* mbuf = test::make_mbuf(gateway->pool(), frame);
      mbuf->ol_flags |= claim;
      gateway->offer(wire, mbuf, last_queue());
    }
    gateway->run();

    ++rounds;
    EXPECT_EQ(gateway->drops(DropReason::ipv4_bad_checksum), rounds);
    EXPECT_EQ(gateway->drops(DropReason::udp_bad_checksum), rounds);
    EXPECT_EQ(gateway->take_sent(host).size(), 1U);
  }
}

}  // namespace
