// SPDX-License-Identifier: Apache-2.0
// Up to 64 packets that travel together. A Batch owns its mbufs: what is left in it when it goes
// is freed. Stages see its packets; only Pass, Exits and ports take mbufs out.
#pragma once

#include "dataplane/packet/packet.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace dp {

// 64, not 256: larger bursts push headers and metas out of the L1 cache before the last pass reads
// them (peers report +15 % as well).
inline constexpr std::uint16_t burst_max = 64;

class Batch {
 public:
  Batch() = default;
  ~Batch() { free_all(); }
  Batch(Batch&& other) noexcept { take_all(other); }
  Batch& operator=(Batch&& other) noexcept {
    if (this != &other) {
      free_all();
      take_all(other);
    }
    return *this;
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  std::uint16_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ == burst_max; }

  Packet operator[](std::size_t i) noexcept { return {mbufs_[i], metas_[i]}; }
  rte_mbuf* mbuf(std::uint16_t i) const noexcept { return mbufs_[i]; }
  std::span<rte_mbuf* const> mbufs() const noexcept { return {mbufs_.data(), size_}; }
  // For a port that sends them: those it takes are its own then.
  std::span<rte_mbuf*> mbufs_to_send(std::uint16_t first, std::uint16_t end) noexcept {
    return {mbufs_.data() + first, static_cast<std::size_t>(end - first)};
  }
  PacketMeta& meta(std::uint16_t i) noexcept { return metas_[i]; }

  // Takes ownership. The batch is not full.
  void push(rte_mbuf* mbuf, const PacketMeta& meta) noexcept {
    mbufs_[size_] = mbuf;
    metas_[size_] = meta;
    ++size_;
  }

  // For a port that receives: it writes mbufs here and says how many. Metas are set by reset_metas.
  rte_mbuf** receive_into() noexcept { return mbufs_.data(); }
  void received(std::uint16_t count) noexcept {
    size_ = count;
    flooded_ = false;
    odd_buffers_ = false;
  }
  // Some frame is not a single buffer of our own, or a large one: said once, by whoever looks at
  // all of them.
  void note_odd_buffers() noexcept { odd_buffers_ = true; }
  bool has_odd_buffers() const noexcept { return odd_buffers_; }
  // Another mbuf holds the frame now; the old one is somebody else's.
  void replace(std::size_t i, rte_mbuf* mbuf) noexcept { mbufs_[i] = mbuf; }

  // Some packet here has meta.flood: said once, so that nobody looks for it in vain.
  void note_flood() noexcept { flooded_ = true; }
  bool flooded() const noexcept { return flooded_; }
  void reset_metas(PortId in_port) noexcept {
    // As words: of a struct, g++ 12 writes three members anew for each packet and then loads all of
    // it, which waits for the stores (17 cycles a packet instead of 2, 2026-11-30).
    const auto fresh = std::bit_cast<std::array<std::uint64_t, sizeof(PacketMeta) / 8>>(
        PacketMeta{.in_port = in_port, .out_port = base::no_port, .trace_slot = no_trace});
    for (std::uint16_t i = 0; i < size_; ++i) std::memcpy(&metas_[i], &fresh, sizeof fresh);
  }

  // For whoever takes packets out while looping over them: packet `from` goes to place `to` ≤ from,
  // then keep(n) forgets the rest, which somebody else owns now.
  void move_down(std::size_t from, std::size_t to) noexcept {
    mbufs_[to] = mbufs_[from];
    metas_[to] = metas_[from];
  }
  void keep(std::uint16_t count) noexcept { size_ = count; }

 private:
  void free_all() noexcept {
    if (size_ > 0) rte_pktmbuf_free_bulk(mbufs_.data(), size_);
    size_ = 0;
  }
  void take_all(Batch& other) noexcept {
    size_ = other.size_;
    flooded_ = other.flooded_;
    odd_buffers_ = other.odd_buffers_;
    std::copy_n(other.mbufs_.begin(), size_, mbufs_.begin());
    std::copy_n(other.metas_.begin(), size_, metas_.begin());
    other.size_ = 0;
  }

  std::uint16_t size_ = 0;
  bool flooded_ = false;
  bool odd_buffers_ = false;
  std::array<rte_mbuf*, burst_max> mbufs_;
  std::array<PacketMeta, burst_max> metas_;
};

}  // namespace dp
