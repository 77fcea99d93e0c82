// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/device_string.hpp"

#include "drivers/xdp/steer.h"

#include <charconv>
#include <net/if.h>

namespace dp {

using base::Errc;
using base::fail;

namespace {

constexpr std::string_view prefix = "xdp:";

base::Status set_queues(XdpDeviceString& device, std::string_view value) {
  std::uint16_t queues = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), queues);
  if (error != std::errc{} || end != value.data() + value.size() || queues == 0 ||
      queues > WEIR_QUEUES_MAX) {
    return fail(Errc::invalid_argument, "queues= of an xdp port is a number of 1 to 64");
  }
  device.queues = queues;
  return {};
}

base::Status set_mode(XdpDeviceString& device, std::string_view value) {
  if (value == "auto") {
    device.mode = XdpMode::automatic;
  } else if (value == "native") {
    device.mode = XdpMode::native;
  } else if (value == "generic") {
    device.mode = XdpMode::generic;
  } else {
    return fail(Errc::invalid_argument, "mode= of an xdp port is auto, native or generic");
  }
  return {};
}

base::Status set_copy(XdpDeviceString& device, std::string_view value) {
  if (value == "auto") {
    device.copy = XdpCopy::automatic;
  } else if (value == "copy") {
    device.copy = XdpCopy::copy;
  } else if (value == "zerocopy") {
    device.copy = XdpCopy::zero_copy;
  } else {
    return fail(Errc::invalid_argument, "copy= of an xdp port is auto, copy or zerocopy");
  }
  return {};
}

base::Status set_absent(XdpDeviceString& device, std::string_view value) {
  if (value == "pass") {
    device.absent = XdpAbsent::pass;
  } else if (value == "drop") {
    device.absent = XdpAbsent::drop;
  } else {
    return fail(Errc::invalid_argument, "absent= of an xdp port is pass or drop");
  }
  return {};
}

base::Status set_option(XdpDeviceString& device, std::string_view option) {
  const std::string_view key = option.substr(0, option.find('='));
  const std::string_view value = key.size() < option.size() ? option.substr(key.size() + 1) : "";
  if (key == "queues") return set_queues(device, value);
  if (key == "mode") return set_mode(device, value);
  if (key == "copy") return set_copy(device, value);
  if (key == "absent") return set_absent(device, value);
  return fail(Errc::invalid_argument,
              "an xdp port has the options queues=, mode=, copy= and absent=");
}

}  // namespace

bool is_xdp_device(std::string_view device) noexcept {
  return device.starts_with(prefix);
}

base::Result<XdpDeviceString> parse_xdp_device(std::string_view device) {
  XdpDeviceString result;
  std::string_view rest = device.substr(is_xdp_device(device) ? prefix.size() : device.size());
  const std::string_view interface = rest.substr(0, rest.find(','));
  // The pin's name is made of it, so that it may not lead to another folder.
  if (interface.empty() || interface.size() >= IFNAMSIZ ||
      interface.find('/') != std::string_view::npos || interface.starts_with('.')) {
    return fail(Errc::invalid_argument, "an xdp port names an interface, as in xdp:eth0");
  }
  result.interface = interface;
  rest.remove_prefix(interface.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);  // The comma.
    const std::string_view option = rest.substr(0, rest.find(','));
    if (auto status = set_option(result, option); !status) return std::unexpected(status.error());
    rest.remove_prefix(option.size());
  }
  return result;
}

}  // namespace dp
