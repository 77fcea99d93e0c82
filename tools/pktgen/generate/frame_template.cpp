// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/generate/frame_template.hpp"

#include <span>

namespace pktgen {
namespace {

base::IpAddress without_low(base::IpAddress address) noexcept {
  address.v6.bytes[14] = address.v6.bytes[15] = 0;
  return address;
}

}  // namespace

FrameTemplate::FrameTemplate(const Path& given_path, const RocePacket& given,
                             const std::optional<Tunnel>& tunnel)
    : v4_(given_path.source.is_v4()) {
  Path path = given_path;
  path.source = without_low(path.source);
  path.destination = without_low(path.destination);
  path.source_port = 0;
  RocePacket packet = given;
  packet.destination_qp = 0;
  packet.psn = 0;

  const std::size_t inner_bytes = frame_bytes(path, packet);
  const std::size_t front = tunnel ? tunnel_bytes(*tunnel) : 0;
  frame_.resize(front + inner_bytes);
  if (tunnel) {
    write_tunnel(frame_.data(), *tunnel, inner_bytes);
    outer_udp_ =
        static_cast<std::uint16_t>(front - sizeof(dp::VxlanHeader) - sizeof(dp::UdpHeader));
  }
  std::vector<std::uint8_t> payload(packet.payload.begin(), packet.payload.end());
  if (payload.size() >= sizeof(Stamp)) {
    stamp_ = static_cast<std::uint16_t>(front + payload_offset(path, packet.opcode));
    const Stamp stamp{.sequence = base::be32(0), .sent_at = base::be64(0)};
    std::memcpy(payload.data(), &stamp, sizeof stamp);
    packet.payload = payload;
  }
  write_frame(frame_.data() + front, path, packet);

  const std::size_t ip = front + sizeof(dp::EthernetHeader);
  const std::size_t ip_bytes = v4_ ? sizeof(dp::Ipv4Header) : sizeof(dp::Ipv6Header);
  udp_ = static_cast<std::uint16_t>(ip + ip_bytes);
  bth_ = static_cast<std::uint16_t>(udp_ + sizeof(dp::UdpHeader));
  destination_end_ = udp_;
  source_end_ = static_cast<std::uint16_t>(udp_ - (v4_ ? 4 : 16));
  if (v4_) {
    checksum_at_ = static_cast<std::uint16_t>(ip + offsetof(dp::Ipv4Header, checksum));
    std::memset(frame_.data() + checksum_at_, 0, 2);
    checksum_sum_ = dp::fold(dp::sum_words(frame_.data() + ip, sizeof(dp::Ipv4Header)));
  }
  const std::size_t end = frame_.size() - dp::icrc_bytes;
  icrc_ = dp::icrc(std::span(frame_).subspan(ip, end - ip));
  patches_.reset(new Patches{.qp = dp::IcrcPatch<3>(end - (bth_ + 8u)),
                             .psn = dp::IcrcPatch<3>(end - (bth_ + 12u)),
                             .port = dp::IcrcPatch<2>(end - (udp_ + 2u)),
                             .source = dp::IcrcPatch<2>(end - source_end_),
                             .destination = dp::IcrcPatch<2>(end - destination_end_),
                             .stamp = dp::IcrcPatch<sizeof(Stamp) - sizeof(Stamp::mark)>(
                                 stamp_ != 0 ? end - (stamp_ + sizeof(Stamp)) : 0)});
}

}  // namespace pktgen
