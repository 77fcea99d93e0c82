// SPDX-License-Identifier: Apache-2.0
// What an operator writes as the device of an xdp port, read:
// "xdp:eth0,queues=4,mode=native,copy=zerocopy,absent=drop,
// busy_poll=on".
#pragma once

#include "dataplane/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dp {

// Where the program runs: in the driver (native) or after it, on a copy (generic).
enum class XdpMode : std::uint8_t { automatic, native, generic };
enum class XdpCopy : std::uint8_t { automatic, copy, zero_copy };
// What becomes of Weir's frames while no data plane runs.
enum class XdpAbsent : std::uint8_t { pass, drop };

struct XdpDeviceString {
  std::string interface;
  std::uint16_t queues = 0;  // 0: all that the interface has.
  XdpMode mode = XdpMode::automatic;
  XdpCopy copy = XdpCopy::automatic;
  bool busy_poll = false;
  std::optional<XdpAbsent> absent;  // Not said: as the port's role wants it.
};

bool is_xdp_device(std::string_view device) noexcept;
base::Result<XdpDeviceString> parse_xdp_device(std::string_view device);

}  // namespace dp
