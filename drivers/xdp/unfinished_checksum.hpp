// SPDX-License-Identifier: Apache-2.0
// Frames whose sender left the checksum to a device, as the kernel does at a veth by default. XDP
// does not say which, but they can be told: the sum of the pseudo header alone stands in the field
// (Linux: CHECKSUM_PARTIAL). One right checksum in 65,536 looks the same until all is summed.
#pragma once

#include <rte_mbuf.h>

namespace dp {

// Its own checksum, or that of the frame which it carries as VXLAN. `frame` has its headers in its
// first segment. False for what is neither TCP nor UDP right behind IP, is a fragment, or has more
// than two tags.
bool has_unfinished_checksum(const rte_mbuf& frame) noexcept;

}  // namespace dp
