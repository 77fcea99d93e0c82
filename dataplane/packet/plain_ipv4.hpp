// SPDX-License-Identifier: Apache-2.0
// What most frames are: untagged IPv4 without options, no fragment, UDP. Four comparisons of fields
// become two of words.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/word.hpp"

#include <cstddef>
#include <cstdint>

namespace dp {

// `Frame` begins with `ethernet` and `ip`.
template <class Frame>
bool is_plain_ipv4_udp(const Frame& frame) noexcept {
  static_assert(offsetof(Frame, ethernet) == 0 && offsetof(Frame, ip) == sizeof(EthernetHeader));
  // EtherType, version and header length, whatever the TOS.
  constexpr std::size_t type_offset = offsetof(EthernetHeader, type);
  const std::uint32_t type = word_at<type_offset>(frame) & word_of(0xff, 0xff, 0xff, 0);
  // Neither more fragments nor an offset, and the protocol; whatever the TTL.
  constexpr std::size_t fragment_offset =
      sizeof(EthernetHeader) + offsetof(Ipv4Header, flags_fragment);
  const std::uint32_t fragment = word_at<fragment_offset>(frame) & word_of(0x3f, 0xff, 0, 0xff);
  return type == word_of(0x08, 0x00, Ipv4Header::plain, 0) &&
         fragment == word_of(0, 0, 0, ip_protocol::udp);
}

}  // namespace dp
