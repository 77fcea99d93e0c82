// SPDX-License-Identifier: Apache-2.0
// Headers as they lie on the wire. All have alignment 1, so a view may start at any byte.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/byte_order.hpp"

#include <cstdint>

namespace dp {

using base::be16;
using base::be32;
using base::be64;

namespace ethertype {
inline constexpr std::uint16_t ipv4 = 0x0800;
inline constexpr std::uint16_t arp = 0x0806;
inline constexpr std::uint16_t ipv6 = 0x86dd;
inline constexpr std::uint16_t vlan = 0x8100;            // IEEE 802.1Q C-tag.
inline constexpr std::uint16_t vlan_service = 0x88a8;    // IEEE 802.1ad S-tag.
inline constexpr std::uint16_t slow_protocols = 0x8809;  // IEEE 802.3 annex 57A: LACP, OAM.
inline constexpr std::uint16_t lldp = 0x88cc;            // IEEE 802.1AB.
inline constexpr std::uint16_t roce_v1 = 0x8915;

constexpr bool is_vlan(be16 type) noexcept {
  return type == be16(vlan) || type == be16(vlan_service);
}
}  // namespace ethertype

namespace ip_protocol {
inline constexpr std::uint8_t none = 0;  // Of an IPv4 fragment, or hop-by-hop options.
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t ipv6_fragment = 44;
inline constexpr std::uint8_t icmp6 = 58;
}  // namespace ip_protocol

namespace udp_port {
inline constexpr std::uint16_t roce_v2 = 4791;  // IANA; IBTA Annex A17.
inline constexpr std::uint16_t vxlan = 4789;    // RFC 7348 §5.
}  // namespace udp_port

struct EthernetHeader {
  base::MacAddress destination;
  base::MacAddress source;
  be16 type;
};

// Behind the MACs and a TPID, which is the EtherType of what stands before.
struct VlanTag {
  be16 control;  // PCP, DEI, VID.
  be16 type;     // Of what follows.

  static constexpr std::uint16_t vid_mask = 0x0fff;
  constexpr std::uint16_t vid() const noexcept { return control.host() & vid_mask; }
};

struct Ipv4Header {
  std::uint8_t version_ihl;
  std::uint8_t tos;  // DSCP and ECN.
  be16 total_length;
  be16 id;
  be16 flags_fragment;
  std::uint8_t ttl;
  std::uint8_t protocol;
  be16 checksum;
  be32 source;
  be32 destination;

  static constexpr std::uint8_t plain = 0x45;  // version_ihl without options.
  constexpr unsigned version() const noexcept { return version_ihl >> 4; }
  constexpr unsigned header_bytes() const noexcept { return (version_ihl & 15u) * 4u; }
  // More fragments to come, or not the first one.
  constexpr bool is_fragment() const noexcept {
    return (flags_fragment.raw() & be16(0x3fff).raw()) != 0;
  }
};

struct Ipv6Header {
  be32 version_class_label;
  be16 payload_length;
  std::uint8_t next_header;
  std::uint8_t hop_limit;
  base::Ipv6Address source;
  base::Ipv6Address destination;

  // version_class_label.
  static constexpr be32 class_and_label(std::uint8_t traffic_class, std::uint32_t label) noexcept {
    return be32(6u << 28 | std::uint32_t{traffic_class} << 20 | label);
  }
  constexpr unsigned version() const noexcept { return version_class_label.host() >> 28; }
  constexpr std::uint8_t traffic_class() const noexcept {
    return static_cast<std::uint8_t>(version_class_label.host() >> 20);
  }
};

// What stands behind an IP header without options or extension headers, by that header's word: what
// is less than the header itself becomes a very large number.
constexpr std::uint32_t l4_length_of(const Ipv4Header& ip) noexcept {
  return ip.total_length.host() - std::uint32_t{sizeof ip};
}
constexpr std::uint32_t l4_length_of(const Ipv6Header& ip) noexcept {
  return ip.payload_length.host();
}

// DSCP and ECN.
constexpr std::uint8_t tos_of(const Ipv4Header& ip) noexcept {
  return ip.tos;
}
constexpr std::uint8_t tos_of(const Ipv6Header& ip) noexcept {
  return ip.traffic_class();
}

struct UdpHeader {
  be16 source;
  be16 destination;
  be16 length;
  be16 checksum;
};

// RFC 9293 §3.1.
struct TcpHeader {
  be16 source;
  be16 destination;
  be32 sequence;
  be32 acknowledgment;
  std::uint8_t offset_reserved;  // The header's words in the upper 4 bits.
  std::uint8_t flags;
  be16 window;
  be16 checksum;
  be16 urgent;

  static constexpr std::uint8_t fin = 0x01;
  static constexpr std::uint8_t psh = 0x08;
  static constexpr std::uint8_t cwr = 0x80;
  constexpr unsigned header_bytes() const noexcept { return (offset_reserved >> 4) * 4u; }
};

// RFC 7348 §5.
struct VxlanHeader {
  be32 flags;         // 0x08000000: the VNI is valid.
  be32 vni_reserved;  // VNI in the upper 24 bits.

  static constexpr std::uint32_t valid_vni = 0x0800'0000;
  constexpr bool has_vni() const noexcept { return (flags.host() & valid_vni) != 0; }
  constexpr std::uint32_t vni() const noexcept { return vni_reserved.host() >> 8; }
};

// InfiniBand base transport header: IBTA volume 1, chapter 9.
struct BthHeader {
  std::uint8_t opcode;
  std::uint8_t flags;  // SE, M, PadCnt (2 bits), TVer (4 bits).
  be16 partition_key;
  be32 destination_qp_word;  // FECN, BECN, 6 reserved bits; QP in the lower 24.
  be32 psn_word;             // AckReq, 7 reserved bits; PSN in the lower 24.

  constexpr unsigned pad_count() const noexcept { return (flags >> 4) & 3u; }
  constexpr unsigned transport_version() const noexcept { return flags & 15u; }
  constexpr std::uint32_t destination_qp() const noexcept {
    return destination_qp_word.host() & 0xff'ffff;
  }
};

static_assert(sizeof(EthernetHeader) == 14 && sizeof(VlanTag) == 4);
static_assert(sizeof(Ipv4Header) == 20 && sizeof(Ipv6Header) == 40 && sizeof(UdpHeader) == 8);
static_assert(sizeof(TcpHeader) == 20);
static_assert(sizeof(VxlanHeader) == 8 && sizeof(BthHeader) == 12);
static_assert(alignof(Ipv4Header) == 1 && alignof(BthHeader) == 1);

}  // namespace dp
