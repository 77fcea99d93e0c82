// SPDX-License-Identifier: Apache-2.0
// Large frames: what a sender left for the device to cut into frames of the wire's size (TCP and
// UDP segmentation offload). Drivers mark them, and here they are cut in software, their checksums
// written. Headers are the tenant's own: a tunnel's come later, in front of each segment.
#pragma once

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/packet.hpp"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstdint>
#include <optional>

namespace dp {

// `segment_bytes`: payload of each segment but the last.
inline void mark_large(rte_mbuf& frame, std::uint16_t segment_bytes) noexcept {
  frame.ol_flags |= large_frame_flag;
  frame.tso_segsz = segment_bytes;
}
inline bool is_large(const rte_mbuf& frame) noexcept {
  return (frame.ol_flags & large_frame_flag) != 0;
}

// Bounds the work that a frame of a tenant can ask for: 64 KiB in pieces of 48 bytes, below which
// Linux's TCP does not go (TCP_MIN_SND_MSS).
inline constexpr std::uint32_t large_frame_segments_max = 65'536 / 48;

// Cuts one large frame, from its front to its end.
class Segmenter {
 public:
  // `frame` outlives it and has its headers in one piece (head_bytes); `found` is what parse_frame
  // says of it. nullopt: neither TCP nor UDP, or it cannot be cut as it wants.
  static std::optional<Segmenter> make(const rte_mbuf& frame, const PacketMeta& found) noexcept;

  // To be had from next().
  std::uint32_t left() const noexcept { return count_ - done_; }
  // The next segment, in buffers of `pool`; nullptr: there are too few.
  rte_mbuf* next(rte_mempool& pool) noexcept;

 private:
  Segmenter(const rte_mbuf& frame, const PacketMeta& found) noexcept
      : frame_(frame), found_(found) {}
  void copy_payload(rte_mbuf& to, std::uint32_t bytes) noexcept;
  template <class Ip>
  void complete(rte_mbuf& segment, std::uint32_t payload_bytes) const noexcept;
  void complete_ip(Ipv4Header& ip, std::uint16_t transport_bytes) const noexcept;
  void complete_ip(Ipv6Header& ip, std::uint16_t transport_bytes) const noexcept;

  const rte_mbuf& frame_;
  PacketMeta found_;
  std::uint32_t header_bytes_ = 0;  // From the frame's first byte to its payload.
  std::uint32_t payload_bytes_ = 0;
  std::uint32_t segment_bytes_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t done_ = 0;
  // Where the next segment's payload begins.
  const rte_mbuf* position_ = nullptr;
  std::uint32_t offset_ = 0;
};

}  // namespace dp
