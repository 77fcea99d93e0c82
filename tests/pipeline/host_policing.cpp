// SPDX-License-Identifier: Apache-2.0
// How much of each class the host is sent: bursts and rates, each worker, port and class apart, and
// tunnels that notice nothing of a flood. Which frame is of which class stands in tables/host.py.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace {

using contract::DropReason;
using contract::HostClass;
using test::Bytes;
using test::Gateway;
using test::GatewayOptions;

constexpr std::uint16_t tenant = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t twin = 2;
constexpr std::uint16_t wire2 = 3;
constexpr std::uint16_t twin2 = 4;
constexpr std::string_view wire2_mac = "02:70:63:61:70:03";
constexpr std::string_view inside = "02:00:00:00:0a:01";
// So slow that no test lasts until the next frame.
constexpr dp::HostRuleRecord five_at_once{.drops = false, .reserved = {}, .rate = 1, .burst = 5};

// A frame of the link, of an EtherType and nothing in it.
Bytes frame_of(std::uint16_t ethertype, std::string_view to = "02:70:63:61:70:00") {
  Bytes frame(60);
  const base::MacAddress destination = test::mac(to);
  const base::MacAddress source = test::mac("02:00:00:00:ff:02");
  std::copy(destination.bytes.begin(), destination.bytes.end(), frame.begin());
  std::copy(source.bytes.begin(), source.bytes.end(), frame.begin() + 6);
  frame[12] = static_cast<std::uint8_t>(ethertype >> 8);
  frame[13] = static_cast<std::uint8_t>(ethertype);
  return frame;
}
Bytes arp(std::string_view to = "02:70:63:61:70:00") {
  return frame_of(0x0806, to);
}
Bytes lldp() {
  return frame_of(0x88cc, "01:80:c2:00:00:0e");
}

