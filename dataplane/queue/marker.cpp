// SPDX-License-Identifier: Apache-2.0
#include "dataplane/queue/marker.hpp"

#include "dataplane/packet/ecn.hpp"
#include "dataplane/packet/udp_tunnel.hpp"

namespace dp {
namespace {

using contract::MarkPlace;

std::uint8_t* at(const QueuedFrame& frame, std::uint8_t offset) noexcept {
  return rte_pktmbuf_mtod(frame.mbuf, std::uint8_t*) + offset;
}

bool is_ipv4(const std::uint8_t* ip) noexcept {
  return *ip >> 4 == 4;
}

Ecn read_ecn(const std::uint8_t* ip) noexcept {
  if (is_ipv4(ip)) return ecn_of(reinterpret_cast<const Ipv4Header*>(ip)->tos);
  return ecn_of(reinterpret_cast<const Ipv6Header*>(ip)->traffic_class());
}

void set_ce(std::uint8_t* ip) noexcept {
  if (is_ipv4(ip)) {
    write_ecn(*reinterpret_cast<Ipv4Header*>(ip), Ecn::ce);
  } else {
    write_ecn(*reinterpret_cast<Ipv6Header*>(ip), Ecn::ce);
  }
}

// The sum of an IPv4 header stays the same, as its checksum follows. An IPv6 header has none, and a
// UDP checksum around it covers the bits.
void set_inner_ce(const QueuedFrame& frame) noexcept {
  std::uint8_t* inner = at(frame, frame.inner_ip);
  be16 before;
  std::memcpy(&before, inner, sizeof before);
  set_ce(inner);
  if (is_ipv4(inner)) return;
  be16 after;
  std::memcpy(&after, inner, sizeof after);
  std::uint8_t* outer = at(frame, frame.outer_ip);
  auto& udp = *reinterpret_cast<UdpHeader*>(
      outer + (is_ipv4(outer) ? reinterpret_cast<const Ipv4Header*>(outer)->header_bytes()
                              : sizeof(Ipv6Header)));
  if (udp.checksum == be16(0)) return;  // None.
  // RFC 768: a sum of zero is sent as all ones.
  const be16 sum = update_checksum(udp.checksum, before, after);
  udp.checksum = sum == be16(0) ? be16(0xffff) : sum;
}

}  // namespace

MarkResult mark(const QueuedFrame& frame, const QueueClassRecord& record) noexcept {
  if (frame.outer_ip == 0 || (frame.control && !record.mark_control)) return MarkResult::exempt;
  const bool has_inner = frame.inner_ip != 0;
  const bool marks_inner = has_inner && record.mark != MarkPlace::outer;
  const bool marks_outer = !has_inner || record.mark != MarkPlace::inner;
  std::uint8_t* outer = at(frame, frame.outer_ip);

  const Ecn inner_ecn = marks_inner ? read_ecn(at(frame, frame.inner_ip)) : Ecn::not_ect;
  const Ecn decides = marks_outer ? read_ecn(outer) : inner_ecn;
  if (decides == Ecn::not_ect) {
    return record.drop_not_ect ? MarkResult::drop : MarkResult::not_ect;
  }
  // An inner header that is Not-ECT stays it: RFC 6040 section 4.2 drops such a packet at the
  // tunnel's end, as if here.
  if (inner_ecn == Ecn::ect0 || inner_ecn == Ecn::ect1) set_inner_ce(frame);
  if (decides == Ecn::ce) return MarkResult::marked_before;
  if (marks_outer) set_ce(outer);
  return MarkResult::marked;
}

}  // namespace dp
