// SPDX-License-Identifier: Apache-2.0
// Frames and time for the neighbours of one port: whatever is sent at us, we stay within our memory
// and our limits, send only what we would take ourselves, and no MAC gets into use that no host can
// have.
#include "dataplane/base/check.hpp"
#include "dataplane/neighbour/neighbours.hpp"
#include "dataplane/packet/checksum.hpp"
#include "tests/fuzz/input.hpp"

#include <cstring>

namespace {

constexpr base::PortId port{3};
constexpr std::uint64_t ms = 1'000'000;
constexpr std::size_t nd_at = sizeof(dp::EthernetHeader) + sizeof(dp::Ipv6Header);

base::IpAddress ip(const char* text) {
  return *base::parse_ip(text);
}

// A fuzzer finds no checksum; this writes the right one.
void repair(std::vector<std::uint8_t>& frame) {
  if (frame.size() < nd_at + 8) return;
  const std::size_t bytes = frame.size() - nd_at;
  auto* ip6 = reinterpret_cast<dp::Ipv6Header*>(frame.data() + sizeof(dp::EthernetHeader));
  ip6->payload_length = dp::be16(static_cast<std::uint16_t>(bytes));
  std::memset(frame.data() + nd_at + 2, 0, 2);
  const dp::be32 length(static_cast<std::uint32_t>(bytes));
  const std::uint64_t sum = dp::sum_words(&ip6->source, 32) + length.raw() + dp::be32(58).raw() +
                            dp::sum_words(frame.data() + nd_at, bytes);
  const auto checksum = static_cast<std::uint16_t>(~dp::fold(sum));
  std::memcpy(frame.data() + nd_at + 2, &checksum, sizeof checksum);
}

void expect_sound(dp::Neighbours& neighbours, std::size_t sent_max) {
  const auto frames = neighbours.take_frames();
  CHECK(frames.size() <= sent_max);
  for (const dp::NeighbourFrame& frame : frames) {
    CHECK(frame.port == port);
    CHECK(dp::parse_neighbour(frame.view()).has_value());
  }
  for (const dp::NeighbourEvent& event : neighbours.take_events()) CHECK(!event.mac.is_group());
  for (const char* address : {"198.18.0.2", "fd00:18::2", "fe80::2"}) {
    const auto view = neighbours.next_hop(port, ip(address));
    CHECK(view.has_value());
    const bool known = view->state != dp::Neighbours::NextHopState::incomplete;
    CHECK(known == !view->mac.is_zero() && !view->mac.is_group());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::uint64_t now = 1'000'000 * ms;
  dp::Neighbours neighbours(input.byte());
  neighbours.set_port(port, *base::parse_mac("02:00:00:00:ff:01"), now);
  neighbours.own(port, ip("198.18.0.1"), 24, now);
  neighbours.own(port, ip("fd00:18::1"), 64, now);
  for (const char* address : {"198.18.0.2", "fd00:18::2", "fe80::2"}) {
    neighbours.want(port, ip(address), now);
  }
  while (!input.empty()) {
    // Up to 33 s in one step: every timer but one.
    now += (std::uint64_t{input.byte()} << (input.byte() % 18)) * ms;
    (void)neighbours.poll(now);
    expect_sound(neighbours, 128);
    const bool sound_sum = (input.byte() & 1) != 0;
    std::vector<std::uint8_t> frame = input.take(input.byte());
    if (sound_sum) repair(frame);
    (void)neighbours.receive(port, frame, now);
    // A defence, an answer and a question.
    expect_sound(neighbours, 3);
  }
  return 0;
}
