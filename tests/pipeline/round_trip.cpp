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
  std::string_view address;
  std::string_view endpoint;
};
constexpr End west{"02:70:63:61:70:00", "198.18.0.1", "02:00:00:00:0a:01"};
constexpr End east{"02:70:63:61:70:ee", "198.18.0.2", "02:00:00:00:0b:01"};

void program(test::Gateway& gateway, const End& here, const End& there) {
  gateway.add_port(host, test::tenant_port(blue));
  gateway.add_port(wire, test::underlay_port(here.mac));
  gateway.set_local_vtep(1, here.address, wire);
  gateway.set_remote_vtep(
      2,
      {.address = there.address, .port = wire, .source = here.address, .next_hop_mac = there.mac});
  gateway.set_network(blue, 100);
  gateway.set_endpoint(blue, here.endpoint, test::at_port(host));
  gateway.set_endpoint(blue, there.endpoint, test::at_vtep(2));
  gateway.commit();
}

// What a congested switch does to the tunnel packet.
void mark(Bytes& packet) {
  dp::write_ecn(*reinterpret_cast<dp::Ipv4Header*>(packet.data() + 14), contract::Ecn::ce);
}

class RoundTrip : public test::OnWorkers {};

INSTANTIATE_TEST_SUITE_P(Workers, RoundTrip, test::one_and_two_workers);

TEST_P(RoundTrip, every_frame_arrives_as_it_was_sent) {
  const test::CaseFile file = test::read_cases(std::getenv("WEIR_CASES"));
  test::Gateway sender(on_workers());
  test::Gateway receiver(on_workers());
  program(sender, west, east);
  program(receiver, east, west);

  for (const test::Case& one : file.cases) {
    SCOPED_TRACE(one.name);
    const auto queue = static_cast<std::uint16_t>(one.in[0].frame.size() % workers());
    sender.offer(host, one.in[0].frame, queue);
    sender.run();
    for (Bytes& packet : sender.take_sent(wire)) {
      if (one.name.starts_with("marked")) mark(packet);
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

}  // namespace
