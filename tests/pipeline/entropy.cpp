// SPDX-License-Identifier: Apache-2.0
// The outer UDP source port: the same for all packets of a QP, and spread over QPs, because the
// fabric and the peer's receive queues see nothing else of a flow.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using test::Bytes;

class Entropy : public test::OnWorkers {
 protected:
  void SetUp() override {
    gateway_.add_port(0, test::tenant_port(1));
    gateway_.add_port(1, test::underlay_port("02:70:63:61:70:00"));
    gateway_.set_remote_vtep(2, {.address = "198.18.0.2", .port = 1, .source = "198.18.0.1"});
    gateway_.set_network(1, 100);
    gateway_.set_endpoint(1, "02:00:00:00:0b:01", test::at_vtep(2));
    gateway_.commit();
  }

  // Through all queues in turns: the port must not tell which worker it was.
  std::uint16_t port_of(const Bytes& frame, std::span<const std::uint16_t> segments = {}) {
    gateway_.offer(0, frame, static_cast<std::uint16_t>(frames_++ % workers()), segments);
    gateway_.run();
    const auto sent = gateway_.take_sent(1);
    EXPECT_EQ(sent.size(), 1u);
    return sent.empty() ? 0 : test::outer_source_port(sent[0]);
  }

  test::Gateway gateway_{on_workers()};
  unsigned frames_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Workers, Entropy, test::one_and_two_workers);

TEST_P(Entropy, all_packets_of_a_qp_have_one_port_of_the_dynamic_range) {
  const std::uint16_t port = port_of(test::make({}));
  EXPECT_GE(port, 49152);
  for (const std::uint8_t tos : {0x00, 0x01, 0x02, 0x03, 0xb8}) {
    for (const std::uint32_t psn : {1u, 2u, 0xff'ffffu}) {
      for (const std::size_t payload : {0u, 1u, 256u, 1024u}) {
        EXPECT_EQ(port_of(test::make({.tos = tos, .psn = psn, .payload = payload})), port);
      }
    }
  }
  // Opcode and acknowledge request differ within a flow as well.
  Bytes other = test::make({});
  other[42] = 0x08;
  other[50] = 0x80;
  EXPECT_EQ(port_of(other), port);
  // Nor does it matter where a device put the payload.
  EXPECT_EQ(port_of(test::make({}), std::array<std::uint16_t, 1>{42}), port);
}

TEST_P(Entropy, qps_that_share_addresses_and_ports_spread) {
  // 4,096 QPs as a NIC numbers them. For an even hash over n = 16,384 ports the expected number of
  // different ports is n·(1 - (1 - 1/n)^4096) = 3,624; standard deviation 19.
  std::set<std::uint16_t> ports;
  std::array<unsigned, 8> per_path{};
  for (std::uint32_t qp = 0x100; qp < 0x100 + 4096; ++qp) {
    const std::uint16_t port = port_of(test::make({.qp = qp}));
    ports.insert(port);
    ++per_path[port % 8];
  }
  EXPECT_GT(ports.size(), 3500u);
  // 512 a path expected; standard deviation 21.
  for (const unsigned count : per_path) EXPECT_NEAR(count, 512, 110);
}

TEST_P(Entropy, the_reverse_direction_and_other_hosts_have_flows_of_their_own) {
  std::set<std::uint16_t> ports;
  for (std::uint32_t host = 1; host <= 64; ++host) {
    ports.insert(port_of(test::make({.source_ip = 0x0a00'0000 + host})));
    ports.insert(port_of(test::make({.destination_ip = 0x0a01'0000 + host})));
    ports.insert(port_of(test::make({.source_port = static_cast<std::uint16_t>(0xc000 + host)})));
  }
  // 191 different flows; two or three of them may share a port.
  EXPECT_GT(ports.size(), 180u);
}

TEST_P(Entropy, fragments_of_a_datagram_stay_together) {
  Bytes first = test::make({});
  first[20] = 0x20;                                               // More fragments.
  Bytes last = test::make({.source_port = 0x1234, .qp = 0x777});  // Payload, not ports.
  last[21] = 0x10;
  EXPECT_EQ(port_of(first), port_of(last));
}

}  // namespace
