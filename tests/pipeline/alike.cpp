// SPDX-License-Identifier: Apache-2.0
// Bursts whose frames are alike are spared the questions that the first was asked (JudgesFront).
// What leaves and what is counted must be what frames by themselves would have: the same bursts,
// with each frame in a burst of its own, and with every burst observed, are the judges.
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/gateway.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using contract::DropReason;
using test::Bytes;
using test::Gateway;

constexpr std::uint16_t host = 0, wire0 = 1, wire1 = 2, other_host = 3;
constexpr std::string_view near = "02:00:00:00:0a:01", local = "02:00:00:00:0a:02";
constexpr std::string_view far = "02:00:00:00:0b:01", farther = "02:00:00:00:0c:01";
constexpr std::string_view over_ipv6 = "02:00:00:00:0d:01", summed = "02:00:00:00:0e:01";

enum class How { burst, alone, observed };

// What a gateway made of some bursts.
struct Seen {
  std::vector<Bytes> wire0, wire1, other_host;
  Gateway::StageDrops drops;
  std::vector<std::uint64_t> counts;
  bool operator==(const Seen&) const = default;
};

using Burst = std::vector<Bytes>;
using Prepare = std::function<void(Gateway&)>;

class Alike : public testing::Test {
 protected:
  static Seen see(How how, const std::vector<Burst>& bursts, const Prepare& prepare,
                  std::uint16_t headroom) {
    Gateway gateway({.headroom = headroom});
    program(gateway);
    if (prepare) prepare(gateway);
    if (how == How::observed) observe(gateway);
    for (const Burst& burst : bursts) {
      for (const Bytes& frame : burst) {
        gateway.offer(host, frame);
        if (how == How::alone) gateway.run();
      }
      gateway.run();
    }
    Seen seen{.wire0 = gateway.take_sent(wire0),
              .wire1 = gateway.take_sent(wire1),
              .other_host = gateway.take_sent(other_host),
              .drops = gateway.stage_drops(),
              .counts = {}};
    count(gateway, seen.counts);
    return seen;
  }

  static void program(Gateway& gateway) {
    gateway.add_port(host, test::tenant_port(1));
    gateway.add_port(other_host, test::tenant_port(1));
    gateway.add_port(wire0, test::underlay_port("02:70:63:61:70:00"));
    gateway.add_port(wire1, test::underlay_port("02:70:63:61:70:01"));
    gateway.set_next_hop(1, {.port = wire0, .static_mac = "02:00:00:00:ff:01"});
    gateway.set_next_hop(2, {.port = wire1, .static_mac = "02:00:00:00:ff:02"});
    gateway.set_network(1, 100, /*flood_unknown_unicast=*/false);
    const auto vtep = [&](std::uint16_t number, std::string_view address, std::string_view mac,
                          int pinned_dscp, bool with_sum) {
      const bool is_v4 = address.find(':') == address.npos;
      gateway.set_remote_vtep(number, {.address = address,
                                       .port = 0,
                                       .source = is_v4 ? "198.18.0.1" : "fd00:18::1",
                                       .pinned_dscp = pinned_dscp,
                                       .summed = with_sum,
                                       .next_hops = {1, 2}});
      gateway.set_endpoint(1, mac, test::at_vtep(number));
    };
    vtep(2, "198.18.0.2", far, -1, false);
    vtep(3, "198.18.0.3", farther, 46, false);
    vtep(4, "fd00:18::4", over_ipv6, -1, false);
    vtep(5, "198.18.0.5", summed, -1, true);
    gateway.set_endpoint(1, local, test::at_port(other_host));
    gateway.commit();
    gateway.set_usable(1, true, true, "02:00:00:00:ff:01");
    gateway.set_usable(2, true, true, "02:00:00:00:ff:02");
  }

  // A trace that waits for a frame that does not come.
  static void observe(Gateway& gateway) {
    contract::TraceAdd never{};
    never.trace = 1;
    never.count = 1;
    never.fields = static_cast<std::uint16_t>(contract::TraceField::port);
    never.port = base::PortId{63};
    ASSERT_TRUE(gateway.trace_board().add(never));
  }

  template <class Struct>
  static void append(const Struct& counters, std::vector<std::uint64_t>& to) {
    static_assert(sizeof counters % 8 == 0);
    const std::size_t before = to.size();
    to.resize(before + sizeof counters / 8);
    std::memcpy(&to[before], &counters, sizeof counters);
  }
  static void count(Gateway& gateway, std::vector<std::uint64_t>& counts) {
    append(gateway.network_counters(1), counts);
    for (std::uint16_t vtep = 2; vtep <= 5; ++vtep) append(gateway.vtep_counters(vtep), counts);
    for (const std::uint16_t port : {host, wire0, wire1, other_host}) {
      append(gateway.port_counters(port), counts);
    }
  }

