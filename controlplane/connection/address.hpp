// SPDX-License-Identifier: Apache-2.0
// HOST:PORT, as both ends of the API read it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cp {

struct HostPort {
  std::string host;  // A name or an address, without brackets.
  std::uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// "gw1:9443", "192.0.2.1:9443", "[2001:db8::1]:9443"; an IPv6 address without brackets is none, as
// its last part could be the port.
std::optional<HostPort> parse_host_port(std::string_view text);

}  // namespace cp
