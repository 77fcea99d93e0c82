// SPDX-License-Identifier: Apache-2.0
// Next hops that come and go while frames flow: every frame leaves once, by a next hop that was
// usable when it was chosen, and those of a flow in their order.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/gateway.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using test::Bytes;
using test::Gateway;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire0 = 1;
constexpr std::uint16_t wire1 = 2;
constexpr std::string_view near_mac = "02:00:00:00:0a:01";
constexpr std::string_view far_mac = "02:00:00:00:0b:01";
constexpr std::string_view spine1 = "02:00:00:00:ff:01";
constexpr std::string_view spine2 = "02:00:00:00:ff:02";

class Failover : public testing::TestWithParam<const char*> {
 protected:
  Failover() : gateway_({.workers = 2, .queues = 2}) {
    const bool is_v4 = std::string_view(GetParam()) == "ipv4";
    gateway_.add_port(host, test::tenant_port(1));
    gateway_.add_port(wire0, test::underlay_port("02:70:63:61:70:00"));
    gateway_.add_port(wire1, test::underlay_port("02:70:63:61:70:01"));
    gateway_.set_next_hop(1, {.port = wire0});
    gateway_.set_next_hop(2, {.port = wire1});
    gateway_.set_remote_vtep(2, {.address = is_v4 ? "198.18.0.2" : "fd00:18::2",
                                 .port = 0,
                                 .source = is_v4 ? "198.18.0.1" : "fd00:18::1",
                                 .next_hops = {1, 2}});
    gateway_.set_network(1, 100);
    gateway_.set_endpoint(1, far_mac, test::at_vtep(2));
    gateway_.commit();
  }

  // A frame with a number behind its headers.
  static Bytes numbered(std::uint32_t number) {
    Bytes frame(100);
    const base::MacAddress destination = test::mac(far_mac);
    const base::MacAddress source = test::mac(near_mac);
    std::memcpy(frame.data(), destination.bytes.data(), 6);
    std::memcpy(frame.data() + 6, source.bytes.data(), 6);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    std::memcpy(frame.data() + 96, &number, sizeof number);
    return frame;
  }

  static std::uint32_t number_of(const Bytes& frame) {
    std::uint32_t number = 0;
    std::memcpy(&number, frame.data() + frame.size() - sizeof number, sizeof number);
    return number;
  }

  // What left at the port: numbers in order, all to this MAC.
  std::vector<std::uint32_t> numbers_at(std::uint16_t port, std::string_view mac) {
    std::vector<std::uint32_t> numbers;
    const base::MacAddress expected = test::mac(mac);
    for (const Bytes& frame : gateway_.take_sent(port)) {
      EXPECT_EQ(std::memcmp(frame.data(), expected.bytes.data(), 6), 0);
      numbers.push_back(number_of(frame));
    }
    return numbers;
  }

  std::vector<std::uint32_t> send(std::uint32_t count) {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < count; ++i) {
      numbers.push_back(next_);
      gateway_.offer(host, numbered(next_++), 0);
    }
    gateway_.run();
    return numbers;
  }

  void expect_to_leave(std::uint16_t port, std::string_view mac) {
    const std::vector<std::uint32_t> sent = send(100);
    EXPECT_EQ(numbers_at(port, mac), sent);
  }

  Gateway gateway_;
  std::uint32_t next_ = 0;
};

TEST_P(Failover, frames_follow_the_words_at_once_and_without_a_commit) {
  constexpr auto unresolved = contract::DropReason::next_hop_unresolved;
  constexpr auto link_down = contract::DropReason::next_hop_link_down;
  send(10);
  EXPECT_EQ(gateway_.drops(unresolved), 10u);

  gateway_.set_usable(2, true, true, spine2);
  expect_to_leave(wire1, spine2);
  gateway_.set_usable(1, true, true, spine1);
  expect_to_leave(wire0, spine1);
  // Its MAC moves.
  gateway_.set_usable(1, true, true, "02:00:00:00:ff:99");
  expect_to_leave(wire0, "02:00:00:00:ff:99");
  gateway_.set_usable(1, false, false, spine1);
  expect_to_leave(wire1, spine2);
  gateway_.set_usable(2, false, false, spine2);
  send(10);
  EXPECT_EQ(gateway_.drops(link_down), 10u);
  gateway_.set_usable(1, true, true, spine1);
  expect_to_leave(wire0, spine1);
  EXPECT_TRUE(numbers_at(wire1, spine2).empty());
  EXPECT_EQ(gateway_.drops(unresolved), 10u);
}

