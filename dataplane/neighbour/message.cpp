// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour/message.hpp"

#include "dataplane/packet/checksum.hpp"

#include <algorithm>
#include <cstring>

namespace dp {
namespace {

using base::IpAddress;
using base::Ipv6Address;
using base::MacAddress;

// RFC 826, for Ethernet and IPv4.
struct ArpPacket {
  be16 hardware_type;
  be16 protocol_type;
  std::uint8_t hardware_bytes;
  std::uint8_t protocol_bytes;
  be16 operation;
  MacAddress sender_mac;
  be32 sender;
  MacAddress target_mac;
  be32 target;

  static constexpr std::uint16_t ethernet = 1;
  static constexpr std::uint16_t request = 1;
  static constexpr std::uint16_t reply = 2;
};
static_assert(sizeof(ArpPacket) == 28 && alignof(ArpPacket) == 1);

// RFC 4861 §4.3 and §4.4.
struct NdPacket {
  std::uint8_t type;
  std::uint8_t code;
  be16 checksum;
  be32 flags;
  Ipv6Address target;

  static constexpr std::uint8_t solicitation = 135;
  static constexpr std::uint8_t advertisement = 136;
  static constexpr std::uint32_t solicited = 0x4000'0000;
  static constexpr std::uint32_t overrides = 0x2000'0000;
};
static_assert(sizeof(NdPacket) == 24 && alignof(NdPacket) == 1);

// RFC 4861 §4.6.1; lengths count units of 8 bytes.
struct LinkLayerOption {
  std::uint8_t type;
  std::uint8_t units;
  MacAddress mac;

