// SPDX-License-Identifier: Apache-2.0
// host_to_wire of one gateway into wire_to_host of another, with the frames of a table.
#include "dataplane/packet/ecn.hpp"
#include "tests/pipeline/case_file.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace {

using test::Bytes;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t blue = 1;

struct End {
  std::string_view mac;  // Of the underlay port.
  std::string_view endpoint;
  std::string_view address4;
  std::string_view address6;
};
constexpr End west{"02:70:63:61:70:00", "02:00:00:00:0a:01", "198.18.0.1", "fd00:18::1"};
constexpr End east{"02:70:63:61:70:ee", "02:00:00:00:0b:01", "198.18.0.2", "fd00:18::2"};

struct Underlay {
  int family;
  bool summed;
};

void program(test::Gateway& gateway, const End& here, const End& there, const Underlay& underlay) {
  const auto address = [&](const End& end) {
    return underlay.family == 4 ? end.address4 : end.address6;
  };
  gateway.add_port(host, test::tenant_port(blue));
  gateway.add_port(wire, test::underlay_port(here.mac));
  gateway.set_local_vtep(1, address(here));
  gateway.set_remote_vtep(2, {.address = address(there),
                              .port = wire,
                              .source = address(here),
                              .next_hop_mac = there.mac,
                              .summed = underlay.summed});
  gateway.set_network(blue, 100);
  gateway.set_endpoint(blue, here.endpoint, test::at_port(host));
  gateway.set_endpoint(blue, there.endpoint, test::at_vtep(2));
  gateway.commit();
}

// What a congested switch does to the tunnel packet.
void mark(Bytes& packet, const Underlay& underlay) {
  if (underlay.family == 4) {
    dp::write_ecn(*reinterpret_cast<dp::Ipv4Header*>(packet.data() + 14), contract::Ecn::ce);
  } else {
    dp::write_ecn(*reinterpret_cast<dp::Ipv6Header*>(packet.data() + 14), contract::Ecn::ce);
  }
}

class RoundTrip : public test::OnWorkers {
 protected:
  void arrives_as_sent(const Underlay& underlay);
};

INSTANTIATE_TEST_SUITE_P(Workers, RoundTrip, test::one_and_two_workers);

void RoundTrip::arrives_as_sent(const Underlay& underlay) {
  const test::CaseFile file = test::read_cases(std::getenv("WEIR_CASES"));
  test::Gateway sender(on_workers());
  test::Gateway receiver(on_workers());
  program(sender, west, east, underlay);
  program(receiver, east, west, underlay);

  for (const test::Case& one : file.cases) {
    SCOPED_TRACE(one.name);
    const auto queue = static_cast<std::uint16_t>(one.in[0].frame.size() % workers());
    sender.offer(host, one.in[0].frame, queue);
    sender.run();
    for (Bytes& packet : sender.take_sent(wire)) {
      if (one.name.starts_with("marked")) mark(packet, underlay);
      receiver.offer(wire, packet, queue);
    }
    receiver.run();

    const auto arrived = receiver.take_sent(host);
    ASSERT_EQ(arrived.size(), 1u);
    ASSERT_EQ(test::compare(one.out[0].hex, arrived[0]), "");
  }
  EXPECT_GT(file.cases.size(), 4000u);
  EXPECT_EQ(sender.totals().dropped + receiver.totals().dropped, 0u);
}

TEST_P(RoundTrip, every_frame_arrives_as_it_was_sent) {
  arrives_as_sent({.family = 4, .summed = false});
}

TEST_P(RoundTrip, over_ipv6_too) {
  arrives_as_sent({.family = 6, .summed = false});
}

TEST_P(RoundTrip, under_a_udp_checksum_too) {
  arrives_as_sent({.family = 4, .summed = true});
  arrives_as_sent({.family = 6, .summed = true});
}

}  // namespace
