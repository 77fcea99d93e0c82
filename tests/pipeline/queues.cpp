// SPDX-License-Identifier: Apache-2.0
// Frames that leave by an egress queue: marked, in order, accounted for whatever is taken away
// while they wait. What a queue does by itself stands in tests/unit/queue.
#include "dataplane/housekeeper/derive_queue.hpp"
#include "dataplane/packet/checksum.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <algorithm>
#include <map>
#include <memory>

namespace {

using contract::DropReason;
using contract::MarkPlace;
using test::Bytes;
using test::Gateway;
using test::GatewayOptions;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t neighbour = 2;
constexpr std::uint16_t blue = 1;
constexpr std::string_view far_mac = "02:00:00:00:0b:01";
constexpr std::string_view near_mac = "02:00:00:00:0a:02";
constexpr std::uint8_t data_tos = 0x6a;  // DSCP 26, ECT(0).
constexpr std::uint8_t data_class = 3;
// A frame of 1000 bytes on the wire takes 8 ms.
constexpr std::uint64_t slow = 1'000'000;
constexpr std::size_t payload_of_1000 = 1000 - 50 - 14 - 20 - 8 - 12 - 4;

struct Settings {
  std::uint64_t rate = slow;
  std::vector<contract::QueueSet> classes = {};
};

dp::QueueRecord queue(const Settings& settings) {
  dp::QueueSettings by_class{};
  contract::QueueSet data{.traffic_class = data_class, .dscp = std::uint64_t{1} << 26};
  by_class[data_class] = &data;
  for (const contract::QueueSet& set : settings.classes) by_class[set.traffic_class] = &set;
  return dp::make_queue_record({.rate = settings.rate, .burst = contract::queue_burst_min},
                               by_class, rte_get_tsc_hz());
}

class Queues : public test::OnWorkers {
 protected:
  static std::unique_ptr<Gateway> make_gateway(GatewayOptions options = {}) {
    options = on_workers(options);
    options.mbufs = 8191;
    auto gateway = std::make_unique<Gateway>(options);
    gateway->add_port(host, test::tenant_port(blue));
    gateway->add_port(wire, test::underlay_port("02:70:63:61:70:00"));
    gateway->add_port(neighbour, test::tenant_port(blue));
    gateway->set_local_vtep(1, "198.18.0.1");
    gateway->set_remote_vtep(2, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
    gateway->set_network(blue, 100);
    gateway->set_endpoint(blue, far_mac, test::at_vtep(2));
    gateway->set_endpoint(blue, near_mac, test::at_port(neighbour));
    gateway->commit();
    return gateway;
  }

  // Of a QP, in the queue where a device's RSS always puts it.
  void offer(Gateway& gateway, std::uint32_t qp, std::uint32_t psn, std::uint8_t tos = data_tos,
             std::string_view to = far_mac, std::size_t payload = payload_of_1000) {
    const Bytes frame =
        test::make({.destination_mac = to, .tos = tos, .qp = qp, .psn = psn, .payload = payload});
    gateway.offer(host, frame, static_cast<std::uint16_t>(qp % workers()));
  }
  // A burst at a time.
  static void let_all_leave(Gateway& gateway) {
    for (int i = 0; i < 1000 && gateway.totals().held > 0; ++i) {
      gateway.let_pass(70'000'000);
      gateway.run();
    }
    EXPECT_EQ(gateway.totals().held, 0u);
  }
  // PSNs that have left at the uplink, by QP, in their order.
  class Arrivals {
   public:
    std::size_t take(Gateway& gateway) {
      const std::vector<Bytes> sent = gateway.take_sent(wire);
      for (const Bytes& packet : sent) {
        const Bytes frame(packet.begin() + test::tunnel_bytes, packet.end());
        psns_[test::qp_of(frame)].push_back(test::psn_of(frame));
      }
      return sent.size();
    }
    std::size_t of(std::uint32_t qp) { return psns_[qp].size(); }
    std::size_t total() const {
      std::size_t sum = 0;
      for (const auto& [qp, psns] : psns_) sum += psns.size();
      return sum;
    }
    void expect_in_order() const {
      for (const auto& [qp, psns] : psns_) {
        EXPECT_TRUE(std::ranges::is_sorted(psns)) << "QP " << qp;
      }
    }

   private:
    std::map<std::uint32_t, std::vector<std::uint32_t>> psns_;
  };
  static std::uint64_t tx_of_class(const Gateway& gateway, std::uint16_t port) {
    return gateway.queue_counters(port, data_class).tx_packets;
  }
  static std::uint8_t outer_ecn(const Bytes& packet) { return packet.at(15) & 3; }
  static std::uint8_t inner_ecn(const Bytes& packet) {
    return packet.at(test::tunnel_bytes + 15) & 3;
  }
};

TEST_P(Queues, pace_what_leaves_and_keep_the_order_of_each_qp) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  constexpr std::uint32_t qps = 8;
  constexpr std::uint32_t frames_each = 20;
  Arrivals arrived;
  for (std::uint32_t psn = 0; psn < frames_each; ++psn) {
    for (std::uint32_t qp = 0; qp < qps; ++qp) offer(*gateway, qp, psn);
    gateway->run();
    arrived.take(*gateway);
  }
  // A burst of 9,216 bytes, and what the test itself took time for.
  EXPECT_GE(arrived.total(), 9u);
  EXPECT_LE(arrived.total(), 40u);
  EXPECT_EQ(gateway->totals().held, qps * frames_each - arrived.total());
  EXPECT_EQ(gateway->mismatch(), 0);
  EXPECT_EQ(gateway->queue_counters(wire, data_class).depth_packets, gateway->totals().held);

