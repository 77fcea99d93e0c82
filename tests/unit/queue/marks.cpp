// SPDX-License-Identifier: Apache-2.0
// Which packets are marked: SONiC's acceptance tests (sonic-mgmt, snappi_tests/ecn) in virtual
// time, and every codepoint, place and policy.
#include "tests/unit/queue/frames.hpp"

#include <cmath>

namespace {

using contract::MarkPlace;
using dp::Ecn;
using dp::MarkResult;

class Marks : public test::QueueTest {};

// Kmin = Kmax: the first of 200 packets that waited is marked, the last is not, and the change is
// exactly where no more than the threshold waits.
TEST_F(Marks, begin_and_end_at_a_step) {
  configure({}, {{.traffic_class = 3,
                  .buffer = 1'000'000,
                  .kmin = 100'000,
                  .kmax = 100'000,
                  .pmax = 50'000}});
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(enqueue(frame(1000, 3)));
  const auto left = leave(0);
  ASSERT_EQ(left.size(), 200u);
  for (std::size_t i = 0; i < left.size(); ++i) {
    const std::size_t depth = (left.size() - i) * 1000;
    EXPECT_EQ(is_ce(left[i]), depth > 100'000) << "packet " << i;
  }
  EXPECT_EQ(counters_[3].marked_packets, 100u);
  EXPECT_EQ(counters_[3].marked_bytes, 100'000u);
}

// Kmin 500 KB, Kmax 2000 KB, Pmax 5 %, filled to Kmax and 10 KB more, 200 rounds: the share of CE
// in each 50 KB of depth is within 3 standard deviations of the line.
TEST_F(Marks, follow_the_line_from_kmin_to_kmax) {
  constexpr std::size_t kmin = 500'000;
  constexpr std::size_t kmax = 2'000'000;
  constexpr double pmax = 0.05;
  configure(
      {}, {{.traffic_class = 3, .buffer = 4'000'000, .kmin = kmin, .kmax = kmax, .pmax = 50'000}});
  constexpr std::size_t bin_bytes = 50'000;
  constexpr int rounds = 200;
  struct Bin {
    double packets = 0;
    double marked = 0;
    double expected = 0;
  };
  double expected = 0;
  std::map<std::size_t, Bin> bins;
  for (int round = 0; round < rounds; ++round) {
    constexpr std::size_t count = kmax / 1000 + 10;
    for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(enqueue(frame(1000, 3)));
    const auto left = leave(0);
    ASSERT_EQ(left.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t depth = (count - i) * 1000;
      const bool marked = is_ce(left[i]);
      if (depth <= kmin) {
        ASSERT_FALSE(marked) << depth;
        continue;
      }
      if (depth > kmax) {
        ASSERT_TRUE(marked) << depth;
        expected += 1;
        continue;
      }
      Bin& bin = bins[(depth - kmin - 1) / bin_bytes];
      bin.packets += 1;
      bin.marked += marked ? 1 : 0;
      bin.expected += pmax * static_cast<double>(depth - kmin) / (kmax - kmin);
    }
    buffers_.clear();
  }
  ASSERT_EQ(bins.size(), (kmax - kmin) / bin_bytes);
  for (const auto& [number, bin] : bins) {
    const double p = bin.expected / bin.packets;
    EXPECT_NEAR(bin.marked, bin.expected, 3 * std::sqrt(bin.packets * p * (1 - p))) << number;
    expected += bin.expected;
  }
  // Each packet's share is rounded to a millionth.
  EXPECT_NEAR(static_cast<double>(counters_[3].mark_probability_ppm), expected * 1e6,
              0.5 * rounds * static_cast<double>(kmax / 1000 + 10));
}

TEST_F(Marks, spare_and_drop_what_may_not_be_marked) {
  contract::QueueSet all{.traffic_class = 0, .kmin = 1, .kmax = 1};
  const auto result = [&](Ecn ecn, bool control) {
    configure({}, {all});
    const dp::QueuedFrame one = frame(1000, 0, ecn, control);
    EXPECT_TRUE(enqueue(one));
    dropped_.clear();
    const auto left = leave(0);
    EXPECT_EQ(left.size() + dropped_.size(), 1u);
    if (left.empty()) return std::string("dropped");
    EXPECT_TRUE(dp::checksum_holds(ip_of(one)));
    return std::string(contract::name(dp::ecn_of(ip_of(one).tos)));
  };
  EXPECT_EQ(result(Ecn::ect0, false), "ce");
  EXPECT_EQ(result(Ecn::ect1, false), "ce");
  EXPECT_EQ(result(Ecn::ce, false), "ce");
  EXPECT_EQ(result(Ecn::not_ect, false), "not_ect");
  all.drop_not_ect = 1;
  EXPECT_EQ(result(Ecn::not_ect, false), "dropped");
  EXPECT_EQ(result(Ecn::not_ect, true), "not_ect") << "CM is Not-ECT, and must pass";
  EXPECT_EQ(result(Ecn::ect0, true), "ect0");
  EXPECT_EQ(counters_[0].marked_packets, 2u);
  EXPECT_EQ(counters_[0].marked_before_packets, 1u);
  EXPECT_EQ(counters_[0].not_ect_packets, 1u);
  EXPECT_EQ(counters_[0].marker_dropped_packets, 1u);
  EXPECT_EQ(counters_[0].exempt_packets, 2u);
  all.mark_control = 1;
  EXPECT_EQ(result(Ecn::ect0, true), "ce");
  EXPECT_EQ(result(Ecn::not_ect, true), "dropped");
}

// A turn of a worker is not spent on dropping.
TEST_F(Marks, drop_no_more_at_once_than_may_leave) {
  configure({}, {{.traffic_class = 0, .drop_not_ect = 1, .kmin = 1, .kmax = 1}});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(enqueue(frame(1000, 0, Ecn::not_ect)));
  const auto frames =
      queue_.dequeue(record_, 0, random_, counters(),
                     [this](const dp::QueuedFrame& dead) { dropped_.push_back(dead); });
  EXPECT_TRUE(frames.empty());
  EXPECT_EQ(dropped_.size(), dp::EgressQueue::departures_max);
}

TEST_F(Marks, leave_frames_without_ip_alone) {
  configure({}, {{.traffic_class = 0, .drop_not_ect = 1, .mark_control = 1, .kmin = 1, .kmax = 1}});
  dp::QueuedFrame arp = frame(60);
  arp.outer_ip = 0;
  ASSERT_TRUE(enqueue(arp));
  EXPECT_EQ(leave(0).size(), 1u);
  EXPECT_EQ(counters_[0].exempt_packets, 1u);
}

// In a tunnel: both headers of either family.
class Places : public test::QueueTest {
 protected:
  static constexpr std::uint8_t outer_at = sizeof(dp::EthernetHeader);

  static std::uint8_t ip_bytes(bool v6) {
    return v6 ? sizeof(dp::Ipv6Header) : sizeof(dp::Ipv4Header);
  }
  static void write_ip(std::uint8_t* at, bool v6, Ecn ecn) {
    if (v6) {
      auto* ip = reinterpret_cast<dp::Ipv6Header*>(at);
      ip->version_class_label = dp::Ipv6Header::class_and_label(
          static_cast<std::uint8_t>(0x68 | static_cast<unsigned>(ecn)), 0x12345);
      return;
    }
    auto* ip = reinterpret_cast<dp::Ipv4Header*>(at);
    ip->version_ihl = dp::Ipv4Header::plain;
    ip->tos = static_cast<std::uint8_t>(0x68 | static_cast<unsigned>(ecn));
    ip->checksum =
        base::be16::from_raw(static_cast<std::uint16_t>(~dp::fold(dp::sum_words(ip, sizeof *ip))));
  }
  static Ecn ecn_at(const std::uint8_t* at) {
    if (*at >> 4 == 6) {
      return dp::ecn_of(reinterpret_cast<const dp::Ipv6Header*>(at)->traffic_class());
    }
    const auto* ip = reinterpret_cast<const dp::Ipv4Header*>(at);
    EXPECT_TRUE(dp::checksum_holds(*ip));
    return dp::ecn_of(ip->tos);
  }
  static std::uint8_t inner_at(bool outer_v6) {
    return static_cast<std::uint8_t>(outer_at + ip_bytes(outer_v6) + sizeof(dp::UdpHeader) +
                                     sizeof(dp::VxlanHeader) + sizeof(dp::EthernetHeader));
  }
  static dp::UdpHeader& udp_of(const dp::QueuedFrame& one, bool outer_v6) {
    return *reinterpret_cast<dp::UdpHeader*>(data(one.mbuf) + outer_at + ip_bytes(outer_v6));
  }
  // What the UDP checksum covers and marks may change.
  static std::uint16_t sum_of(const dp::QueuedFrame& one, bool outer_v6) {
    const std::size_t from = outer_at + ip_bytes(outer_v6);
    return dp::fold(dp::sum_words(data(one.mbuf) + from, 140 - from));
  }
  dp::QueuedFrame tunnel(bool outer_v6, bool inner_v6, Ecn outer, Ecn inner, bool summed) {
    rte_mbuf* buffer = mbuf(1000);
    write_ip(data(buffer) + outer_at, outer_v6, outer);
    write_ip(data(buffer) + inner_at(outer_v6), inner_v6, inner);
    dp::QueuedFrame one{.mbuf = buffer,
                        .bytes = 1000,
                        .outer_ip = outer_at,
                        .inner_ip = inner_at(outer_v6),
                        .traffic_class = 0,
                        .control = false,
                        .epoch = 0,
                        .stage = 0};
    if (summed) {
      udp_of(one, outer_v6).checksum =
          base::be16::from_raw(static_cast<std::uint16_t>(~sum_of(one, outer_v6)));
    }
    return one;
  }
};

TEST_F(Places, are_marked_as_asked_and_checksums_follow) {
  dp::QueueClassRecord rules = dp::make_queue_class(nullptr, test::tsc_hz);
  for (const MarkPlace place : {MarkPlace::outer, MarkPlace::inner, MarkPlace::both}) {
    rules.mark = place;
    for (int families = 0; families < 8; ++families) {
      const bool outer_v6 = (families & 1) != 0;
      const bool inner_v6 = (families & 2) != 0;
      const bool summed = (families & 4) != 0;
      const dp::QueuedFrame one = tunnel(outer_v6, inner_v6, Ecn::ect0, Ecn::ect1, summed);
      ASSERT_EQ(dp::mark(one, rules), MarkResult::marked);
      const Ecn outer = place == MarkPlace::inner ? Ecn::ect0 : Ecn::ce;
      const Ecn inner = place == MarkPlace::outer ? Ecn::ect1 : Ecn::ce;
      EXPECT_EQ(ecn_at(data(one.mbuf) + one.outer_ip), outer);
      EXPECT_EQ(ecn_at(data(one.mbuf) + one.inner_ip), inner);
      if (summed) {
        EXPECT_EQ(sum_of(one, outer_v6), 0xffff) << families;
      } else {
        EXPECT_EQ(udp_of(one, outer_v6).checksum, base::be16(0));
      }
    }
  }
}

// A transit frame may come with IPv4 options: UDP stands behind them.
TEST_F(Places, find_the_udp_checksum_behind_ipv4_options) {
  dp::QueueClassRecord rules = dp::make_queue_class(nullptr, test::tsc_hz);
  rules.mark = MarkPlace::inner;
  dp::QueuedFrame one = tunnel(false, false, Ecn::ect0, Ecn::ect0, false);
  std::uint8_t* outer = data(one.mbuf) + one.outer_ip;
  outer[0] = 0x46;  // 24 bytes.
  one.inner_ip = static_cast<std::uint8_t>(one.inner_ip + 4);
  write_ip(data(one.mbuf) + one.inner_ip, /*v6=*/true, Ecn::ect0);
  auto& udp = *reinterpret_cast<dp::UdpHeader*>(outer + 24);
  udp.checksum = base::be16(0);
  const auto sum = [&] {
    return dp::fold(dp::sum_words(outer + 24, 100));
  };
  udp.checksum = base::be16::from_raw(static_cast<std::uint16_t>(~sum()));
  ASSERT_EQ(dp::mark(one, rules), MarkResult::marked);
  EXPECT_EQ(ecn_at(data(one.mbuf) + one.inner_ip), Ecn::ce);
  EXPECT_EQ(sum(), 0xffff);
}

TEST_F(Places, go_by_the_header_that_is_to_be_marked) {
  dp::QueueClassRecord rules = dp::make_queue_class(nullptr, test::tsc_hz);
  const auto judge = [&](MarkPlace place, Ecn outer, Ecn inner) {
    rules.mark = place;
    const dp::QueuedFrame one = tunnel(false, false, outer, inner, false);
    const MarkResult result = dp::mark(one, rules);
    return std::tuple(result, ecn_at(data(one.mbuf) + one.outer_ip),
                      ecn_at(data(one.mbuf) + one.inner_ip));
  };
  using Result = std::tuple<MarkResult, Ecn, Ecn>;
  // CE never on an inner Not-ECT.
  EXPECT_EQ(judge(MarkPlace::both, Ecn::ect0, Ecn::not_ect),
            Result(MarkResult::marked, Ecn::ce, Ecn::not_ect));
  EXPECT_EQ(judge(MarkPlace::inner, Ecn::ect0, Ecn::not_ect),
            Result(MarkResult::not_ect, Ecn::ect0, Ecn::not_ect));
  EXPECT_EQ(judge(MarkPlace::outer, Ecn::not_ect, Ecn::ect0),
            Result(MarkResult::not_ect, Ecn::not_ect, Ecn::ect0));
  EXPECT_EQ(judge(MarkPlace::both, Ecn::ce, Ecn::ect0),
            Result(MarkResult::marked_before, Ecn::ce, Ecn::ce));
  EXPECT_EQ(judge(MarkPlace::inner, Ecn::ce, Ecn::ect0),
            Result(MarkResult::marked, Ecn::ce, Ecn::ce));
}

}  // namespace
