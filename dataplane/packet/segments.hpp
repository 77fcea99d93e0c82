// SPDX-License-Identifier: Apache-2.0
// Frames whose buffers are not what the stages expect: several of them, or shared with somebody.
// Most frames are one buffer of our own, and for them nothing here is called.
#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dp {

// So many bytes from the front (or the whole frame, where it is shorter) lie in the first segment
// and may be written, from gather_head on until the frame leaves. The deepest that any stage looks
// is an AETH behind two VLAN tags and IPv4 options in a tunnel which itself has all of these.
inline constexpr std::uint32_t head_bytes = 256;
static_assert(head_bytes >= (14 + 8 + 60 + 8 + 8) + (14 + 8 + 60 + 8 + 13));
// A fresh buffer holds that much (--mbuf-bytes allows no less than 1024).
static_assert(head_bytes <= 1024);

// DPDK's mark of a frame that was made of several. Drivers of virtio set it on a large frame, which
// its sender left for the device to cut: segmentation.hpp.
inline constexpr std::uint64_t large_frame_flag = RTE_MBUF_F_RX_LRO;

// Asked of all frames of a burst at once: is each a single buffer that nobody else has, and no
// large one?
class BufferKinds {
 public:
  void see(const rte_mbuf& mbuf) noexcept {
    std::uint64_t word;
    std::memcpy(&word, reinterpret_cast<const std::uint8_t*>(&mbuf) + word_at, sizeof word);
    words_ |= word;
    flags_ |= mbuf.ol_flags;
  }
  // Neither number is ever 0, so all are 1 where their disjunction is.
  bool all_plain() const noexcept {
    return static_cast<std::uint32_t>(words_ >> 16) == (1U << 16 | 1U) &&
           (flags_ & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | large_frame_flag)) == 0;
  }

 private:
  // data_off, and the two numbers in question behind it.
  static constexpr std::size_t word_at = offsetof(rte_mbuf, data_off);
  static_assert(offsetof(rte_mbuf, refcnt) == word_at + 2 &&
                offsetof(rte_mbuf, nb_segs) == word_at + 4);

  std::uint64_t words_ = 0;
  std::uint64_t flags_ = 0;
};

// The frame with its head in one piece and all of it nobody else's: the same mbuf, or a copy from
// `pool`, and then the old one is freed. nullptr where the pool has no buffer: the frame is as it
// was. Zero-length segments behind the first go.
rte_mbuf* gather_head(rte_mbuf* frame, rte_mempool& pool) noexcept;

// Removes `bytes` from the end, at most pkt_len, over as many segments as they take. All segments
// are the frame's own.
void strip_segments_back(rte_mbuf& frame, std::uint32_t bytes) noexcept;

}  // namespace dp