  while (arrived.total() < qps * frames_each) {
    gateway->let_pass(8'000'000);
    gateway->run();
    arrived.take(*gateway);
  }
  for (std::uint32_t qp = 0; qp < qps; ++qp) EXPECT_EQ(arrived.of(qp), frames_each);
  arrived.expect_in_order();
  EXPECT_EQ(gateway->totals().held, 0u);
  EXPECT_EQ(gateway->totals().handed_over, gateway->totals().taken_over);
  EXPECT_EQ(gateway->totals().handed_over, workers() > 1 ? qps * frames_each / 2 : 0u);
  EXPECT_EQ(tx_of_class(*gateway, wire), qps * frames_each);
}

TEST_P(Queues, mark_the_tunnel_header_the_tenants_or_both) {
  for (const MarkPlace place : {MarkPlace::outer, MarkPlace::inner, MarkPlace::both}) {
    const auto gateway = make_gateway();
    gateway->set_queue(wire, queue({.rate = 0,
                                    .classes = {{.traffic_class = data_class,
                                                 .mark = place,
                                                 .dscp = std::uint64_t{1} << 26,
                                                 .kmin = 10,
                                                 .kmax = 10}}}));
    gateway->commit();
    offer(*gateway, 1, 0, data_tos);
    offer(*gateway, 1, 1, data_tos & ~3u);      // Not-ECT passes.
    offer(*gateway, 1, 2, data_tos, near_mac);  // Another port.
    gateway->run();
    const std::vector<Bytes> sent = gateway->take_sent(wire);
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(outer_ecn(sent[0]), place == MarkPlace::inner ? 2 : 3);
    EXPECT_EQ(inner_ecn(sent[0]), place == MarkPlace::outer ? 2 : 3);
    EXPECT_EQ(outer_ecn(sent[1]), 0);
    EXPECT_EQ(inner_ecn(sent[1]), 0);
    for (const Bytes& packet : sent) {
      EXPECT_EQ(dp::fold(dp::sum_words(packet.data() + 14, 20)), 0xffff);
      EXPECT_EQ(dp::fold(dp::sum_words(packet.data() + test::tunnel_bytes + 14, 20)), 0xffff);
    }
    const std::vector<Bytes> near = gateway->take_sent(neighbour);
    ASSERT_EQ(near.size(), 1u);
    EXPECT_EQ(outer_ecn(near[0]), 2) << "that port has no queue";
    EXPECT_EQ(gateway->queue_counters(wire, data_class).marked_packets, 1u);
    EXPECT_EQ(gateway->queue_counters(wire, data_class).not_ect_packets, 1u);
  }
}

TEST_P(Queues, mark_the_tenants_header_behind_a_tunnel) {
  const auto gateway = make_gateway();
  gateway->set_endpoint(blue, "02:00:00:00:0a:01", test::at_port(host));
  gateway->set_queue(host, queue({.rate = 0,
                                  .classes = {{.traffic_class = data_class,
                                               .dscp = std::uint64_t{1} << 26,
                                               .kmin = 10,
                                               .kmax = 10}}}));
  gateway->commit();
  const Bytes inner =
      test::make({.source_mac = far_mac, .destination_mac = "02:00:00:00:0a:01", .tos = data_tos});
  gateway->offer(wire, test::wrap(inner, {.tos = data_tos}));
  gateway->run();
  const std::vector<Bytes> sent = gateway->take_sent(host);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(outer_ecn(sent[0]), 3);
  Bytes unmarked = sent[0];
  unmarked[15] = inner[15];
  std::copy_n(inner.begin() + 24, 2, unmarked.begin() + 24);  // The header's checksum.
  EXPECT_EQ(unmarked, inner);
}

TEST_P(Queues, tell_a_trace_who_waits) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  contract::TraceAdd wanted{};
  wanted.trace = 7;
  wanted.count = 40;
  ASSERT_TRUE(gateway->trace_board().add(wanted));
  for (std::uint32_t psn = 0; psn < 40; ++psn) offer(*gateway, 1, psn);
  gateway->run();
  const auto traces = gateway->take_traces();
  ASSERT_EQ(traces.size(), 40u);
  const std::size_t sent = gateway->take_sent(wire).size();
  // Of the home worker some pass an empty queue; of another one all wait, be it shortly.
  EXPECT_EQ(traces.back().queue, 1u + data_class);
  EXPECT_EQ(traces.back().bytes_out, 1000u);
  EXPECT_LT(sent, 40u);
  let_all_leave(*gateway);
}

