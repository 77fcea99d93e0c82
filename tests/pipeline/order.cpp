// SPDX-License-Identifier: Apache-2.0
// Order within a QP flow (network, source IP, destination IP, destination QP) is never changed, not
// by floods, not by full outboxes, not by a table change between two batches of one queue.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace {

using test::Bytes;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t neighbour = 2;
constexpr std::uint16_t blue = 1;
constexpr std::uint32_t qp_first = 0x100;
constexpr std::uint32_t qp_count = 24;
constexpr std::string_view target = "02:00:00:00:0b:01";

class Order : public test::OnWorkers {
 protected:
  Order() : gateway_(on_workers({.copies = 4095})) {
    gateway_.add_port(host, test::tenant_port(blue));
    gateway_.add_port(wire, test::underlay_port("02:70:63:61:70:00"));
    gateway_.add_port(neighbour, test::tenant_port(blue));
    gateway_.set_local_vtep(1, "198.18.0.1");
    for (const std::uint16_t vtep : {2, 3}) {
      const std::string address = "198.18.0." + std::to_string(vtep);
      gateway_.set_remote_vtep(vtep, {.address = address, .port = wire, .source = "198.18.0.1"});
    }
    gateway_.set_network(blue, 100, true, std::array<std::uint16_t, 2>{2, 3});
    gateway_.commit();
  }

  // The next packet of a random QP, in the queue where a device's RSS always puts that QP.
  void offer(bool from_wire = false) {
    const std::uint32_t qp = qp_first + static_cast<std::uint32_t>(random_() % qp_count);
    const Bytes frame = test::make(
        {.destination_mac = target, .qp = qp, .psn = sent_[qp]++, .payload = random_() % 64});
    const auto queue = static_cast<std::uint16_t>(qp % workers());
    if (from_wire) {
      gateway_.offer(wire, test::wrap(frame), queue);
    } else {
      gateway_.offer(host, frame, queue);
    }
  }

  // Sequence numbers by QP as they left for one place: a port, or a VTEP behind it.
  using Sequences = std::map<std::uint32_t, std::vector<std::uint32_t>>;
  Sequences take_plain(std::uint16_t port) {
    Sequences sequences;
    for (const Bytes& frame : gateway_.take_sent(port)) {
      sequences[test::qp_of(frame)].push_back(test::psn_of(frame));
    }
    return sequences;
  }
  std::map<std::uint16_t, Sequences> take_wrapped() {
    std::map<std::uint16_t, Sequences> by_vtep;
    for (const Bytes& packet : gateway_.take_sent(wire)) {
      const auto vtep = static_cast<std::uint16_t>(test::outer_destination(packet.data()) & 0xff);
      const Bytes frame(packet.begin() + test::tunnel_bytes, packet.end());
      by_vtep[vtep][test::qp_of(frame)].push_back(test::psn_of(frame));
    }
    return by_vtep;
  }

  void expect_in_order(const Sequences& sequences) {
    for (const auto& [qp, psns] : sequences) {
      EXPECT_TRUE(std::ranges::is_sorted(psns)) << "QP " << qp;
      EXPECT_EQ(std::ranges::adjacent_find(psns), psns.end()) << "QP " << qp << " has it twice";
    }
  }
  void expect_everything(const Sequences& sequences) { expect_nothing_missing(sequences, {}); }
  // Whatever left for `first` was sent before whatever left for `then`, and nothing is missing.
  void expect_handed_over(const Sequences& first, const Sequences& then) {
    EXPECT_FALSE(first.empty());
    EXPECT_FALSE(then.empty());
    expect_nothing_missing(first, then);
  }
  void expect_nothing_missing(Sequences first, Sequences then) {
    expect_in_order(first);
    expect_in_order(then);
    for (std::uint32_t qp = qp_first; qp < qp_first + qp_count; ++qp) {
      std::vector<std::uint32_t> all = first[qp];
      all.insert(all.end(), then[qp].begin(), then[qp].end());
      ASSERT_EQ(all.size(), sent_[qp]) << "QP " << qp;
      for (std::uint32_t psn = 0; psn < all.size(); ++psn) {
        ASSERT_EQ(all[psn], psn) << "QP " << qp;
      }
    }
  }

