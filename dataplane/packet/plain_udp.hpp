// SPDX-License-Identifier: Apache-2.0
// What most frames are: untagged UDP over IPv4 without options or fragments, or over IPv6 without
// extension headers.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/pattern.hpp"

#include <cstddef>
#include <cstdint>

namespace dp {

// What such a frame says, whatever its addresses, TOS and TTL. `pattern` begins with the byte
// `start` of the frame.
constexpr void ask_for_plain_ipv4_udp(Pattern& pattern, std::size_t start) noexcept {
  constexpr std::size_t ip = sizeof(EthernetHeader);
  const std::size_t type = offsetof(EthernetHeader, type) - start;
  const std::size_t fragment = ip + offsetof(Ipv4Header, flags_fragment) - start;
  pattern.ask(type, ethertype::ipv4 >> 8);
  pattern.ask(type + 1, ethertype::ipv4 & 0xff);
  pattern.ask(ip + offsetof(Ipv4Header, version_ihl) - start, Ipv4Header::plain);
  pattern.ask(fragment, 0, 0x3f);  // Neither more of them nor an offset.
  pattern.ask(fragment + 1, 0);
  pattern.ask(ip + offsetof(Ipv4Header, protocol) - start, ip_protocol::udp);
}

constexpr void ask_for_plain_ipv6_udp(Pattern& pattern, std::size_t start) noexcept {
  constexpr std::size_t ip = sizeof(EthernetHeader);
  const std::size_t type = offsetof(EthernetHeader, type) - start;
  pattern.ask(type, ethertype::ipv6 >> 8);
  pattern.ask(type + 1, ethertype::ipv6 & 0xff);
  pattern.ask(ip + offsetof(Ipv6Header, version_class_label) - start, 0x60, 0xf0);
  pattern.ask(ip + offsetof(Ipv6Header, next_header) - start, ip_protocol::udp);
}

}  // namespace dp
