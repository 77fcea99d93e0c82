// SPDX-License-Identifier: Apache-2.0
// Which frames of a link the housekeeper wants to see.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/packet/packet.hpp"

namespace dp {

// ARP, and the neighbour messages of ICMPv6, for this MAC or for the groups that they are sent to.
// Whether they are sound is the housekeeper's question. At least an Ethernet header can be read.
bool is_neighbour_message(Packet packet, const base::MacAddress& ours) noexcept;

}  // namespace dp
