// SPDX-License-Identifier: Apache-2.0
// What an operator writes as the device of a tap port, read: "tap:host0,queues=2,mac=02:00:…".
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dp {

// MAX_TAP_QUEUES of the kernel is 256; each is read in turn.
inline constexpr std::uint16_t tap_queues_max = 64;

struct TapDeviceString {
  std::string interface;
  std::uint16_t queues = 0;             // 0: as many as workers.
  std::optional<base::MacAddress> mac;  // Not said: the kernel chooses one.
  std::optional<bool> persist;          // Not said: a new one goes with the port.
};

bool is_tap_device(std::string_view device) noexcept;
base::Result<TapDeviceString> parse_tap_device(std::string_view device);

}  // namespace dp
