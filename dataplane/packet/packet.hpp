// SPDX-License-Identifier: Apache-2.0
// One frame on its way through a pipeline: the mbuf, and what the stages found out about it.
// A Packet is a view that a stage gets for one call; Batch owns the mbuf.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/packet_kind.hpp"
#include "dataplane/packet/segments.hpp"

#include <rte_mbuf.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dp {

using base::NetworkId;
using base::PortId;
using base::VtepId;
using contract::PacketKind;

// Lies in the batch, not in the mbuf, so that 64 packets' worth stays in the L1 cache.
// All offsets count from the first byte of the frame as it is now.
struct PacketMeta {
  std::uint16_t l3;          // The IP header; meaningless where ip_version is 0.
  std::uint16_t l4;          // What follows the IP header (and nothing else: see l4_protocol).
  std::uint8_t ip_version;   // 4, 6, or 0: not IP.
  std::uint8_t l4_protocol;  // 0 where l4 cannot be read: fragment or IPv6 extension header.
  std::uint8_t tos;          // DSCP and ECN of that IP header; 0 where not IP.
  // Of the outermost IP header: that of a tunnel, as it came, and from encapsulate on as it leaves.
  std::uint8_t outer_tos;
  PacketKind kind;
  bool flood;               // To everyone in the network.
  std::uint16_t l4_length;  // Bytes from l4 to the end of the IP packet (padding excluded).
  std::uint32_t destination_qp;
  // Where the record of `vtep` lies, VersionedArray::at(); and whether by its second path.
  std::uint32_t next_hop;
  static constexpr std::uint32_t by_second_path = 1U << 31;
  VtepId vtep;  // Leaves to this remote VTEP; no_vtep: stays local.
  PortId out_port;
  NetworkId network;
  PortId in_port;
  VtepId source_vtep;        // Came from this remote VTEP; no_vtep: out of no tunnel.
  std::uint16_t trace_slot;  // no_trace: nobody looks.

  // l3 and l4, known beforehand: one store, where g++ 12 makes four instructions of two.
  void set_offsets(std::uint16_t l3_offset, std::uint16_t l4_offset) noexcept {
    const std::uint32_t both = l3_offset | std::uint32_t{l4_offset} << 16;
    std::memcpy(reinterpret_cast<std::uint8_t*>(this), &both, sizeof both);
  }
  // next_hop, vtep and out_port as one word, for those to whom many packets go.
  static std::uint64_t way(std::uint32_t next_hop, VtepId vtep, PortId port) noexcept {
    return next_hop | std::uint64_t{vtep.value} << 32 | std::uint64_t{port.value} << 48;
  }
  void set_way(std::uint64_t way) noexcept {
    std::memcpy(reinterpret_cast<std::uint8_t*>(this) + offsetof(PacketMeta, next_hop), &way,
                sizeof way);
  }
};
static_assert(sizeof(PacketMeta) == 32, "two of them share a cache line");
static_assert(offsetof(PacketMeta, l3) == 0 && offsetof(PacketMeta, l4) == 2);
static_assert(offsetof(PacketMeta, vtep) == offsetof(PacketMeta, next_hop) + 4 &&
              offsetof(PacketMeta, out_port) == offsetof(PacketMeta, next_hop) + 6);
static_assert(std::endian::native == std::endian::little, "the low bytes come first in memory");

inline constexpr std::uint16_t no_trace = 0xffff;

class Packet {
 public:
  Packet(rte_mbuf* mbuf, PacketMeta& meta) noexcept : mbuf_(mbuf), meta_(meta) {}

  PacketMeta& meta() const noexcept { return meta_; }
  rte_mbuf* mbuf() const noexcept { return mbuf_; }

  std::uint32_t length() const noexcept { return mbuf_->pkt_len; }
  // Bytes that can be read through data(): the first segment, which holds all headers from the
  // first stage on (head_bytes).
  std::uint32_t contiguous() const noexcept { return mbuf_->data_len; }
  std::uint8_t* data() const noexcept { return rte_pktmbuf_mtod(mbuf_, std::uint8_t*); }

  // The caller has made sure that the header lies within contiguous().
  template <class Header>
  Header& header(std::uint16_t offset) const noexcept {
    static_assert(alignof(Header) == 1, "headers lie anywhere");
    return *reinterpret_cast<Header*>(data() + offset);
  }

  // Removes `bytes`, at most contiguous(), from the front.
  void strip_front(std::uint16_t bytes) const noexcept {
    mbuf_->data_off = static_cast<std::uint16_t>(mbuf_->data_off + bytes);
    mbuf_->data_len = static_cast<std::uint16_t>(mbuf_->data_len - bytes);
    mbuf_->pkt_len -= bytes;
  }
  // Removes `bytes`, at most length(), from the end, over as many segments as they take.
  void strip_back(std::uint32_t bytes) const noexcept { strip_segments_back(*mbuf_, bytes); }
  // Bytes that may still go in front of the frame.
  std::uint16_t headroom() const noexcept { return mbuf_->data_off; }
  // The caller has made sure that the headroom has room for `bytes`.
  std::uint8_t* grow_front(std::uint16_t bytes) const noexcept {
    mbuf_->data_off = static_cast<std::uint16_t>(mbuf_->data_off - bytes);
    mbuf_->data_len = static_cast<std::uint16_t>(mbuf_->data_len + bytes);
    mbuf_->pkt_len += bytes;
    return data();
  }

 private:
  rte_mbuf* mbuf_;
  PacketMeta& meta_;
};

}  // namespace dp
