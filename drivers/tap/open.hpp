// SPDX-License-Identifier: Apache-2.0
// Making a TAP: the one thing about it that takes a privilege (CAP_NET_ADMIN) and /dev/net/tun.
// Whoever holds the descriptors carries frames without any.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dp {

// One descriptor per queue of a new interface, which lives as long as any of them; each frame
// stands behind a virtio_net_hdr. Refused where an interface of that name exists.
base::Result<std::vector<base::Descriptor>> open_tap(const std::string& name, std::uint16_t queues);

}  // namespace dp