TEST_P(Queues, put_control_traffic_into_its_class_and_spare_it) {
  const auto gateway = make_gateway();
  gateway->set_queue(
      wire, queue({.rate = 0,
                   .classes = {{.traffic_class = 0, .kmin = 10, .kmax = 10},
                               {.traffic_class = 5,
                                .carries = static_cast<std::uint8_t>(contract::RoceTraffic::ack),
                                .kmin = 10,
                                .kmax = 10},
                               {.traffic_class = contract::cnp_class, .kmin = 10, .kmax = 10}}}));
  gateway->commit();
  constexpr std::size_t opcode_at = 14 + 20 + 8;
  for (const int opcode : {0x81, 0x11}) {
    Bytes frame = test::make({.destination_mac = far_mac, .tos = 2, .payload = 64});
    frame[opcode_at] = static_cast<std::uint8_t>(opcode);
    frame[opcode_at + 12] = 0x1f;  // An ACK's syndrome.
    gateway->offer(host, frame);
  }
  gateway->run();
  EXPECT_EQ(gateway->queue_counters(wire, contract::cnp_class).tx_packets, 1u);
  EXPECT_EQ(gateway->queue_counters(wire, contract::cnp_class).exempt_packets, 1u);
  EXPECT_EQ(gateway->queue_counters(wire, 5).tx_packets, 1u);
  EXPECT_EQ(gateway->queue_counters(wire, 5).exempt_packets, 1u);
  for (const Bytes& packet : gateway->take_sent(wire)) EXPECT_EQ(outer_ecn(packet), 2);
}

TEST_P(Queues, let_frames_pass_while_they_are_empty) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({.rate = 0,
                                  .classes = {{.traffic_class = data_class,
                                               .dscp = std::uint64_t{1} << 26,
                                               .kmin = 300'000,
                                               .kmax = 400'000,
                                               .pmax = 1'000'000}}}));
  gateway->commit();
  for (std::uint32_t psn = 0; psn < 500; ++psn) offer(*gateway, psn % 8, psn);
  gateway->run();
  EXPECT_EQ(gateway->take_sent(wire).size(), 500u);
  const contract::QueueCounters counters = gateway->queue_counters(wire, data_class);
  EXPECT_EQ(counters.tx_packets, 500u);
  EXPECT_EQ(counters.tx_bytes, 500'000u);
  // Those handed over wait, and those of the home while others are on their way.
  EXPECT_GE(counters.waited_packets, workers() > 1 ? 250u : 0u);
  EXPECT_LE(counters.waited_packets, workers() > 1 ? 500u : 0u);
  EXPECT_EQ(counters.marked_packets, 0u);
}