  static constexpr std::uint8_t source = 1;
  static constexpr std::uint8_t target = 2;
};
static_assert(sizeof(LinkLayerOption) == 8);

constexpr std::uint8_t hop_limit = 255;  // A router would have made it less (RFC 4861 §7.1.1).
constexpr std::size_t nd_at = sizeof(EthernetHeader) + sizeof(Ipv6Header);
constexpr MacAddress broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr Ipv6Address all_nodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// The caller has looked at the length.
template <class Header>
Header read(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
  Header header;
  std::memcpy(&header, bytes.data() + at, sizeof header);
  return header;
}

bool is_multicast(const Ipv6Address& address) noexcept {
  return address.bytes[0] == 0xff;
}

// An address that one host on the link may have: IPv6 link-local too.
bool is_one_host(const IpAddress& address) noexcept {
  return address.is_unicast() || (!address.is_v4() && address.is_link_local());
}
bool is_one_host(const MacAddress& mac) noexcept {
  return !mac.is_group() && !mac.is_zero();
}

// RFC 4291 §2.7.1.
Ipv6Address solicited_node(const Ipv6Address& target) noexcept {
  Ipv6Address group{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0}};
  std::copy_n(target.bytes.begin() + 13, 3, group.bytes.begin() + 13);
  return group;
}
// RFC 2464 §7.
MacAddress group_mac(const Ipv6Address& group) noexcept {
  MacAddress mac{{0x33, 0x33, 0, 0, 0, 0}};
  std::copy_n(group.bytes.begin() + 12, 4, mac.bytes.begin() + 2);
  return mac;
}

// All ones where the checksum within `message` is right (RFC 8200 §8.1).
std::uint16_t icmp6_sum(const Ipv6Header& ip, std::span<const std::uint8_t> message) noexcept {
  const be32 length(static_cast<std::uint32_t>(message.size()));
  const be32 next(ip_protocol::icmp6);
  return fold(sum_words(&ip.source, sizeof ip.source) +
              sum_words(&ip.destination, sizeof ip.destination) + length.raw() + next.raw() +
              sum_words(message.data(), message.size()));
}

std::expected<NeighbourMessage, NeighbourFault> parse_arp(
    std::span<const std::uint8_t> frame) noexcept {
  using enum NeighbourFault;
  if (frame.size() < sizeof(EthernetHeader) + sizeof(ArpPacket)) return std::unexpected(truncated);
  const auto ethernet = read<EthernetHeader>(frame, 0);
  const auto arp = read<ArpPacket>(frame, sizeof(EthernetHeader));
  if (arp.hardware_type != be16(ArpPacket::ethernet) ||
      arp.protocol_type != be16(ethertype::ipv4) || arp.hardware_bytes != sizeof(MacAddress) ||
      arp.protocol_bytes != sizeof(be32)) {
    return std::unexpected(arp_not_ipv4);
  }
  const bool asks = arp.operation == be16(ArpPacket::request);
  if (!asks && arp.operation != be16(ArpPacket::reply)) return std::unexpected(arp_operation);
  const auto sender = IpAddress::from(arp.sender);
  const auto target = IpAddress::from(arp.target);
  const bool is_probe = asks && is_unspecified(sender);
  if (!is_one_host(arp.sender_mac) || (!is_probe && !is_one_host(sender))) {
    return std::unexpected(sender_not_unicast);
  }
  const bool announces = sender == target;
  using Kind = NeighbourMessage::Kind;
  return NeighbourMessage{.kind = asks && !announces ? Kind::solicitation : Kind::advertisement,
                          .is_probe = is_probe,
                          .solicited = !asks && !announces && !ethernet.destination.is_group(),
                          .overrides = true,
                          .frame_source = ethernet.source,
                          .mac = arp.sender_mac,
                          .claimed = sender,
                          .asked = target,
                          .asked_from = sender};
}

// The MAC in the first option of `type`; zero where there is none.
std::expected<MacAddress, NeighbourFault> find_link_layer(std::span<const std::uint8_t> options,
                                                          std::uint8_t type) noexcept {
  MacAddress found{};
  while (!options.empty()) {
    if (options.size() < 2) return std::unexpected(NeighbourFault::nd_option);
    const std::size_t bytes = std::size_t{options[1]} * 8;
    if (bytes == 0 || bytes > options.size()) return std::unexpected(NeighbourFault::nd_option);
    if (options[0] == type && found.is_zero()) {
      if (bytes != sizeof(LinkLayerOption)) return std::unexpected(NeighbourFault::nd_option);
      found = read<LinkLayerOption>(options, 0).mac;
      if (!is_one_host(found)) return std::unexpected(NeighbourFault::sender_not_unicast);
    }
    options = options.subspan(bytes);
  }
  return found;
}

// RFC 4861 §7.1.1.
bool solicitation_allowed(const Ipv6Header& ip, const NdPacket& nd,
                          const MacAddress& mac) noexcept {
  if (ip.source != Ipv6Address{}) return true;
  return ip.destination == solicited_node(nd.target) && mac.is_zero();
}

std::expected<NeighbourMessage, NeighbourFault> read_nd(
    const EthernetHeader& ethernet, const Ipv6Header& ip,
    std::span<const std::uint8_t> message) noexcept {
  using enum NeighbourFault;
  const auto nd = read<NdPacket>(message, 0);
  const bool asks = nd.type == NdPacket::solicitation;
  if (nd.code != 0) return std::unexpected(nd_code);
  if (is_multicast(nd.target)) return std::unexpected(target_multicast);
  const IpAddress source{ip.source};
  const bool is_probe = asks && is_unspecified(source);
  if (!is_probe && !is_one_host(source)) return std::unexpected(sender_not_unicast);
  const auto mac = find_link_layer(message.subspan(sizeof nd),
                                   asks ? LinkLayerOption::source : LinkLayerOption::target);
  if (!mac) return std::unexpected(mac.error());

  const bool solicited = !asks && (nd.flags.host() & NdPacket::solicited) != 0;
  if (asks ? !solicitation_allowed(ip, nd, *mac) : solicited && is_multicast(ip.destination)) {
    return std::unexpected(nd_addresses);
  }
  const IpAddress target{nd.target};
  using Kind = NeighbourMessage::Kind;
  return NeighbourMessage{.kind = asks ? Kind::solicitation : Kind::advertisement,
                          .is_probe = is_probe,
                          .solicited = solicited,
                          // RFC 4861 §7.2.3: the source of a solicitation is taken over.
                          .overrides = asks || (nd.flags.host() & NdPacket::overrides) != 0,
                          .frame_source = ethernet.source,
                          .mac = *mac,
                          .claimed = asks ? source : target,
                          .asked = target,
                          .asked_from = source};
}

std::expected<NeighbourMessage, NeighbourFault> parse_nd(
    std::span<const std::uint8_t> frame) noexcept {
  using enum NeighbourFault;
  if (frame.size() < nd_at) return std::unexpected(truncated);
  const auto ethernet = read<EthernetHeader>(frame, 0);
  const auto ip = read<Ipv6Header>(frame, sizeof ethernet);
  if (ip.version() != 6 || ip.next_header != ip_protocol::icmp6)
    return std::unexpected(not_neighbour);
  const std::size_t length = ip.payload_length.host();
  if (length > frame.size() - nd_at) return std::unexpected(truncated);
  if (length == 0) return std::unexpected(nd_length);
  const auto message = frame.subspan(nd_at, length);
  if (message[0] != NdPacket::solicitation && message[0] != NdPacket::advertisement) {
    return std::unexpected(not_neighbour);
  }
  if (ip.hop_limit != hop_limit) return std::unexpected(nd_hop_limit);
  if (length < sizeof(NdPacket)) return std::unexpected(nd_length);
  if (icmp6_sum(ip, message) != 0xffff) return std::unexpected(nd_checksum);
  return read_nd(ethernet, ip, message);
}

NeighbourFrame write_arp(base::PortId port, const MacAddress& destination,
                         const ArpPacket& arp) noexcept {
  NeighbourFrame frame{.port = port, .length = NeighbourFrame::arp_bytes, .bytes = {}};
  const EthernetHeader ethernet{
      .destination = destination, .source = arp.sender_mac, .type = be16(ethertype::arp)};
  std::memcpy(frame.bytes.data(), &ethernet, sizeof ethernet);
  std::memcpy(frame.bytes.data() + sizeof ethernet, &arp, sizeof arp);
  return frame;
}

ArpPacket arp_of(std::uint16_t operation, const MacAddress& our_mac) noexcept {
  return {.hardware_type = be16(ArpPacket::ethernet),
          .protocol_type = be16(ethertype::ipv4),
          .hardware_bytes = sizeof(MacAddress),
          .protocol_bytes = sizeof(be32),
          .operation = be16(operation),
          .sender_mac = our_mac,
          .sender = {},
          .target_mac = {},
          .target = {}};
}

struct NdFrame {
  EthernetHeader ethernet;
  Ipv6Header ip;
  NdPacket nd;
  LinkLayerOption option;
};
static_assert(sizeof(NdFrame) == NeighbourFrame::bytes_max);

// Fills in what both kinds have alike. `option` 0: none.
NeighbourFrame finish_nd(base::PortId port, NdFrame message, std::uint8_t option) noexcept {
  const std::size_t length =
      sizeof(NdPacket) + (option != 0 ? sizeof(LinkLayerOption) : std::size_t{0});
  message.ethernet.type = be16(ethertype::ipv6);
  message.ip.version_class_label = Ipv6Header::class_and_label(0, 0);
  message.ip.payload_length = be16(static_cast<std::uint16_t>(length));
  message.ip.next_header = ip_protocol::icmp6;
  message.ip.hop_limit = hop_limit;
  message.option = {.type = option, .units = 1, .mac = message.ethernet.source};
  NeighbourFrame frame{
      .port = port, .length = static_cast<std::uint16_t>(nd_at + length), .bytes = {}};
  std::memcpy(frame.bytes.data(), &message, frame.length);
  const auto written = std::span<const std::uint8_t>(frame.bytes).subspan(nd_at, length);
  message.nd.checksum = be16::from_raw(static_cast<std::uint16_t>(~icmp6_sum(message.ip, written)));
  std::memcpy(frame.bytes.data() + nd_at, &message.nd, sizeof message.nd);
  return frame;
}

}  // namespace

