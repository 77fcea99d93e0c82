// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/device_string.hpp"

#include "drivers/xdp/steer.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
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

template <class Value>
struct Word {
  std::string_view word;
  Value value;
};

constexpr Word<XdpMode> modes[] = {
    {"auto", XdpMode::automatic}, {"native", XdpMode::native}, {"generic", XdpMode::generic}};
constexpr Word<XdpCopy> copies[] = {
    {"auto", XdpCopy::automatic}, {"copy", XdpCopy::copy}, {"zerocopy", XdpCopy::zero_copy}};
constexpr Word<bool> switches[] = {{"on", true}, {"off", false}};
constexpr Word<XdpAbsent> absents[] = {{"pass", XdpAbsent::pass}, {"drop", XdpAbsent::drop}};

// `mistake`: what is said where `value` is none of the words.
template <class Target, class Value, std::size_t count>
base::Status set_word(Target& target, const Word<Value> (&words)[count], std::string_view value,
                      const char* mistake) {
  const auto* found = std::ranges::find(words, value, &Word<Value>::word);
  if (found == std::end(words)) return fail(Errc::invalid_argument, mistake);
  target = found->value;
  return {};
}

base::Status set_option(XdpDeviceString& device, std::string_view option) {
  const std::string_view key = option.substr(0, option.find('='));
  const std::string_view value = key.size() < option.size() ? option.substr(key.size() + 1) : "";
  if (key == "queues") return set_queues(device, value);
  if (key == "mode") {
    return set_word(device.mode, modes, value, "mode= of an xdp port is auto, native or generic");
  }
  if (key == "copy") {
    return set_word(device.copy, copies, value, "copy= of an xdp port is auto, copy or zerocopy");
  }
  if (key == "absent") {
    return set_word(device.absent, absents, value, "absent= of an xdp port is pass or drop");
  }
  if (key == "busy_poll") {
    return set_word(device.busy_poll, switches, value, "busy_poll= of an xdp port is on or off");
  }
  return fail(Errc::invalid_argument,
              "an xdp port has the options queues=, mode=, copy=, busy_poll= and absent=");
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