TEST_P(Failover, frames_under_way_leave_by_one_of_both_while_words_change) {
  gateway_.set_usable(1, true, true, spine1);
  gateway_.set_usable(2, true, true, spine2);
  std::atomic<bool> stop{false};
  // As the housekeeper does it, beside the workers. One of them is usable at any time.
  std::thread housekeeper([&] {
    for (bool first = true; !stop.load(std::memory_order_relaxed); first = !first) {
      gateway_.set_usable(first ? 1 : 2, true, true, first ? spine1 : spine2);
      gateway_.set_usable(first ? 2 : 1, false, false, first ? spine2 : spine1);
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });

  std::size_t by_first = 0;
  std::size_t by_second = 0;
  constexpr std::uint32_t count = 100;
  std::uint32_t rounds = 0;
  // Until both had their share; rounds are bounded for the day when one never has.
  for (; rounds < 100'000 && (by_first < 1000 || by_second < 1000); ++rounds) {
    send(count);
    const std::vector<std::uint32_t> first = numbers_at(wire0, spine1);
    const std::vector<std::uint32_t> second = numbers_at(wire1, spine2);
    EXPECT_TRUE(std::ranges::is_sorted(first));
    EXPECT_TRUE(std::ranges::is_sorted(second));
    by_first += first.size();
    by_second += second.size();
  }
  stop = true;
  housekeeper.join();

  EXPECT_GE(by_first, 1000u);
  EXPECT_GE(by_second, 1000u);
  // Who looks at the first one before a change and at the second one after it finds none.
  EXPECT_EQ(by_first + by_second + gateway_.drops(contract::DropReason::next_hop_link_down),
            std::uint64_t{rounds} * count);
}

// Each frame is written with one word's MAC, whole: these two differ in every byte but the first.
TEST_P(Failover, a_next_hop_that_moves_under_way_loses_nothing_and_has_one_mac_a_frame) {
  constexpr std::string_view before = "02:11:22:33:44:55";
  constexpr std::string_view after = "02:ee:dd:cc:bb:aa";
  gateway_.set_usable(1, true, true, before);
  std::atomic<bool> stop{false};
  std::thread housekeeper([&] {
    for (bool moved = true; !stop.load(std::memory_order_relaxed); moved = !moved) {
      gateway_.set_usable(1, true, true, moved ? after : before);
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });

  std::size_t by_mac[2] = {};
  constexpr std::uint32_t count = 100;
  std::uint32_t rounds = 0;
  // Bounded as above.
  for (; rounds < 100'000 && (by_mac[0] < 1000 || by_mac[1] < 1000); ++rounds) {
    const std::vector<std::uint32_t> sent = send(count);
    std::vector<std::uint32_t> left;
    for (const Bytes& frame : gateway_.take_sent(wire0)) {
      const bool moved = std::memcmp(frame.data(), test::mac(after).bytes.data(), 6) == 0;
      EXPECT_TRUE(moved || std::memcmp(frame.data(), test::mac(before).bytes.data(), 6) == 0);
      ++by_mac[moved];
      left.push_back(number_of(frame));
    }
    EXPECT_EQ(left, sent);
  }
  stop = true;
  housekeeper.join();

  EXPECT_GE(by_mac[0], 1000u);
  EXPECT_GE(by_mac[1], 1000u);
  EXPECT_EQ(by_mac[0] + by_mac[1], std::size_t{rounds} * count);
  EXPECT_EQ(gateway_.totals().dropped, 0u);
}

INSTANTIATE_TEST_SUITE_P(Over, Failover, testing::Values("ipv4", "ipv6"),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
