// SPDX-License-Identifier: Apache-2.0
// What the tables of frames cannot say about IPv6 underlays: UDP checksums that Weir writes, flow
// labels, and that an address is compared and not only hashed.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using contract::DropReason;
using test::Bytes;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::string_view over_ipv4 = "02:00:00:00:0b:04";
constexpr std::string_view over_ipv6 = "02:00:00:00:0b:06";
constexpr std::string_view plain = "02:00:00:00:0b:07";

// RFC 1071, as the RFC says it: 16 bits at a time, most significant byte first.
std::uint16_t sum_of(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

class Underlay6 : public test::OnWorkers {
 protected:
  void SetUp() override {
    gateway_.add_port(host, test::tenant_port(1));
    gateway_.add_port(wire, test::underlay_port("02:70:63:61:70:00"));
    gateway_.set_local_vtep(1, "198.18.0.1");
    gateway_.set_local_vtep(2, "fd00:18::1");
    gateway_.set_remote_vtep(
        3, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1", .summed = true});
    gateway_.set_remote_vtep(
        4, {.address = "fd00:18::2", .port = wire, .source = "fd00:18::1", .summed = true});
    gateway_.set_remote_vtep(5, {.address = "fd00:18::3", .port = wire, .source = "fd00:18::1"});
    gateway_.set_network(1, 100);
    gateway_.set_endpoint(1, over_ipv4, test::at_vtep(3));
    gateway_.set_endpoint(1, over_ipv6, test::at_vtep(4));
    gateway_.set_endpoint(1, plain, test::at_vtep(5));
    gateway_.set_endpoint(1, "02:00:00:00:0a:01", test::at_port(host));
    gateway_.commit();
  }

  Bytes wrapped(const Bytes& frame, std::span<const std::uint16_t> segments = {}) {
    gateway_.offer(host, frame, static_cast<std::uint16_t>(frames_++ % workers()), segments);
    gateway_.run();
    const auto sent = gateway_.take_sent(wire);
    EXPECT_EQ(sent.size(), 1u);
    return sent.empty() ? Bytes(200) : sent[0];
  }

  // Pseudo header, UDP header and all behind it.
  static void expect_right_sum(const Bytes& packet) {
    const bool is_v4 = packet[12] == 0x08;
    const std::span bytes(packet);
    const std::span addresses = is_v4 ? bytes.subspan(26, 8) : bytes.subspan(22, 32);
    const std::span udp = bytes.subspan(is_v4 ? 34 : 54);
    EXPECT_NE(udp[6] << 8 | udp[7], 0) << "there is one";
    EXPECT_EQ(udp[4] << 8 | udp[5], udp.size());
    const auto pseudo = sum_of(addresses, static_cast<std::uint32_t>(17 + udp.size()));
    EXPECT_EQ(sum_of(udp, pseudo), 0xffff);
  }

  static std::uint32_t label_of(const Bytes& packet) {
    return (packet[15] & 15u) << 16 | packet[16] << 8u | packet[17];
  }

  test::Gateway gateway_{on_workers()};
  unsigned frames_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Workers, Underlay6, test::one_and_two_workers);

TEST_P(Underlay6, checksums_are_right_at_every_length) {
  for (const auto destination : {over_ipv4, over_ipv6}) {
    for (std::size_t payload = 0; payload < 600; ++payload) {
      expect_right_sum(
          wrapped(test::make({.destination_mac = destination, .qp = 7, .payload = payload})));
      if (HasFailure()) FAIL() << payload << " bytes to " << destination;
    }
  }
}

TEST_P(Underlay6, checksums_are_right_however_the_payload_is_cut) {
  for (const auto destination : {over_ipv4, over_ipv6}) {
    const Bytes frame = test::make({.destination_mac = destination, .payload = 200});
    const Bytes whole = wrapped(frame);
    const auto bytes = static_cast<std::uint16_t>(frame.size());
    for (std::uint16_t first = 54; first < bytes; ++first) {
      EXPECT_EQ(wrapped(frame, std::array<std::uint16_t, 1>{first}), whole);
      EXPECT_EQ(wrapped(frame, std::array<std::uint16_t, 4>{first, 1, 2, 7}), whole);
      if (HasFailure()) FAIL() << first << " bytes in the first segment";
    }
    expect_right_sum(whole);
  }
}

TEST_P(Underlay6, a_flow_has_one_label_and_flows_spread) {
  const std::uint32_t label = label_of(wrapped(test::make({.destination_mac = plain})));
  for (const std::uint32_t psn : {1u, 2u, 0xff'ffffu}) {
    for (const std::size_t payload : {0u, 1u, 1024u}) {
      EXPECT_EQ(
          label_of(wrapped(test::make({.destination_mac = plain, .psn = psn, .payload = payload}))),
          label);
    }
  }
  // Of 4,096 QPs and n = 2^20 labels, n·(1 - (1 - 1/n)^4096) = 4,088 are expected to differ;
  // standard deviation 2.8.
  std::set<std::uint32_t> labels;
  std::array<unsigned, 8> per_path{};
  for (std::uint32_t qp = 0x100; qp < 0x100 + 4096; ++qp) {
    const Bytes packet = wrapped(test::make({.destination_mac = plain, .qp = qp}));
    labels.insert(label_of(packet));
    ++per_path[label_of(packet) % 8];
    EXPECT_EQ(packet[60] << 8 | packet[61], 0) << "no checksum was asked for";
  }
  EXPECT_FALSE(labels.contains(0)) << "0 says that there is no label (RFC 6437)";
  EXPECT_GT(labels.size(), 4070u);
  // 512 a path expected; standard deviation 21.
  for (const unsigned count : per_path) EXPECT_NEAR(count, 512, 110);
}

TEST_P(Underlay6, an_address_with_the_hash_of_a_vtep_is_none) {
  gateway_.collide_vtep(5, "fd00:18::bad");
  gateway_.collide_vtep(2, "fd00:18::bad2");
  gateway_.commit();
  Bytes packet = wrapped(test::make({.destination_mac = plain}));
  const auto set = [&](std::size_t at, std::string_view address) {
    const auto bytes = test::ip(address).v6.bytes;
    std::copy(bytes.begin(), bytes.end(), packet.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const auto inner_destination = test::mac("02:00:00:00:0a:01").bytes;
  std::copy(inner_destination.begin(), inner_destination.end(), packet.begin() + 70);
  std::copy_n(packet.begin() + 6, 6, packet.begin());  // To our port.

  set(22, "fd00:18::3");
  set(38, "fd00:18::1");
  gateway_.offer(wire, packet);
  gateway_.run();
  EXPECT_EQ(gateway_.take_sent(host).size(), 1u);
  set(22, "fd00:18::bad");
  gateway_.offer(wire, packet);
  gateway_.run();
  EXPECT_EQ(gateway_.drops(DropReason::unknown_vtep), 1u);
  set(22, "fd00:18::3");
  set(38, "fd00:18::bad2");
  gateway_.offer(wire, packet);
  gateway_.run();
  EXPECT_EQ(gateway_.drops(DropReason::destination_not_local), 1u);
}

}  // namespace
