// SPDX-License-Identifier: Apache-2.0
// Deaths that no frame is to blame for: the program's own rings, buffers and ports ran out or went.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

namespace {

using contract::DropReason;
using test::Bytes;
using test::Gateway;
using test::GatewayOptions;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t neighbour = 2;
constexpr std::uint16_t blue = 1;
constexpr std::uint16_t remote = 2;
constexpr std::string_view here = "02:00:00:00:0a:01";
constexpr std::string_view everyone = "ff:ff:ff:ff:ff:ff";

class Resources : public test::OnWorkers {
 protected:
  std::unique_ptr<Gateway> make_gateway(const GatewayOptions& options = {}) {
    auto gateway = std::make_unique<Gateway>(on_workers(options));
    gateway->add_port(host, test::tenant_port(blue));
    gateway->add_port(wire, test::underlay_port("02:70:63:61:70:00"));
    gateway->add_port(neighbour, test::tenant_port(blue));
    gateway->set_local_vtep(1, "198.18.0.1");
    gateway->set_remote_vtep(remote,
                             {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
    gateway->set_network(blue, 100, true, std::array<std::uint16_t, 1>{remote});
    gateway->set_endpoint(blue, here, test::at_port(host));
    gateway->set_endpoint(blue, "02:00:00:00:0b:01", test::at_vtep(remote));
    gateway->commit();
    return gateway;
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, Resources, test::one_and_two_workers);

TEST_P(Resources, a_full_ring_drops_what_it_does_not_take) {
  auto gateway = make_gateway({.tx_room = 3});

  for (int i = 0; i < 10; ++i) gateway->offer(host, test::make({}));
  gateway->run();

  EXPECT_EQ(gateway->take_sent(wire).size(), 3u);
  EXPECT_EQ(gateway->stage_drops("host_to_wire/transmit", DropReason::tx_ring_full), 7u);
  EXPECT_EQ(gateway->totals().tx, 3u);
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(Resources, an_unplugged_port_drops_what_is_for_it) {
  auto gateway = make_gateway();
  gateway->unplug(wire);

  gateway->offer(host, test::make({}));
  gateway->offer(host, test::make({.destination_mac = everyone}));
  gateway->run();

  EXPECT_EQ(gateway->stage_drops("host_to_wire/transmit", DropReason::port_missing), 2u);
  EXPECT_EQ(gateway->take_sent(neighbour).size(), 1u);
}

TEST_P(Resources, no_buffer_for_a_copy_costs_the_copy_and_not_the_frame) {
  auto gateway = make_gateway({.copies = 1});

  for (int i = 0; i < 3; ++i) gateway->offer(host, test::make({.destination_mac = everyone}));
  gateway->run();

  // The first copy waits in the outbox and holds the only buffer until the burst has ended.
  EXPECT_EQ(gateway->stage_drops("host_to_wire/flood", DropReason::no_mbuf), 2u);
  EXPECT_EQ(gateway->take_sent(neighbour).size(), 1u);
  EXPECT_EQ(gateway->take_sent(wire).size(), 3u);
  EXPECT_EQ(gateway->totals().created, 3u);
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(Resources, a_buffer_without_headroom_cannot_be_wrapped) {
  auto just_enough = make_gateway({.headroom = test::tunnel_bytes});
  auto too_small = make_gateway({.headroom = test::tunnel_bytes - 1});

  for (auto* gateway : {just_enough.get(), too_small.get()}) {
    gateway->offer(host, test::make({}));
    gateway->run();
  }

  EXPECT_EQ(just_enough->take_sent(wire).size(), 1u);
  EXPECT_EQ(too_small->stage_drops("host_to_wire/encapsulate", DropReason::no_headroom), 1u);
  EXPECT_EQ(too_small->take_sent(wire).size(), 0u);
}

TEST_P(Resources, a_network_removed_under_traffic_leaves_counted_drops) {
  auto gateway = make_gateway();
  gateway->remove_network(blue, 100);
  gateway->commit();

  gateway->offer(host, test::make({}));
  gateway->offer(host, test::make({.destination_mac = everyone}));
  gateway->offer(host, test::make({.destination_mac = "02:00:00:00:99:99"}));
  gateway->offer(wire, test::wrap(test::make({.destination_mac = here})));
  gateway->run();

  EXPECT_EQ(gateway->stage_drops("host_to_wire/encapsulate", DropReason::endpoint_target_missing),
            1u);
  EXPECT_EQ(gateway->stage_drops("host_to_wire/flood", DropReason::no_flood_target), 1u);
  EXPECT_EQ(gateway->stage_drops("host_to_wire/look_up_endpoint", DropReason::unknown_destination),
            1u);
  EXPECT_EQ(gateway->stage_drops("wire_to_host/decapsulate", DropReason::unknown_vni), 1u);
}

TEST_P(Resources, a_removed_vtep_is_neither_source_nor_target) {
  auto gateway = make_gateway();
  gateway->remove_vtep(remote, "198.18.0.2");
  gateway->commit();

  gateway->offer(host, test::make({}));
  gateway->offer(host, test::make({.destination_mac = everyone}));
  gateway->offer(wire, test::wrap(test::make({.destination_mac = here})));
  gateway->run();

  EXPECT_EQ(
      gateway->stage_drops("host_to_wire/choose_next_hop", DropReason::endpoint_target_missing),
      2u);
  EXPECT_EQ(gateway->take_sent(neighbour).size(), 1u);
  EXPECT_EQ(gateway->stage_drops("wire_to_host/decapsulate", DropReason::unknown_vtep), 1u);
}

TEST_P(Resources, more_copies_than_a_burst_and_an_outbox_hold_are_all_sent) {
  auto gateway = make_gateway({.copies = 4095});
  for (std::uint16_t port = 3; port < 40; ++port) gateway->add_port(port, test::tenant_port(blue));
  gateway->commit();
  constexpr std::size_t frames = 100;

  for (std::size_t i = 0; i < frames; ++i) {
    gateway->offer(host,
                   test::make({.destination_mac = everyone, .psn = static_cast<std::uint32_t>(i)}),
                   static_cast<std::uint16_t>(i % workers()));
  }
  gateway->run();

  for (std::uint16_t port = 2; port < 40; ++port) {
    EXPECT_EQ(gateway->take_sent(port).size(), frames) << port;
  }
  EXPECT_EQ(gateway->take_sent(wire).size(), frames);
  EXPECT_EQ(gateway->totals().created, frames * 38);
}

}  // namespace