TEST_P(Queues, hold_what_the_port_does_not_take) {
  const auto gateway = make_gateway({.tx_room = 10});
  gateway->set_queue(wire, queue({.rate = 0,
                                  .classes = {{.traffic_class = data_class,
                                               .dscp = std::uint64_t{1} << 26,
                                               .buffer = 40'000}}}));
  gateway->commit();
  for (std::uint32_t psn = 0; psn < 60; ++psn) offer(*gateway, 1, psn);
  gateway->run();
  EXPECT_EQ(gateway->mismatch(), 0);
  Arrivals arrived;
  while (const std::size_t sent = arrived.take(*gateway)) {
    EXPECT_LE(sent, 10u);
    gateway->run();
  }
  arrived.expect_in_order();
  EXPECT_EQ(gateway->drops(DropReason::tx_ring_full), 0u);
  EXPECT_EQ(gateway->drops(DropReason::queue_full), 60u - arrived.total());
  EXPECT_EQ(gateway->queue_counters(wire, data_class).full_dropped_packets, 60u - arrived.total());
  EXPECT_GT(gateway->drops(DropReason::queue_full), 0u);
}

TEST_P(Queues, drop_not_ect_where_the_marker_says_so) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({.rate = 0,
                                  .classes = {{.traffic_class = data_class,
                                               .drop_not_ect = 1,
                                               .dscp = std::uint64_t{1} << 26,
                                               .kmin = 10,
                                               .kmax = 10}}}));
  gateway->commit();
  offer(*gateway, 1, 0, data_tos & ~3u);
  offer(*gateway, 1, 1, data_tos);
  gateway->run();
  EXPECT_EQ(gateway->take_sent(wire).size(), 1u);
  EXPECT_EQ(gateway->drops(DropReason::marker_dropped), 1u);
  EXPECT_EQ(gateway->queue_counters(wire, data_class).marker_dropped_packets, 1u);
}

TEST_P(Queues, lose_what_finds_the_way_to_the_home_worker_full) {
  const auto gateway = make_gateway();
  gateway->set_queue(neighbour, queue({.rate = 0}));
  gateway->commit();
  // The home is worker 0, which takes no turn if there is another.
  constexpr std::uint32_t frames = dp::HandOverRing::capacity + 30;
  for (std::uint32_t psn = 0; psn < frames; ++psn) offer(*gateway, 1, psn, data_tos, near_mac, 16);
  while (gateway->worker(workers() - 1u).turn() > 0) {
  }
  const bool is_home = workers() == 1;
  EXPECT_EQ(gateway->drops(DropReason::hand_over_full), is_home ? 0u : 30u);
  gateway->run();
  EXPECT_EQ(gateway->take_sent(neighbour).size(), is_home ? frames : dp::HandOverRing::capacity);
}

// What waits needs no entry by which it came.
TEST_P(Queues, outlive_the_entries_by_which_their_frames_came) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  for (std::uint32_t psn = 0; psn < 40; ++psn) offer(*gateway, psn % 4, psn);
  gateway->run();
  EXPECT_GT(gateway->totals().held, 10u);
  gateway->remove_endpoint(blue, far_mac);
  gateway->remove_vtep(2, "198.18.0.2");
  gateway->remove_network(blue, 100);
  gateway->remove_port_record(host);
  gateway->commit();
  let_all_leave(*gateway);
  EXPECT_EQ(gateway->take_sent(wire).size(), 40u);
}

// Frames come in the very turn in which the queue goes, of QPs of all workers, and the port takes
// only some at a time.
TEST_P(Queues, let_go_in_order_of_what_waits_when_they_are_removed) {
  const auto gateway = make_gateway({.tx_room = 10});
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  constexpr std::uint32_t qps = 8;
  std::map<std::uint32_t, std::uint32_t> next;
  Arrivals arrived;
  const auto offer_some = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) offer(*gateway, i % qps, next[i % qps]++);
  };
  offer_some(80);
  gateway->run();
  arrived.take(*gateway);
  EXPECT_GT(gateway->totals().held, 50u);
  gateway->remove_queue(wire);
  offer_some(16);  // Received in the first turn without the queue.
  gateway->commit();
  for (int turn = 0; turn < 200; ++turn) {
    if (turn < 10) offer_some(8);
    for (std::uint16_t worker = 0; worker < workers(); ++worker) gateway->worker(worker).turn();
    arrived.take(*gateway);
  }
  EXPECT_EQ(gateway->totals().held, 0u);
  EXPECT_EQ(gateway->totals().dropped, 0u);
  for (std::uint32_t qp = 0; qp < qps; ++qp) EXPECT_EQ(arrived.of(qp), next[qp]) << "QP " << qp;
  arrived.expect_in_order();
}

TEST_P(Queues, account_for_what_waits_when_the_port_vanishes) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  for (std::uint32_t psn = 0; psn < 40; ++psn) offer(*gateway, psn % 4, psn);
  gateway->run();
  const std::uint64_t held = gateway->totals().held;
  EXPECT_GT(held, 10u);
  gateway->unplug(wire);
  gateway->run();  // At once: the port may come back as another one's.
  EXPECT_EQ(gateway->totals().held, 0u);
  EXPECT_EQ(gateway->drops(DropReason::port_missing), held);
  EXPECT_EQ(gateway->mismatch(), 0);
}