  test::Gateway gateway_;
  std::mt19937 random_{20261120};
  std::map<std::uint32_t, std::uint32_t> sent_;
  Sequences arrived_;
};

INSTANTIATE_TEST_SUITE_P(Workers, Order, test::one_and_two_workers);

TEST_P(Order, is_kept_when_an_endpoint_moves_between_vteps) {
  gateway_.set_endpoint(blue, target, test::at_vtep(2));
  gateway_.commit();

  for (int i = 0; i < 900; ++i) offer();
  for (std::uint16_t i = 0; i < workers(); ++i) gateway_.worker(i).turn();
  gateway_.set_endpoint(blue, target, test::at_vtep(3));
  gateway_.commit();  // In the middle of every queue.
  gateway_.run();

  auto left = take_wrapped();
  expect_handed_over(left[2], left[3]);
}

TEST_P(Order, is_kept_when_an_unknown_endpoint_becomes_known) {
  for (int i = 0; i < 900; ++i) offer();
  for (std::uint16_t i = 0; i < workers(); ++i) gateway_.worker(i).turn();
  gateway_.set_endpoint(blue, target, test::at_vtep(2));
  gateway_.commit();
  gateway_.run();

  auto left = take_wrapped();
  // The known place got all of them, first as copies of a flood; the others only those.
  expect_everything(left[2]);
  expect_in_order(left[3]);
  EXPECT_FALSE(left[3].empty());
  EXPECT_EQ(take_plain(neighbour), left[3]);
}

TEST_P(Order, is_kept_when_an_endpoint_comes_home) {
  gateway_.set_endpoint(blue, target, test::at_vtep(2));
  gateway_.commit();

  for (int i = 0; i < 700; ++i) offer();
  for (std::uint16_t i = 0; i < workers(); ++i) gateway_.worker(i).turn();
  gateway_.set_endpoint(blue, target, test::at_port(neighbour));
  gateway_.commit();
  gateway_.run();

  expect_handed_over(take_wrapped()[2], take_plain(neighbour));
}

TEST_P(Order, is_kept_out_of_a_tunnel) {
  gateway_.set_endpoint(blue, target, test::at_port(host));
  gateway_.commit();

  for (int i = 0; i < 700; ++i) offer(true);
  for (std::uint16_t i = 0; i < workers(); ++i) gateway_.worker(i).turn();
  gateway_.set_endpoint(blue, target, test::at_port(neighbour));
  gateway_.commit();
  gateway_.run();

  expect_handed_over(take_plain(host), take_plain(neighbour));
}

TEST_P(Order, is_kept_while_floods_and_known_frames_mix) {
  // Known and unknown in turns while traffic goes on: it is flooded, or it is not.
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 80; ++i) offer();
    if (round % 3 == 0) gateway_.set_endpoint(blue, target, test::at_vtep(2));
    if (round % 3 == 2) gateway_.remove_endpoint(blue, target);
    gateway_.commit();
    gateway_.worker(0).turn();
    if (round % 8 == 7) {
      gateway_.run();
      // Copies are few: take what is there, in order of time.
      const auto left = take_wrapped();
      for (const auto& [qp, psns] : left.at(2)) {
        auto& all = arrived_[qp];
        all.insert(all.end(), psns.begin(), psns.end());
      }
      (void)gateway_.take_sent(neighbour);  // Only makes room; the tunnel is what is judged.
    }
  }

  expect_everything(arrived_);
  EXPECT_GT(gateway_.totals().created, 0u) << "nothing was flooded";
}

}  // namespace
