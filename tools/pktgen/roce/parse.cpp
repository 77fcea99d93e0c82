// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/roce/parse.hpp"

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/icrc.hpp"

#include <optional>

namespace pktgen {

namespace {

using base::be32;
using base::be64;

// Takes headers from the front; what is not there is nullopt.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) noexcept : left_(bytes) {}

  template <class T>
  std::optional<T> take() noexcept {
    if (left_.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, left_.data(), sizeof value);
    left_ = left_.subspan(sizeof value);
    return value;
  }
  // For headers whose room was checked before.
  std::uint32_t word() noexcept { return take<be32>().value_or(be32(0)).host(); }
  std::uint64_t long_word() noexcept { return take<be64>().value_or(be64(0)).host(); }
  std::span<const std::uint8_t> left() const noexcept { return left_; }

 private:
  std::span<const std::uint8_t> left_;
};

// Up to and with UDP, for frames of either kind of payload.
struct UdpFrame {
  Path path;
  std::uint16_t destination_port;
  std::span<const std::uint8_t> ip;
  std::span<const std::uint8_t> payload;
};

std::unexpected<ParseError> no(ParseError why) noexcept {
  return std::unexpected(why);
}

// Fills in the path; says where UDP starts in the IP packet, which it cuts to its length.
std::expected<std::size_t, ParseError> parse_ipv4(UdpFrame& found) noexcept {
  const auto header = Reader(found.ip).take<dp::Ipv4Header>();
  if (!header) return no(ParseError::truncated);
  if (header->version() != 4) return no(ParseError::not_ip);
  if (header->version_ihl != dp::Ipv4Header::plain) return no(ParseError::ip_options);
  if (header->is_fragment()) return no(ParseError::fragment);
  if (header->protocol != dp::ip_protocol::udp) return no(ParseError::not_udp);
  const std::size_t bytes = header->total_length.host();
  if (bytes > found.ip.size()) return no(ParseError::truncated);
  if (bytes < sizeof *header + sizeof(dp::UdpHeader)) return no(ParseError::bad_length);
  found.ip = found.ip.first(bytes);
  found.path.source = base::IpAddress::from(header->source);
  found.path.destination = base::IpAddress::from(header->destination);
  found.path.tos = header->tos;
  found.path.ttl = header->ttl;
  found.path.identification = header->id.host();
  return sizeof *header;
}

std::expected<std::size_t, ParseError> parse_ipv6(UdpFrame& found) noexcept {
  const auto header = Reader(found.ip).take<dp::Ipv6Header>();
  if (!header) return no(ParseError::truncated);
  if (header->version() != 6) return no(ParseError::not_ip);
  if (header->next_header != dp::ip_protocol::udp) return no(ParseError::not_udp);
  const std::size_t bytes = sizeof *header + header->payload_length.host();
  if (bytes > found.ip.size()) return no(ParseError::truncated);
  if (bytes < sizeof *header + sizeof(dp::UdpHeader)) return no(ParseError::bad_length);
  found.ip = found.ip.first(bytes);
  found.path.source.v6 = header->source;
  found.path.destination.v6 = header->destination;
  found.path.tos = header->traffic_class();
  found.path.ttl = header->hop_limit;
  found.path.flow_label = header->version_class_label.host() & 0xf'ffff;
  return sizeof *header;
}

std::expected<UdpFrame, ParseError> parse_udp(std::span<const std::uint8_t> frame) noexcept {
  Reader reader(frame);
  const auto ethernet = reader.take<dp::EthernetHeader>();
  if (!ethernet) return no(ParseError::truncated);
  UdpFrame found{};
  found.path.destination_mac = ethernet->destination;
  found.path.source_mac = ethernet->source;
  found.ip = reader.left();

  const bool is_v4 = ethernet->type == base::be16(dp::ethertype::ipv4);
  if (!is_v4 && ethernet->type != base::be16(dp::ethertype::ipv6)) return no(ParseError::not_ip);
  const auto offset = is_v4 ? parse_ipv4(found) : parse_ipv6(found);
  if (!offset) return no(offset.error());

  Reader transport(found.ip.subspan(*offset));
  const auto udp = transport.take<dp::UdpHeader>();
  if (!udp) return no(ParseError::bad_length);
  if (udp->length.host() != found.ip.size() - *offset) return no(ParseError::bad_length);
  found.path.source_port = udp->source.host();
  found.path.udp_checksum = udp->checksum.host();
  found.destination_port = udp->destination.host();
  found.payload = transport.left();
  return found;
}

void take_extensions(Reader& reader, RocePacket& packet) noexcept {
  const unsigned bits = extensions_of(packet.opcode);
  if ((bits & extension::deth) != 0) {
    packet.deth.key = reader.word();
    packet.deth.source_qp = reader.word() & mask_24;
  }
  if ((bits & extension::feth) != 0) packet.flush_types = reader.word();
  if ((bits & extension::reth) != 0) {
    packet.reth.address = reader.long_word();
    packet.reth.key = reader.word();
    packet.reth.bytes = reader.word();
  }
  if ((bits & extension::atomic) != 0) {
    packet.atomic.address = reader.long_word();
    packet.atomic.key = reader.word();
    packet.atomic.swap_or_add = reader.long_word();
    packet.atomic.compare = reader.long_word();
  }
  if ((bits & extension::aeth) != 0) {
    const std::uint32_t word = reader.word();
    packet.aeth = {.syndrome = static_cast<std::uint8_t>(word >> 24), .msn = word & mask_24};
  }
  if ((bits & extension::atomic_ack) != 0) packet.atomic_original = reader.long_word();
  if ((bits & extension::immediate) != 0) packet.immediate = reader.word();
  if ((bits & extension::invalidate) != 0) packet.invalidated_key = reader.word();
  if ((bits & extension::cnp_reserved) != 0) {
    reader.long_word();
    reader.long_word();
  }
}

RocePacket fields_of(const dp::BthHeader& bth) noexcept {
  RocePacket packet;
  packet.opcode = bth.opcode;
  packet.is_solicited = (bth.flags & 0x80) != 0;
  packet.has_migrated = (bth.flags & 0x40) != 0;
  packet.partition_key = bth.partition_key.host();
  packet.fecn = (bth.destination_qp_word.host() & 1u << 31) != 0;
  packet.becn = (bth.destination_qp_word.host() & 1u << 30) != 0;
  packet.destination_qp = bth.destination_qp();
  packet.wants_ack = (bth.psn_word.host() & 1u << 31) != 0;
  packet.psn = bth.psn_word.host() & mask_24;
  return packet;
}

}  // namespace

