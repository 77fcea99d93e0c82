// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/memory.hpp"

#include <rte_memory.h>

#include <algorithm>
#include <unistd.h>

namespace dp {
namespace {

// XDP_PACKET_HEADROOM of <linux/bpf.h>: the kernel leaves it in front of each frame.
constexpr std::uint32_t kernel_headroom_bytes = 256;
constexpr std::uint32_t chunk_bytes_min = 2048;  // XDP_UMEM_MIN_CHUNK_SIZE, kernel-private.

struct Extent {
  std::byte* begin;
  std::byte* end;
  std::uint64_t used;
};

void add_stretch(rte_mempool*, void* opaque, rte_mempool_memhdr* stretch, unsigned) {
  auto& extent = *static_cast<Extent*>(opaque);
  auto* begin = static_cast<std::byte*>(stretch->addr);
  if (extent.begin == nullptr || begin < extent.begin) extent.begin = begin;
  extent.end = std::max(extent.end, begin + stretch->len);
  extent.used += stretch->len;
}

struct Place {
  int file;
  std::uint64_t offset;
};

// Where in which of EAL's files the memory at `address` lies.
base::Result<Place> place_of(const std::byte* address) {
  const rte_memseg* segment = rte_mem_virt2memseg(address, nullptr);
  std::size_t offset = 0;
  const int file = segment != nullptr ? rte_memseg_get_fd(segment) : -1;
  if (file < 0 || rte_memseg_get_fd_offset(segment, &offset) != 0) {
    return base::fail(base::Errc::unsupported,
                      "the packet buffers lie in no file that could be handed to weir-porthelper");
  }
  const auto* begin = static_cast<const std::byte*>(segment->addr);
  return Place{.file = file, .offset = offset + static_cast<std::uint64_t>(address - begin)};
}

}  // namespace

base::Result<XdpMemory> XdpMemory::of(rte_mempool& pool) {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  Extent extent{.begin = nullptr, .end = nullptr, .used = 0};
  rte_mempool_mem_iter(&pool, &add_stretch, &extent);
  if (extent.begin + extent.used != extent.end) {
    return base::fail(base::Errc::unsupported,
                      "the packet pool is not one stretch of memory, which AF_XDP needs: reserve "
                      "more hugepages before the start, or lower --mbufs");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(extent.begin);
  const std::uint64_t before = address % page;
  const std::uint64_t bytes = (before + extent.used + page - 1) / page * page;
  const std::uint32_t headroom =
      static_cast<std::uint32_t>(sizeof(rte_mbuf)) + rte_pktmbuf_priv_size(&pool);
  // Larger buffers are used up to a page: the kernel has no larger chunks.
  const std::uint32_t chunk =
      std::min(headroom + rte_pktmbuf_data_room_size(&pool), static_cast<std::uint32_t>(page));
  if (chunk < chunk_bytes_min) {
    return base::fail(base::Errc::unsupported,
                      "buffers are too small for an xdp port: start with a larger --mbuf-bytes");
  }
  const auto place = place_of(extent.begin - before);
  if (!place) return std::unexpected(place.error());
  return XdpMemory{.base = extent.begin - before,
                   .bytes = bytes,
                   .chunk_bytes = chunk,
                   .headroom_bytes = headroom,
                   .frame_bytes_max = chunk - headroom - kernel_headroom_bytes,
                   .pool = &pool,
                   .file = place->file,
                   .file_offset = place->offset};
}

}  // namespace dp
