// SPDX-License-Identifier: Apache-2.0
// ARP and neighbour discovery on the wire, as one kind of message: somebody asks for the MAC of an
// address, or tells one. Everything received is checked here (RFC 826, RFC 5227, RFC 4861 §7.1), so
// that whoever reads a NeighbourMessage may believe its shape, though not what it claims.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/packet/headers.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace dp {

// Why a frame is not believed, or says nothing to us.
enum class NeighbourFault : std::uint8_t {
  truncated,
  not_neighbour,  // Neither ARP nor a neighbour solicitation or advertisement.
  arp_not_ipv4,   // Other hardware or protocol types than Ethernet and IPv4.
  arp_operation,  // Neither request nor reply.
  nd_hop_limit,   // Not 255: it came over a router.
  nd_checksum,
  nd_length,
  nd_code,
  nd_option,     // Of length 0, longer than the message, or none that may stand there.
  nd_addresses,  // A combination that RFC 4861 §7.1 forbids.
  target_multicast,
  sender_not_unicast,  // An IP or MAC address that no single host can have.
  port_without_neighbours,
  count,
};
inline constexpr std::size_t neighbour_fault_count =
    static_cast<std::size_t>(NeighbourFault::count);

std::string_view name(NeighbourFault fault) noexcept;

struct NeighbourMessage {
  enum class Kind : std::uint8_t { solicitation, advertisement };

  Kind kind;
  // Of a solicitation: whoever asks does not own an address yet and looks whether another does
  // (RFC 5227 §1.1, RFC 4862 §5.4).
  bool is_probe;
  // Of an advertisement: sent to one host, as an answer is.
  bool solicited;
  // A MAC told here takes the place of another one (RFC 4861 §4.4); ARP knows nothing else.
  bool overrides;
  base::MacAddress frame_source;
  base::MacAddress mac;        // Of `claimed`; zero where it is not told.
  base::IpAddress claimed;     // Whose MAC is told; unspecified in a probe.
  base::IpAddress asked;       // Of a solicitation.
  base::IpAddress asked_from;  // To whom an answer over IPv6 goes.
};

std::expected<NeighbourMessage, NeighbourFault> parse_neighbour(
    std::span<const std::uint8_t> frame) noexcept;

// A frame of ours: solicitation or advertisement of one address.
struct NeighbourFrame {
  // Ethernet, IPv6, neighbour message, one option; ARP is padded to Ethernet's least.
  static constexpr std::size_t bytes_max = 86;
  static constexpr std::uint16_t arp_bytes = 60;

  base::PortId port;
  std::uint16_t length;
  std::array<std::uint8_t, bytes_max> bytes;

  std::span<const std::uint8_t> view() const noexcept { return {bytes.data(), length}; }
};

struct Solicitation {
  base::PortId port;
  base::MacAddress our_mac;
  base::IpAddress our_address;  // Unspecified: a probe.
  base::IpAddress target;
  base::MacAddress to;  // Zero: to everybody who might have it.
};
NeighbourFrame write_solicitation(const Solicitation& wanted) noexcept;

struct Advertisement {
  base::PortId port;
  base::MacAddress our_mac;
  base::IpAddress our_address;
  base::IpAddress to_address;  // Unspecified: to all; over IPv4 as an announcement (RFC 5227 §3).
  base::MacAddress to;         // Zero: to all.
};
NeighbourFrame write_advertisement(const Advertisement& wanted) noexcept;

constexpr bool is_unspecified(const base::IpAddress& address) noexcept {
  if (address.is_v4()) return address.v4() == base::Ipv4Address(0);
  return address == base::IpAddress{};
}
// The same as the family of `like` writes it.
constexpr base::IpAddress unspecified(const base::IpAddress& like) noexcept {
  return like.is_v4() ? base::IpAddress::from(base::Ipv4Address(0)) : base::IpAddress{};
}
using base::link_local_address;

}  // namespace dp
