// SPDX-License-Identifier: Apache-2.0
// What most frames are: untagged IPv4 without options, no fragment, UDP.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/pattern.hpp"

#include <cstddef>

namespace dp {

// What such a frame says, whatever its addresses, TOS and TTL; `pattern` begins with the byte
// `start` of the frame.
constexpr void ask_for_plain_ipv4_udp(Pattern& pattern, std::size_t start) noexcept {
  constexpr std::size_t ip = sizeof(EthernetHeader);
  const auto ask = [&](std::size_t position, std::uint8_t wanted, std::uint8_t bits) {
    pattern.ask(position - start, wanted, bits);
  };
  ask(offsetof(EthernetHeader, type), ethertype::ipv4 >> 8, 0xff);
  ask(offsetof(EthernetHeader, type) + 1, ethertype::ipv4 & 0xff, 0xff);
  ask(ip + offsetof(Ipv4Header, version_ihl), Ipv4Header::plain, 0xff);
  // Neither more fragments to come nor an offset.
  ask(ip + offsetof(Ipv4Header, flags_fragment), 0, 0x3f);
  ask(ip + offsetof(Ipv4Header, flags_fragment) + 1, 0, 0xff);
  ask(ip + offsetof(Ipv4Header, protocol), ip_protocol::udp, 0xff);
}

}  // namespace dp
