// SPDX-License-Identifier: Apache-2.0
// What the host itself may be sent through an underlay port: classes of traffic, each policed apart
// from the others, so that a flood of one leaves the others alone. Values are never renumbered; new
// ones go before `count`. A frame belongs to the first class that fits, in the order of the table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace contract {

enum class HostClass : std::uint8_t {
  neighbour,
  lldp,
  lacp,
  bfd,
  bgp,
  ssh,
  icmp,
  fragment,
  other,
  count,
};

inline constexpr std::size_t host_class_count = static_cast<std::size_t>(HostClass::count);
inline constexpr std::size_t host_class_slots = 16;  // Room in shared memory; never shrinks.
static_assert(host_class_count <= host_class_slots);

// `rate` and `burst` are in force where no rule says otherwise: packets a second, and packets at
// once, that each worker lets through from each port.
struct HostClassText {
  HostClass host_class;
  std::string_view name;
  std::string_view help;
  std::uint32_t rate;
  std::uint32_t burst;
};

// Sums to about 20,000 a second. What a session of many routes needs is more than what a link's
// hello does; `other` is what nobody thought of, unsolicited connections included.
inline constexpr std::array<HostClassText, host_class_count> host_classes{{
    {HostClass::neighbour, "neighbour", "ARP and neighbour discovery (ICMPv6 types 133 to 137).",
     1000, 200},
    {HostClass::lldp, "lldp", "Link layer discovery (EtherType 0x88cc).", 100, 20},
    {HostClass::lacp, "lacp", "Slow protocols, of which LACP is one (EtherType 0x8809).", 100, 20},
    {HostClass::bfd, "bfd", "BFD (UDP to ports 3784, 3785, 4784, 6784).", 4000, 400},
    {HostClass::bgp, "bgp", "BGP (TCP from or to port 179).", 6000, 1000},
    {HostClass::ssh, "ssh", "ssh (TCP from or to port 22).", 6000, 1000},
    {HostClass::icmp, "icmp", "ICMP and ICMPv6, without neighbour discovery.", 1000, 200},
    {HostClass::fragment, "fragment", "Fragments of IPv4 or IPv6, which tell no port.", 1000, 200},
    {HostClass::other, "other", "Everything else.", 1000, 200},
}};

constexpr bool host_classes_in_order() {
  for (std::size_t i = 0; i < host_class_count; ++i) {
    if (host_classes[i].host_class != static_cast<HostClass>(i)) return false;
  }
  return true;
}
static_assert(host_classes_in_order(), "the table is indexed by the value");

constexpr std::string_view name(HostClass host_class) noexcept {
  const auto index = static_cast<std::size_t>(host_class);
  return index < host_class_count ? host_classes[index].name : "unknown_class";
}

inline constexpr std::uint32_t host_rate_max = 10'000'000;
inline constexpr std::uint32_t host_burst_max = 65'535;

}  // namespace contract
