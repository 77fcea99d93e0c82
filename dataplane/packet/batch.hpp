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
    notes_.traced |= meta.trace_slot != no_trace;
    ++size_;
  }

  // For a port that receives: it writes mbufs here and says how many. Metas are set by reset_metas.
  rte_mbuf** receive_into() noexcept { return mbufs_.data(); }
  void received(std::uint16_t count) noexcept {
    size_ = count;
    notes_ = {};
  }
  // What holds of the batch as a whole is said once, by whoever looks at all of it.
  // Some frame is not a single buffer of our own, or a large one.
  void note_odd_buffers() noexcept { notes_.odd_buffers = true; }
  bool has_odd_buffers() const noexcept { return notes_.odd_buffers; }
  // Some packet has a slot for its trace.
  void note_traced() noexcept { notes_.traced = true; }
  bool traced() const noexcept { return notes_.traced; }
  // All are RoCEv2 over IPv4 with everything at a fixed offset (plain_roce.hpp).
  void note_plain() noexcept { notes_.plain = true; }
  bool all_plain() const noexcept { return notes_.plain; }
  // All are for one MAC.
  void note_one_destination() noexcept { notes_.one_destination = true; }
  bool has_one_destination() const noexcept { return notes_.one_destination; }
  // All are of one network and go to one remote VTEP.
  void note_one_vtep() noexcept { notes_.one_vtep = true; }
  bool has_one_vtep() const noexcept { return notes_.one_vtep; }
  // Another mbuf holds the frame now; the old one is somebody else's.
  void replace(std::size_t i, rte_mbuf* mbuf) noexcept { mbufs_[i] = mbuf; }

  // Some packet here has meta.flood.
  void note_flood() noexcept { notes_.flooded = true; }
  bool flooded() const noexcept { return notes_.flooded; }
  // `network`: of all that comes in there, where that is one.
  void reset_metas(PortId in_port, NetworkId network) noexcept {
    // As words: of a struct, g++ 12 writes three members anew for each packet and then loads all of
    // it, which waits for the stores (17 cycles a packet instead of 2, 2026-11-30).
    const auto fresh = std::bit_cast<std::array<std::uint64_t, sizeof(PacketMeta) / 8>>(PacketMeta{
        .out_port = base::no_port, .network = network, .in_port = in_port, .trace_slot = no_trace});
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
    notes_ = other.notes_;
    std::copy_n(other.mbufs_.begin(), size_, mbufs_.begin());
    std::copy_n(other.metas_.begin(), size_, metas_.begin());
    other.size_ = 0;
  }

  struct Notes {
    bool flooded = false;
    bool odd_buffers = false;
    bool traced = false;
    bool plain = false;
    bool one_destination = false;
    bool one_vtep = false;
  };

  std::uint16_t size_ = 0;
  Notes notes_;
  std::array<rte_mbuf*, burst_max> mbufs_;
  std::array<PacketMeta, burst_max> metas_;
};

}  // namespace dp