class HostPolicing : public test::OnWorkers {
 protected:
  std::unique_ptr<Gateway> make_gateway(const GatewayOptions& options = {}) {
    auto gateway = std::make_unique<Gateway>(on_workers(options));
    gateway->add_port(tenant, test::tenant_port(1));
    add_pair(*gateway, wire, twin, "02:70:63:61:70:00");
    add_pair(*gateway, wire2, twin2, wire2_mac);
    gateway->set_local_vtep(1, "198.18.0.1");
    gateway->set_remote_vtep(2, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
    gateway->set_network(1, 100);
    gateway->set_endpoint(1, inside, test::at_port(tenant));
    gateway->set_host_rule(HostClass::neighbour, five_at_once);
    gateway->commit();
    return gateway;
  }

  static void add_pair(Gateway& gateway, std::uint16_t port, std::uint16_t its_twin,
                       std::string_view mac) {
    dp::PortRecord record = test::underlay_port(mac);
    record.twin = base::PortId{its_twin};
    gateway.add_port(port, record);
    gateway.add_port(its_twin, test::host_port(port));
  }

  static void offer_to_all(Gateway& gateway, std::uint16_t port, const Bytes& frame, int times) {
    for (int i = 0; i < times; ++i) {
      for (std::uint16_t queue = 0; queue < workers(); ++queue) gateway.offer(port, frame, queue);
    }
    gateway.run();
  }

  static std::size_t each(std::size_t count) { return count * workers(); }
  static std::uint64_t policed(const Gateway& gateway, HostClass host_class) {
    return gateway.port_counters(wire).host_policed[static_cast<std::size_t>(host_class)];
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, HostPolicing, test::one_and_two_workers);

TEST_P(HostPolicing, each_worker_lets_a_burst_through_and_counts_the_rest) {
  auto gateway = make_gateway();

  offer_to_all(*gateway, wire, arp(), 20);

  EXPECT_EQ(gateway->take_sent(twin).size(), each(5));
  EXPECT_EQ(gateway->stage_drops("to_host/admit_to_host", DropReason::host_policed), each(15));
  EXPECT_EQ(policed(*gateway, HostClass::neighbour), each(15));
  const auto passed = gateway->port_counters(wire).host_passed;
  EXPECT_EQ(passed[static_cast<std::size_t>(HostClass::neighbour)], each(5));
  EXPECT_EQ(gateway->port_counters(wire).rx_packets, each(20));
  EXPECT_EQ(gateway->port_counters(twin).tx_packets, each(5));
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, classes_and_ports_are_policed_apart) {
  auto gateway = make_gateway();

  offer_to_all(*gateway, wire, arp(), 20);
  offer_to_all(*gateway, wire, lldp(), 20);
  offer_to_all(*gateway, wire2, arp(wire2_mac), 3);

  // LLDP has no rule here: what the contract says is in force.
  EXPECT_EQ(contract::host_classes[static_cast<std::size_t>(HostClass::lldp)].burst, 20u);
  EXPECT_EQ(gateway->take_sent(twin).size(), each(5 + 20));
  EXPECT_EQ(policed(*gateway, HostClass::lldp), 0u);
  EXPECT_EQ(gateway->take_sent(twin2).size(), each(3));
}

TEST_P(HostPolicing, a_bucket_fills_again_at_its_rate) {
  auto gateway = make_gateway();
  gateway->set_host_rule(HostClass::neighbour,
                         {.drops = false, .reserved = {}, .rate = 1'000, .burst = 1});
  gateway->commit();

  for (int i = 0; i < 5; ++i) {
    offer_to_all(*gateway, wire, arp(), 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  EXPECT_EQ(gateway->take_sent(twin).size(), each(5));
  EXPECT_EQ(policed(*gateway, HostClass::neighbour), 0u);
}

TEST_P(HostPolicing, a_commit_fills_no_bucket_but_that_of_a_changed_rule) {
  auto gateway = make_gateway();
  offer_to_all(*gateway, wire, arp(), 5);
  gateway->commit();

  offer_to_all(*gateway, wire, arp(), 1);
  EXPECT_EQ(gateway->take_sent(twin).size(), each(5));

  gateway->set_host_rule(HostClass::neighbour,
                         {.drops = false, .reserved = {}, .rate = 1, .burst = 7});
  gateway->commit();
  offer_to_all(*gateway, wire, arp(), 10);
  EXPECT_EQ(gateway->take_sent(twin).size(), each(7));
}

TEST_P(HostPolicing, tunnels_lose_nothing_in_a_flood) {
  auto gateway = make_gateway();
  constexpr int rounds = 200;

  for (int i = 0; i < rounds; ++i) {
    for (std::uint16_t queue = 0; queue < workers(); ++queue) {
      const auto psn = static_cast<std::uint32_t>(i);
      gateway->offer(wire, test::wrap(test::make({.destination_mac = inside, .psn = psn})), queue);
      for (int flood = 0; flood < 3; ++flood) gateway->offer(wire, arp(), queue);
    }
  }
  gateway->run();

  for (std::uint16_t worker = 0; worker < workers(); ++worker) {
    const std::vector<Bytes> arrived = gateway->take_sent_by(tenant, worker);
    ASSERT_EQ(arrived.size(), static_cast<std::size_t>(rounds));
    for (std::size_t i = 0; i < arrived.size(); ++i) EXPECT_EQ(test::psn_of(arrived[i]), i);
  }
  EXPECT_EQ(gateway->take_sent(twin).size(), each(5));
  EXPECT_EQ(policed(*gateway, HostClass::neighbour), each(3 * rounds - 5));
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, what_the_host_is_refused_the_housekeeper_sees) {
  auto gateway = make_gateway();
  gateway->set_host_rule(HostClass::neighbour,
                         {.drops = true, .reserved = {}, .rate = 1, .burst = 1});
  gateway->commit();

  offer_to_all(*gateway, wire, arp(), 3);

  EXPECT_TRUE(gateway->take_sent(twin).empty());
  EXPECT_EQ(gateway->stage_drops("to_host/admit_to_host", DropReason::host_refused), each(3));
  EXPECT_EQ(gateway->take_punted().size(), each(3));
  EXPECT_EQ(gateway->totals().created, each(3));
  EXPECT_EQ(gateway->totals().punted, each(3));
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, a_housekeeper_that_is_behind_takes_nothing_from_the_host) {
  auto gateway = make_gateway();
  gateway->set_host_rule(HostClass::neighbour,
                         {.drops = false, .reserved = {}, .rate = 1, .burst = 1'000});
  gateway->commit();

  for (const int times : {100, 100, 100}) {
    offer_to_all(*gateway, wire, arp(), times);
    gateway->let_pass(100'000'000);
  }

  EXPECT_EQ(gateway->take_sent(twin).size(), each(300));
  EXPECT_EQ(gateway->take_punted().size(), each(256));
  EXPECT_EQ(gateway->stage_drops("to_host/share_neighbours", DropReason::punt_queue_full),
            each(300 - 256));
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, a_flood_that_the_housekeeper_is_spared_takes_nothing_from_the_host) {
  auto gateway = make_gateway();
  gateway->set_host_rule(HostClass::neighbour,
                         {.drops = false, .reserved = {}, .rate = 1, .burst = 1'000});
  gateway->commit();

  offer_to_all(*gateway, wire, arp("ff:ff:ff:ff:ff:ff"), 300);

  EXPECT_EQ(gateway->take_sent(twin).size(), each(300));
  const std::uint64_t spared =
      gateway->stage_drops("to_host/share_neighbours", DropReason::punt_rate_exceeded);
  EXPECT_EQ(gateway->take_punted().size() + spared, each(300));
  EXPECT_GE(spared, each(200));
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, no_buffer_for_the_housekeepers_copy_costs_the_copy) {
  auto gateway = make_gateway({.copies = 1});

  for (int i = 0; i < 3; ++i) gateway->offer(wire, arp());
  gateway->run();

  EXPECT_EQ(gateway->take_sent(twin).size(), 3u);
  EXPECT_EQ(gateway->stage_drops("to_host/share_neighbours", DropReason::no_mbuf), 2u);
  EXPECT_EQ(gateway->take_punted().size(), 1u);
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, a_twin_that_takes_no_more_drops_visibly) {
  auto gateway = make_gateway({.tx_room = 3});

  offer_to_all(*gateway, wire, arp(), 5);

  EXPECT_EQ(gateway->take_sent(twin).size(), each(3));
  EXPECT_EQ(gateway->stage_drops("to_host/transmit", DropReason::tx_ring_full), each(2));
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(HostPolicing, a_busy_worker_reads_the_twin_seldom_but_for_ever) {
  auto gateway = make_gateway();
  constexpr std::size_t burst = dp::burst_max;
  for (std::size_t i = 0; i < 20 * burst; ++i) gateway->offer(twin, arp(), 0);
  std::size_t sent = 0;
  const auto turn_busily = [&] {
    gateway->offer(wire, test::wrap(test::make({.destination_mac = inside})), 0);
    gateway->worker(0).turn();
    gateway->take_sent(tenant);
    sent += gateway->take_sent(wire).size();
  };

  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) turn_busily();
  const auto passed = std::chrono::steady_clock::now() - started;

  EXPECT_LE(sent, burst * static_cast<std::size_t>(passed / std::chrono::microseconds(50) + 2));
  for (int i = 0; i < 100'000 && sent < 20 * burst; ++i) turn_busily();
  EXPECT_EQ(sent, 20 * burst);
}

TEST_P(HostPolicing, a_trace_tells_both_pipelines_of_a_diverted_frame) {
  auto gateway = make_gateway();
  contract::TraceAdd wanted{};
  wanted.trace = 1;
  wanted.count = 1;
  ASSERT_TRUE(gateway->trace_board().add(wanted));

  gateway->offer(wire, arp());
  gateway->run();

  const std::vector<contract::TracePacket> traces = gateway->take_traces();
  ASSERT_EQ(traces.size(), 1u);
  std::vector<std::string> stages;
  for (std::uint16_t i = 0; i < traces[0].hop_count; ++i) {
    stages.push_back(gateway->shape().stages[traces[0].hops[i].stage]);
  }
  EXPECT_EQ(stages, (std::vector<std::string>{
                        "wire_to_host/gather_headers", "wire_to_host/untag_frame",
                        "wire_to_host/parse_outer", "to_host/gather_headers",
                        "to_host/segment_large", "to_host/share_neighbours", "to_host/parse_frame",
                        "to_host/admit_to_host", "to_host/transmit"}));
  EXPECT_EQ(traces[0].bytes_out, 60u);
  gateway->take_sent(twin);
}

}  // namespace
