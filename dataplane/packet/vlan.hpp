// SPDX-License-Identifier: Apache-2.0
// VLAN tags off a frame and onto it. Offsets in the packet's meta do not follow.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"

#include <cstring>

namespace dp {

inline constexpr std::size_t macs_bytes = 2 * sizeof(base::MacAddress);

// Takes the first tag off, which the caller has seen within contiguous().
inline void strip_tag(Packet packet) noexcept {
  std::uint8_t* front = packet.data();
  std::memmove(front + sizeof(VlanTag), front, macs_bytes);
  packet.strip_front(sizeof(VlanTag));
}

// A tag in front of those that are there, priority 0. False where the headroom is too small.
inline bool push_tag(Packet packet, std::uint16_t tpid, std::uint16_t vid) noexcept {
  if (packet.headroom() < sizeof(VlanTag)) return false;
  std::uint8_t* front = packet.grow_front(sizeof(VlanTag));
  std::memmove(front, front + sizeof(VlanTag), macs_bytes);
  auto& ethernet = packet.header<EthernetHeader>(0);
  // What followed the MACs was their EtherType: now it stands behind the tag.
  ethernet.type = be16(tpid);
  packet.header<VlanTag>(sizeof(EthernetHeader)).control = be16(vid);
  return true;
}

}  // namespace dp
