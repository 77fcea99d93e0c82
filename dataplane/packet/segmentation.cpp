// SPDX-License-Identifier: Apache-2.0
// Which field of a header changes from segment to segment is what Linux does as well (tcp_gso.c,
// udp_offload.c), so that a receiver sees what it would have seen from a NIC.
#include "dataplane/packet/segmentation.hpp"

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/transport_checksum.hpp"

#include <algorithm>
#include <cstring>

namespace dp {
namespace {

// As many buffers of `pool` as `bytes` take, empty; nullptr: there are too few.
rte_mbuf* allocate(rte_mempool& pool, std::uint32_t bytes) noexcept {
  rte_mbuf* first = rte_pktmbuf_alloc(&pool);
  if (first == nullptr) return nullptr;
  std::uint32_t room = rte_pktmbuf_tailroom(first);
  for (rte_mbuf* last = first; room < bytes; last = last->next) {
    last->next = rte_pktmbuf_alloc(&pool);
    if (last->next == nullptr) {
      rte_pktmbuf_free(first);
      return nullptr;
    }
    ++first->nb_segs;
    room += rte_pktmbuf_tailroom(last->next);
  }
  return first;
}

// Bytes of the transport's header; 0 where there is none in full.
std::uint32_t transport_header_bytes(const rte_mbuf& frame, const PacketMeta& found) noexcept {
  const std::uint32_t seen = std::min<std::uint32_t>(
      found.l4_length, frame.data_len - std::min<std::uint32_t>(frame.data_len, found.l4));
  if (found.l4_protocol == ip_protocol::udp) {
    return seen < sizeof(UdpHeader) ? 0 : sizeof(UdpHeader);
  }
  if (found.l4_protocol != ip_protocol::tcp || seen < sizeof(TcpHeader)) return 0;
  const std::uint32_t bytes =
      rte_pktmbuf_mtod_offset(&frame, const TcpHeader*, found.l4)->header_bytes();
  return bytes < sizeof(TcpHeader) || bytes > seen ? 0 : bytes;
}

}  // namespace

std::optional<Segmenter> Segmenter::make(const rte_mbuf& frame, const PacketMeta& found) noexcept {
  if (found.ip_version == 0 || frame.tso_segsz == 0) return std::nullopt;
  const std::uint32_t header = transport_header_bytes(frame, found);
  if (header == 0) return std::nullopt;

  Segmenter segmenter(frame, found);
  segmenter.header_bytes_ = found.l4 + header;
  segmenter.payload_bytes_ = found.l4_length - header;
  segmenter.segment_bytes_ = frame.tso_segsz;
  const std::uint32_t segments =
      (segmenter.payload_bytes_ + segmenter.segment_bytes_ - 1) / segmenter.segment_bytes_;
  // Without payload it is a frame like others, whose checksum is missing.
  segmenter.count_ = std::max(segments, 1U);
  if (segmenter.count_ > large_frame_segments_max) return std::nullopt;
  segmenter.position_ = &frame;
  segmenter.offset_ = segmenter.header_bytes_;
  return segmenter;
}

void Segmenter::copy_payload(rte_mbuf& to, std::uint32_t bytes) noexcept {
  // Ends: both have so many bytes, or room for them.
  for (rte_mbuf* target = &to; bytes > 0;) {
    if (offset_ == position_->data_len) {
      position_ = position_->next;
      offset_ = 0;
      continue;
    }
    const std::uint32_t room = rte_pktmbuf_tailroom(target);
    if (room == 0) {
      target = target->next;
      continue;
    }
    const std::uint32_t piece = std::min({bytes, room, position_->data_len - offset_});
    std::memcpy(rte_pktmbuf_mtod_offset(target, char*, target->data_len),
                rte_pktmbuf_mtod_offset(position_, const char*, offset_), piece);
    target->data_len = static_cast<std::uint16_t>(target->data_len + piece);
    offset_ += piece;
    bytes -= piece;
  }
}

void Segmenter::complete_ip(Ipv4Header& ip, std::uint16_t transport_bytes) const noexcept {
  const unsigned header = ip.header_bytes();
  ip.total_length = be16(static_cast<std::uint16_t>(header + transport_bytes));
  // Different ones, as the segments may be fragmented further on (RFC 6864 §4.3).
  ip.id = be16(static_cast<std::uint16_t>(ip.id.host() + done_));
  ip.checksum = be16(0);
  ip.checksum = be16::from_raw(static_cast<std::uint16_t>(~fold(sum_words(&ip, header))));
}

void Segmenter::complete_ip(Ipv6Header& ip, std::uint16_t transport_bytes) const noexcept {
  ip.payload_length = be16(transport_bytes);
}

template <class Ip>
void Segmenter::complete(rte_mbuf& segment, std::uint32_t payload_bytes) const noexcept {
  auto& ip = *rte_pktmbuf_mtod_offset(&segment, Ip*, found_.l3);
  const auto bytes = static_cast<std::uint16_t>(header_bytes_ - found_.l4 + payload_bytes);
  complete_ip(ip, bytes);
  const Transport transport{.protocol = found_.l4_protocol, .offset = found_.l4, .bytes = bytes};
  if (found_.l4_protocol == ip_protocol::udp) {
    auto& udp = *rte_pktmbuf_mtod_offset(&segment, UdpHeader*, found_.l4);
    udp.length = be16(bytes);
    udp.checksum = be16(0);
    udp.checksum = transport_checksum(transport_sum(segment, ip, transport));
    return;
  }
  auto& tcp = *rte_pktmbuf_mtod_offset(&segment, TcpHeader*, found_.l4);
  tcp.sequence = be32(tcp.sequence.host() + done_ * segment_bytes_);
  // The window was reduced once: RFC 3168 §6.1.2.
  if (done_ > 0) tcp.flags = static_cast<std::uint8_t>(tcp.flags & ~TcpHeader::cwr);
  // What ends or pushes the stream stands behind all of it.
  if (left() > 1) {
    tcp.flags = static_cast<std::uint8_t>(tcp.flags & ~(TcpHeader::fin | TcpHeader::psh));
  }
  tcp.checksum = be16(0);
  tcp.checksum = transport_checksum(transport_sum(segment, ip, transport));
}

rte_mbuf* Segmenter::next(rte_mempool& pool) noexcept {
  const std::uint32_t payload = std::min(segment_bytes_, payload_bytes_ - done_ * segment_bytes_);
  rte_mbuf* segment = allocate(pool, header_bytes_ + payload);
  if (segment == nullptr) return nullptr;
  segment->pkt_len = header_bytes_ + payload;
  segment->data_len = static_cast<std::uint16_t>(header_bytes_);
  std::memcpy(rte_pktmbuf_mtod(segment, char*), rte_pktmbuf_mtod(&frame_, const char*),
              header_bytes_);
  copy_payload(*segment, payload);
  if (found_.ip_version == 4) {
    complete<Ipv4Header>(*segment, payload);
  } else {
    complete<Ipv6Header>(*segment, payload);
  }
  ++done_;
  return segment;
}

}  // namespace dp
