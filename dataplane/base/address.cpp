// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/address.hpp"

#include <arpa/inet.h>
#include <cstring>

namespace base {
namespace {

// -1 where the character is no hexadecimal digit.
int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<MacAddress> parse_mac(std::string_view text) noexcept {
  if (text.size() != 17) return std::nullopt;
  MacAddress result{};
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (i < 5 && text[3 * i + 2] != ':') return std::nullopt;
    result.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return result;
}

std::optional<IpAddress> parse_ip(std::string_view text) noexcept {
  char buffer[INET6_ADDRSTRLEN];
  // An embedded NUL would end the text early and hide what follows it.
  if (text.size() >= sizeof buffer || text.find('\0') != text.npos) return std::nullopt;
  buffer[text.copy(buffer, text.size())] = '\0';

  std::uint32_t v4_raw;
  if (inet_pton(AF_INET, buffer, &v4_raw) == 1) {
    return IpAddress::from(Ipv4Address::from_raw(v4_raw));
  }
  IpAddress result{};
  if (inet_pton(AF_INET6, buffer, result.v6.bytes.data()) == 1) return result;
  return std::nullopt;
}

std::string to_string(const MacAddress& address) {
  // By hand: a million endpoints have one each, and printf took a fifth of the time to apply them.
  constexpr char digits[] = "0123456789abcdef";
  std::string text(17, ':');
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    text[3 * i] = digits[address.bytes[i] >> 4];
    text[3 * i + 1] = digits[address.bytes[i] & 15];
  }
  return text;
}

std::string to_string(Ipv4Address address) {
  const std::uint32_t raw = address.raw();
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &raw, text, sizeof text);
  return text;
}

std::string to_string(const IpAddress& address) {
  if (address.is_v4()) return to_string(address.v4());
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, address.v6.bytes.data(), text, sizeof text);
  return text;
}

IpAddress link_local_address(const MacAddress& mac) noexcept {
  // FNV-1a's multiplier and a last mix (splitmix64): any MAC's bits reach all of the identifier's.
  std::uint64_t id = (mac.to_integer() ^ 0x7765'6972) * 0x0000'0100'0000'01b3;
  id = (id ^ (id >> 30)) * 0xbf58'476d'1ce4'e5b9;
  id = (id ^ (id >> 27)) * 0x94d0'49bb'1331'11eb;
  id ^= id >> 31;
  IpAddress address{};
  address.v6.bytes[0] = 0xfe;
  address.v6.bytes[1] = 0x80;
  const be64 big(id);
  std::memcpy(address.v6.bytes.data() + 8, &big, sizeof big);
  return address;
}

}  // namespace base
