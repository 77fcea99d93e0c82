// SPDX-License-Identifier: Apache-2.0
// MAC and IP addresses as they lie on the wire, with text forms of one spelling
// (lower case, RFC 5952 for IPv6).
#pragma once

#include "dataplane/base/byte_order.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes;

  // The I/G bit of IEEE 802: broadcast and multicast.
  constexpr bool is_group() const noexcept { return (bytes[0] & 1) != 0; }
  constexpr bool is_zero() const noexcept { return to_integer() == 0; }
  // The address as a number of 48 bits, first byte most significant.
  constexpr std::uint64_t to_integer() const noexcept {
    // Written so that compilers see two loads with swapped bytes; they do not in a loop.
    const std::uint32_t high = std::uint32_t{bytes[0]} << 8 | bytes[1];
    const std::uint32_t low = std::uint32_t{bytes[2]} << 24 | std::uint32_t{bytes[3]} << 16 |
                              std::uint32_t{bytes[4]} << 8 | bytes[5];
    return std::uint64_t{high} << 32 | low;
  }

  // The builtin becomes four instructions; comparing the array calls memcmp, 20 cycles per packet.
  friend constexpr bool operator==(const MacAddress& a, const MacAddress& b) noexcept {
    return __builtin_memcmp(a.bytes.data(), b.bytes.data(), sizeof a.bytes) == 0;
  }
  friend constexpr auto operator<=>(const MacAddress& a, const MacAddress& b) noexcept {
    return a.to_integer() <=> b.to_integer();
  }
};

using Ipv4Address = be32;

struct Ipv6Address {
  std::array<std::uint8_t, 16> bytes;

  friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;
};

// An address of either family in one fixed shape: IPv4 is mapped (::ffff:a.b.c.d), which is also
// how a RoCE GID writes it (IBTA Annex A17).
struct IpAddress {
  Ipv6Address v6;

  static constexpr IpAddress from(Ipv4Address v4) noexcept {
    IpAddress result{};
    result.v6.bytes[10] = result.v6.bytes[11] = 0xff;
    for (int i = 0; i < 4; ++i) {
      result.v6.bytes[12 + i] = static_cast<std::uint8_t>(v4.host() >> (24 - 8 * i));
    }
    return result;
  }
  constexpr bool is_v4() const noexcept {
    for (int i = 0; i < 10; ++i) {
      if (v6.bytes[i] != 0) return false;
    }
    return v6.bytes[10] == 0xff && v6.bytes[11] == 0xff;
  }
  // Only where is_v4() holds.
  constexpr Ipv4Address v4() const noexcept {
    std::uint32_t value = 0;
    for (int i = 12; i < 16; ++i) value = (value << 8) | v6.bytes[i];
    return Ipv4Address(value);
  }

  // One host's, on any link: not unspecified, loopback, multicast, broadcast or IPv6 link-local
  // (RFC 1122 §3.2.1.3, RFC 5771, RFC 4291 §2).
  constexpr bool is_unicast() const noexcept {
    if (is_v4()) {
      const std::uint32_t net = v4().host() >> 24;
      return net != 0 && net != 127 && net < 224;
    }
    if (v6.bytes[0] == 0xff || is_link_local()) return false;
    for (int i = 0; i < 15; ++i) {
      if (v6.bytes[i] != 0) return true;
    }
    return v6.bytes[15] > 1;
  }
  // fe80::/10.
  constexpr bool is_link_local() const noexcept {
    return v6.bytes[0] == 0xfe && (v6.bytes[1] & 0xc0) == 0x80;
  }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

static_assert(sizeof(MacAddress) == 6 && sizeof(IpAddress) == 16);

// nullopt where the text is not exactly one address; "02:00:00:00:0a:01", "198.18.0.1", "fd00::1".
std::optional<MacAddress> parse_mac(std::string_view text) noexcept;
std::optional<IpAddress> parse_ip(std::string_view text) noexcept;

std::string to_string(const MacAddress& address);
std::string to_string(Ipv4Address address);
std::string to_string(const IpAddress& address);

// fe80::/10 with an interface identifier made from the MAC, but not EUI-64's (RFC 7217, without
// its secret): where Weir shares a MAC with a kernel, the kernel has that one.
IpAddress link_local_address(const MacAddress& mac) noexcept;

}  // namespace base