std::string_view name(NeighbourFault fault) noexcept {
  switch (fault) {
    case NeighbourFault::truncated: return "truncated";
    case NeighbourFault::not_neighbour: return "not_neighbour";
    case NeighbourFault::arp_not_ipv4: return "arp_not_ipv4";
    case NeighbourFault::arp_operation: return "arp_operation";
    case NeighbourFault::nd_hop_limit: return "nd_hop_limit";
    case NeighbourFault::nd_checksum: return "nd_checksum";
    case NeighbourFault::nd_length: return "nd_length";
    case NeighbourFault::nd_code: return "nd_code";
    case NeighbourFault::nd_option: return "nd_option";
    case NeighbourFault::nd_addresses: return "nd_addresses";
    case NeighbourFault::target_multicast: return "target_multicast";
    case NeighbourFault::sender_not_unicast: return "sender_not_unicast";
    case NeighbourFault::port_without_neighbours: return "port_without_neighbours";
    case NeighbourFault::count: break;
  }
  return "unknown";
}

std::expected<NeighbourMessage, NeighbourFault> parse_neighbour(
    std::span<const std::uint8_t> frame) noexcept {
  if (frame.size() < sizeof(EthernetHeader)) return std::unexpected(NeighbourFault::truncated);
  const auto ethernet = read<EthernetHeader>(frame, 0);
  if (ethernet.type == be16(ethertype::arp)) return parse_arp(frame);
  if (ethernet.type == be16(ethertype::ipv6)) return parse_nd(frame);
  return std::unexpected(NeighbourFault::not_neighbour);
}