const char* name(ParseError error) noexcept {
  switch (error) {
    case ParseError::truncated: return "truncated";
    case ParseError::not_ip: return "not_ip";
    case ParseError::ip_options: return "ip_options";
    case ParseError::fragment: return "fragment";
    case ParseError::not_udp: return "not_udp";
    case ParseError::not_roce: return "not_roce";
    case ParseError::bad_length: return "bad_length";
    case ParseError::unknown_opcode: return "unknown_opcode";
    case ParseError::bad_version: return "bad_version";
  }
  return "?";
}

std::expected<ParsedFrame, ParseError> parse_frame(std::span<const std::uint8_t> frame) noexcept {
  const auto udp = parse_udp(frame);
  if (!udp) return no(udp.error());
  if (udp->destination_port != dp::udp_port::roce_v2) return no(ParseError::not_roce);
  Reader reader(udp->payload);
  const auto bth = reader.take<dp::BthHeader>();
  if (!bth) return no(ParseError::bad_length);
  if (bth->transport_version() != 0) return no(ParseError::bad_version);
  if (!is_known(bth->opcode)) return no(ParseError::unknown_opcode);
  const std::size_t behind = extension_bytes(bth->opcode) + bth->pad_count() + dp::icrc_bytes;
  if (reader.left().size() < behind) return no(ParseError::bad_length);

  ParsedFrame found{.path = udp->path, .packet = fields_of(*bth), .ip = udp->ip};
  take_extensions(reader, found.packet);
  found.packet.payload =
      reader.left().first(reader.left().size() - bth->pad_count() - dp::icrc_bytes);
  return found;
}

bool icrc_holds(const ParsedFrame& frame) noexcept {
  return dp::icrc_holds(frame.ip);
}

std::expected<ParsedTunnel, ParseError> parse_tunnel(std::span<const std::uint8_t> frame) noexcept {
  const auto udp = parse_udp(frame);
  if (!udp) return no(udp.error());
  if (udp->destination_port != dp::udp_port::vxlan) return no(ParseError::not_roce);
  Reader reader(udp->payload);
  const auto vxlan = reader.take<dp::VxlanHeader>();
  if (!vxlan) return no(ParseError::bad_length);
  if (!vxlan->has_vni()) return no(ParseError::not_roce);
  return ParsedTunnel{.tunnel = {.source_mac = udp->path.source_mac,
                                 .destination_mac = udp->path.destination_mac,
                                 .source = udp->path.source,
                                 .destination = udp->path.destination,
                                 .tos = udp->path.tos,
                                 .ttl = udp->path.ttl,
                                 .source_port = udp->path.source_port,
                                 .vni = vxlan->vni()},
                      .inner = reader.left()};
}

}  // namespace pktgen