  // Says what left, for the test to look at.
  static Seen agree(const std::vector<Burst>& bursts, const Prepare& prepare = {},
                    std::uint16_t headroom = RTE_PKTMBUF_HEADROOM) {
    Seen together = see(How::burst, bursts, prepare, headroom);
    EXPECT_TRUE(together == see(How::alone, bursts, prepare, headroom));
    EXPECT_TRUE(together == see(How::observed, bursts, prepare, headroom));
    return together;
  }

  static Bytes to(std::string_view mac, std::uint32_t number, std::size_t payload = 16) {
    return test::make({.source_mac = near,
                       .destination_mac = mac,
                       .source_port = static_cast<std::uint16_t>(0xc000 + number),
                       .tos = static_cast<std::uint8_t>(number),
                       .qp = 0x100 + number,
                       .psn = number,
                       .payload = payload});
  }
  static Burst burst_to(std::string_view mac, std::size_t count = 64) {
    Burst burst;
    for (std::uint32_t i = 0; i < count; ++i) burst.push_back(to(mac, i, 16 + 4 * (i % 9)));
    return burst;
  }
  // Its `place`th frame is another one.
  static Burst with(Burst burst, std::size_t place, Bytes frame) {
    burst[place] = std::move(frame);
    return burst;
  }
  static Bytes no_ip(std::string_view mac) {
    Bytes frame = to(mac, 0);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    return frame;
  }
};

TEST_F(Alike, one_burst_to_one_vtep) {
  EXPECT_EQ(agree({burst_to(far)}).wire0.size(), 64u);
  EXPECT_EQ(agree({burst_to(farther)}).wire0.size(), 64u);  // Its DSCP is pinned.
}

TEST_F(Alike, bursts_to_one_vtep_after_another) {
  EXPECT_EQ(
      agree({burst_to(far), burst_to(farther), burst_to(far, 3), burst_to(far, 1)}).wire0.size(),
      64u + 64 + 3 + 1);
}

TEST_F(Alike, every_form_of_outer_header) {
  EXPECT_EQ(agree({burst_to(over_ipv6)}).wire0.size(), 64u);
  EXPECT_EQ(agree({burst_to(summed)}).wire0.size(), 64u);
  EXPECT_EQ(agree({burst_to(local)}).other_host.size(), 64u);
}

TEST_F(Alike, one_frame_that_is_not_like_the_others) {
  for (const std::size_t place : {0u, 1u, 31u, 63u}) {
    SCOPED_TRACE(place);
    EXPECT_EQ(agree({with(burst_to(far), place, to(farther, 7))}).wire0.size(), 64u);
    EXPECT_EQ(agree({with(burst_to(far), place, to(over_ipv6, 7))}).wire0.size(), 64u);
    EXPECT_EQ(agree({with(burst_to(far), place, no_ip(far))}).wire0.size(), 64u);
    EXPECT_EQ(agree({with(burst_to(far), place, to(local, 7))}).wire0.size(), 63u);
    const Seen unknown = agree({with(burst_to(far), place, to("02:00:00:00:99:01", 7))});
    EXPECT_EQ(unknown.wire0.size(), 63u);
    EXPECT_EQ(unknown.drops.size(), 1u);
    const Seen runt = agree({with(burst_to(far), place, Bytes(10, 2))});
    EXPECT_EQ(runt.wire0.size(), 63u);
  }
}

TEST_F(Alike, a_frame_that_is_too_long_dies_alone) {
  const Seen seen = agree({with(burst_to(far), 20, to(far, 7, 1600))});
  EXPECT_EQ(seen.wire0.size(), 63u);
  const auto reason =
      std::pair{std::string("host_to_wire/choose_next_hop"), DropReason::mtu_exceeded};
  EXPECT_EQ(seen.drops.at(reason), 1u);
}

TEST_F(Alike, the_second_next_hop_and_none) {
  const auto first_gone = [](Gateway& gateway) {
    gateway.set_usable(1, false, true);
  };
  EXPECT_EQ(agree({burst_to(far)}, first_gone).wire1.size(), 64u);
  const Seen none = agree({burst_to(far)}, [](Gateway& gateway) {
    gateway.set_usable(1, false, true);
    gateway.set_usable(2, false, true);
  });
  EXPECT_EQ(none.wire0.size() + none.wire1.size(), 0u);
  EXPECT_EQ(none.drops.size(), 1u);
}

TEST_F(Alike, frames_without_headroom_die_and_no_others) {
  const Seen seen = agree({burst_to(far)}, {}, test::tunnel_bytes - 1);
  EXPECT_EQ(seen.wire0.size(), 0u);
  EXPECT_EQ(seen.drops.at({"host_to_wire/encapsulate", DropReason::no_headroom}), 64u);
  EXPECT_EQ(agree({burst_to(far)}, {}, test::tunnel_bytes).wire0.size(), 64u);
}

}  // namespace