NeighbourFrame write_solicitation(const Solicitation& wanted) noexcept {
  const bool to_all = wanted.to.is_zero();
  if (wanted.target.is_v4()) {
    ArpPacket arp = arp_of(ArpPacket::request, wanted.our_mac);
    arp.sender = wanted.our_address.v4();
    arp.target = wanted.target.v4();
    return write_arp(wanted.port, to_all ? broadcast : wanted.to, arp);
  }
  const Ipv6Address destination = to_all ? solicited_node(wanted.target.v6) : wanted.target.v6;
  NdFrame frame{};
  frame.ethernet.destination = to_all ? group_mac(destination) : wanted.to;
  frame.ethernet.source = wanted.our_mac;
  frame.ip.source = wanted.our_address.v6;
  frame.ip.destination = destination;
  frame.nd.type = NdPacket::solicitation;
  frame.nd.target = wanted.target.v6;
  return finish_nd(wanted.port, frame,
                   is_unspecified(wanted.our_address) ? std::uint8_t{0} : LinkLayerOption::source);
}

NeighbourFrame write_advertisement(const Advertisement& wanted) noexcept {
  const bool to_all = wanted.to.is_zero();
  const bool announces = is_unspecified(wanted.to_address);
  if (wanted.our_address.is_v4()) {
    // RFC 5227 §3: requests are what all stacks take an announcement from.
    ArpPacket arp = arp_of(to_all ? ArpPacket::request : ArpPacket::reply, wanted.our_mac);
    arp.sender = wanted.our_address.v4();
    arp.target = to_all ? arp.sender : wanted.to_address.v4();
    arp.target_mac = wanted.to;
    return write_arp(wanted.port, to_all ? broadcast : wanted.to, arp);
  }
  NdFrame frame{};
  frame.ip.destination = announces ? all_nodes : wanted.to_address.v6;
  frame.ethernet.destination = announces ? group_mac(all_nodes) : wanted.to;
  frame.ethernet.source = wanted.our_mac;
  frame.ip.source = wanted.our_address.v6;
  frame.nd.type = NdPacket::advertisement;
  frame.nd.flags = be32(NdPacket::overrides | (announces ? 0 : NdPacket::solicited));
  frame.nd.target = wanted.our_address.v6;
  return finish_nd(wanted.port, frame, LinkLayerOption::target);
}

}  // namespace dp
