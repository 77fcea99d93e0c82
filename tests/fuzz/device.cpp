// SPDX-License-Identifier: Apache-2.0
// What an operator writes as a device, on any text: parts lie within it, completing it keeps what
// was written, and an xdp port's interface is a file name of its own (its pin's).
#include "dataplane/base/check.hpp"
#include "drivers/ethdev/devargs.hpp"
#include "drivers/xdp/device_string.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CHECK(text.starts_with(dp::device_name(text)));
  CHECK(text.starts_with(dp::driver_name(text)));
  for (const char* key : {"iface", "queues", "mac"}) {
    const std::string_view value = dp::devargs_value(text, key);
    CHECK(value.empty() || text.find(value) != std::string_view::npos);
  }
  for (const std::uint16_t mtu : {68, 1500, 9000, 65535}) {
    CHECK(dp::complete_devargs(text, 4, mtu).starts_with(text));
  }
  if (const auto xdp = dp::parse_xdp_device(text); xdp) {
    CHECK(!xdp->interface.empty() && xdp->interface.find('/') == std::string::npos);
    CHECK(xdp->queues <= 64);
  }
  return 0;
}
