// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/encapsulate.hpp"

#include "dataplane/packet/transport_checksum.hpp"

namespace dp {
namespace {

template <class Ip>
void write_udp_checksum(Packet packet) noexcept {
  auto& outer = packet.header<UdpTunnelHeader<Ip>>(0);
  constexpr std::uint16_t udp_offset = offsetof(UdpTunnelHeader<Ip>, udp);
  outer.udp.checksum = transport_checksum(transport_sum(
      *packet.mbuf(), outer.ip,
      {.protocol = ip_protocol::udp, .offset = udp_offset, .bytes = outer.udp.length.host()}));
}

}  // namespace

Verdict Encapsulate::push_other(Packet packet, const VtepRecord& vtep) noexcept {
  Verdict verdict = keep;
  switch (vtep.form) {
    case OuterForm::none: return DropReason::endpoint_target_missing;
    case OuterForm::ipv4: return push<Ipv4Header>(packet, vtep);
    case OuterForm::ipv6: return push<Ipv6Header>(packet, vtep);
    case OuterForm::ipv4_summed:
      verdict = push<Ipv4Header>(packet, vtep);
      if (verdict == keep) write_udp_checksum<Ipv4Header>(packet);
      return verdict;
    case OuterForm::ipv6_summed:
      verdict = push<Ipv6Header>(packet, vtep);
      if (verdict == keep) write_udp_checksum<Ipv6Header>(packet);
      return verdict;
  }
  __builtin_unreachable();
}

}  // namespace dp
