// SPDX-License-Identifier: Apache-2.0
// What the kernel says of one of its interfaces, in this network namespace.
#pragma once

#include "dataplane/base/address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dp {

struct InterfaceFacts {
  unsigned ifindex;
  base::MacAddress mac;
  std::uint16_t mtu;
  std::uint16_t rx_queues;  // In use.
};

// nullopt: there is none of that name.
std::optional<InterfaceFacts> ask_interface(const std::string& name) noexcept;

// Those of all interfaces of this namespace: the kernel answers for each at each of them.
std::vector<base::IpAddress> kernel_addresses();

}  // namespace dp
