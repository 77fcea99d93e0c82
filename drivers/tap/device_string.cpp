// SPDX-License-Identifier: Apache-2.0
#include "drivers/tap/device_string.hpp"

#include "drivers/helper/message.hpp"

#include <charconv>

namespace dp {

using base::Errc;
using base::fail;

namespace {

constexpr std::string_view prefix = "tap:";

base::Status set_option(TapDeviceString& device, std::string_view option) {
  const std::string_view key = option.substr(0, option.find('='));
  const std::string_view value = key.size() < option.size() ? option.substr(key.size() + 1) : "";
  if (key == "queues") {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), device.queues);
    if (error != std::errc{} || end != value.data() + value.size() || device.queues == 0 ||
        device.queues > tap_queues_max) {
      return fail(Errc::invalid_argument, "queues= of a tap port is a number of 1 to 64");
    }
    return {};
  }
  if (key == "mac") {
    device.mac = base::parse_mac(value);
    if (!device.mac || device.mac->is_group()) {
      return fail(Errc::invalid_argument,
                  "mac= of a tap port is the address of one station, as in 02:00:00:00:11:01");
    }
    return {};
  }
  if (key == "persist") {
    if (value != "yes" && value != "no") {
      return fail(Errc::invalid_argument, "persist= of a tap port is yes or no");
    }
    device.persist = value == "yes";
    return {};
  }
  return fail(Errc::invalid_argument, "a tap port has the options queues=, mac= and persist=");
}

}  // namespace

bool is_tap_device(std::string_view device) noexcept {
  return device.starts_with(prefix);
}

base::Result<TapDeviceString> parse_tap_device(std::string_view device) {
  TapDeviceString result;
  std::string_view rest = device.substr(is_tap_device(device) ? prefix.size() : device.size());
  const std::string_view interface = rest.substr(0, rest.find(','));
  // And no pattern that the kernel would fill in.
  if (!is_interface_name(interface) || interface.find('%') != std::string_view::npos) {
    return fail(Errc::invalid_argument,
                "a tap port names an interface of 1 to 15 characters, as in tap:host0");
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
