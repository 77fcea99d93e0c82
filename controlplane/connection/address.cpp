// SPDX-License-Identifier: Apache-2.0
#include "controlplane/connection/address.hpp"

#include <charconv>

namespace cp {

std::optional<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  HostPort result{.host = std::string(host), .port = 0};
  const char* end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data() + colon + 1, end, result.port);
  if (error != std::errc() || read_to != end || result.port == 0 || host.empty()) {
    return std::nullopt;
  }
  return result;
}

}  // namespace cp