// The port leaves the configuration before its device is closed.
TEST_P(Queues, account_for_what_waits_when_the_port_is_removed) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  for (std::uint32_t psn = 0; psn < 40; ++psn) offer(*gateway, psn % 4, psn);
  gateway->run();
  const std::size_t sent = gateway->take_sent(wire).size();
  const std::uint64_t held = gateway->totals().held;
  EXPECT_GT(held, 10u);
  gateway->forget_queue(wire);
  gateway->commit();
  gateway->run();
  EXPECT_EQ(gateway->take_sent(wire).size(), 0u);
  EXPECT_EQ(gateway->drops(DropReason::port_missing), held);
  EXPECT_EQ(sent + held, 40u);
  EXPECT_EQ(gateway->queue_counters(wire, data_class).marked_packets, 0u);
  EXPECT_EQ(gateway->mismatch(), 0);
}

TEST_P(Queues, free_what_waits_when_the_workers_stop) {
  const auto gateway = make_gateway();
  gateway->set_queue(wire, queue({}));
  gateway->commit();
  for (std::uint32_t psn = 0; psn < 40; ++psn) offer(*gateway, psn % 4, psn);
  gateway->run();
  EXPECT_GT(gateway->totals().held, 10u);
  // The gateway checks that no buffer is lost, and that what was held is accounted for.
}

// Rates come and go under traffic that fills and empties a queue with a marker.
TEST_P(Queues, lose_nothing_while_their_settings_change) {
  const auto gateway = make_gateway();
  constexpr std::uint32_t qps = 8;
  std::map<std::uint32_t, std::uint32_t> next;
  Arrivals arrived;
  std::uint32_t offered = 0;
  for (std::uint32_t round = 0; round < 300; ++round) {
    const Settings settings{
        .rate = std::array<std::uint64_t, 3>{0, 500'000'000, 4'000'000'000}[round % 3],
        .classes = {{.traffic_class = data_class,
                     .dscp = std::uint64_t{1} << 26,
                     .kmin = 2000,
                     .kmax = 20'000,
                     .pmax = 500'000}}};
    gateway->set_queue(wire, queue(settings));
    gateway->commit();
    for (int i = 0; i < 30; ++i) {
      const std::uint32_t qp = (round * 7 + static_cast<std::uint32_t>(i)) % qps;
      offer(*gateway, qp, next[qp]++);
      ++offered;
    }
    gateway->let_pass(20'000);
    gateway->run();
    arrived.take(*gateway);
  }
  let_all_leave(*gateway);
  arrived.take(*gateway);
  arrived.expect_in_order();
  EXPECT_EQ(arrived.total(), offered);
  EXPECT_EQ(gateway->mismatch(), 0);
}

// A DSCP moves from class to class, and the queue is removed and comes back, while frames of the
// earlier ones wait.
TEST_P(Queues, keep_the_order_of_each_qp_while_its_class_changes) {
  const auto gateway = make_gateway();
  constexpr std::uint32_t qps = 8;
  std::map<std::uint32_t, std::uint32_t> next;
  Arrivals arrived;
  std::uint32_t offered = 0;
  std::uint64_t held = 0;
  for (std::uint32_t round = 0; round < 200; ++round) {
    const auto traffic_class = std::array<std::uint8_t, 4>{3, 5, 1, 5}[round / 4 % 4];
    if (round % 20 == 19) {
      gateway->remove_queue(wire);
    } else {
      dp::QueueSettings settings{};
      const contract::QueueSet data{.traffic_class = traffic_class, .dscp = std::uint64_t{1} << 26};
      settings[traffic_class] = &data;
      gateway->set_queue(
          wire, dp::make_queue_record({.rate = 2'000'000'000, .burst = contract::queue_burst_min},
                                      settings, rte_get_tsc_hz()));
    }
    for (std::uint32_t i = 0; i < 24; ++i) {
      // Half of them are received by what was in force before.
      if (i == 12) gateway->commit();
      offer(*gateway, i % qps, next[i % qps]++);
      ++offered;
    }
    gateway->let_pass(round % 8 < 4 ? 40'000 : 160'000);
    arrived.take(*gateway);
    for (std::uint16_t worker = workers(); worker-- > 0;) {
      gateway->worker(worker).turn();
      arrived.take(*gateway);  // As they leave: each worker has a tx queue of its own.
    }
    held = std::max(held, gateway->totals().held);
  }
  let_all_leave(*gateway);
  arrived.take(*gateway);
  arrived.expect_in_order();
  EXPECT_EQ(arrived.total(), offered);
  EXPECT_GT(held, 30u);
  EXPECT_EQ(gateway->mismatch(), 0);
}

INSTANTIATE_TEST_SUITE_P(Workers, Queues, test::one_and_two_workers);

}  // namespace
