// SPDX-License-Identifier: Apache-2.0
// The packet pool as the kernel's AF_XDP sees it (a UMEM): frames are received into mbufs and sent
// out of them, nothing is copied between the two. A chunk begins at its mbuf's struct:
//
//   │ rte_mbuf + private │ headroom of the kernel (256) │ frame …                       │
//   ^ chunk: the address in fill and completion ring     ^ data; chunk_bytes end at a page's size
//
// Chunks lie wherever mbufs lie (unaligned mode): an address is the mbuf's offset, in its upper 16
// bits the data's distance from there.
#pragma once

#include "dataplane/base/error.hpp"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstddef>
#include <cstdint>
#include <linux/if_xdp.h>

namespace dp {

struct XdpMemory {
  std::byte* base;  // Of the pool's memory, at a page.
  std::uint64_t bytes;
  std::uint32_t chunk_bytes;
  std::uint32_t headroom_bytes;  // Struct and private data in front of an mbuf's buffer.
  std::uint32_t frame_bytes_max;
  rte_mempool* pool;
  int file;                   // EAL's, which `base` is mapped from.
  std::uint64_t file_offset;  // Of `base` in it.

  // `pool` outlives it.
  static base::Result<XdpMemory> of(rte_mempool& pool);

  std::uint64_t chunk_of(const rte_mbuf* mbuf) const noexcept {
    return static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(mbuf) - base);
  }
  rte_mbuf* mbuf_of(std::uint64_t address) const noexcept {
    return reinterpret_cast<rte_mbuf*>(base + (address & XSK_UNALIGNED_BUF_ADDR_MASK));
  }
  // The address of the data of `mbuf`.
  std::uint64_t data_of(const rte_mbuf* mbuf) const noexcept {
    const std::uint64_t distance = headroom_bytes + mbuf->data_off;
    return chunk_of(mbuf) | distance << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
  }
};

}  // namespace dp
