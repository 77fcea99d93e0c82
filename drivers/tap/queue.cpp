// SPDX-License-Identifier: Apache-2.0
#include "drivers/tap/queue.hpp"

#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/segmentation.hpp"
#include "dataplane/packet/transport_checksum.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace dp {
namespace {

// An IP packet's largest size behind an Ethernet header with two tags; the kernel cuts none larger
// off for a TAP (gso_max_size).
constexpr std::uint32_t frame_bytes_max = 65'536 + sizeof(EthernetHeader) + 2 * sizeof(VlanTag);
// Two large frames of a burst, or 64 of 2 KB: more of them would take all buffers of a small pool,
// and each becomes as many again when it is cut.
constexpr std::uint32_t burst_bytes_max = 128 * 1024;
// Frames in more buffers are copied first: none but a tenant's who splits them on purpose.
constexpr std::uint16_t segments_sent_max = 64;

std::uint16_t buffers_of_a_frame(rte_mempool& pool) noexcept {
  const std::uint32_t room =
      rte_pktmbuf_data_room_size(&pool) - std::uint32_t{RTE_PKTMBUF_HEADROOM};
  return static_cast<std::uint16_t>((frame_bytes_max + room - 1) / room);
}

}  // namespace

TapQueue::TapQueue(base::Descriptor descriptor, rte_mempool& pool)
    : descriptor_(std::move(descriptor)),
      pool_(pool),
      spare_(buffers_of_a_frame(pool)),
      room_(spare_.size() + 1),
      missing_(static_cast<std::uint16_t>(spare_.size())) {
  room_[0] = {.iov_base = &header_, .iov_len = sizeof header_};
}

TapQueue::~TapQueue() {
  const auto held = std::span(spare_).subspan(missing_);
  rte_pktmbuf_free_bulk(held.data(), static_cast<unsigned>(held.size()));
}

TapQueue::Losses TapQueue::losses() const noexcept {
  // Relaxed: numbers that order nothing.
  return {.rx_invalid = rx_invalid_.load(std::memory_order_relaxed),
          .tx_refused = tx_refused_.load(std::memory_order_relaxed)};
}

// False: the pool has too few, and frames wait in the kernel.
bool TapQueue::refill() noexcept {
  if (missing_ == 0) return true;
  if (rte_pktmbuf_alloc_bulk(&pool_, spare_.data(), missing_) != 0) return false;
  for (std::uint16_t i = 0; i < missing_; ++i) {
    room_[i + 1u] = {.iov_base = rte_pktmbuf_mtod(spare_[i], void*),
                     .iov_len = rte_pktmbuf_tailroom(spare_[i])};
  }
  missing_ = 0;
  return true;
}

// The first buffers of spare_, which hold so many bytes, as one frame.
rte_mbuf* TapQueue::chain_up(std::uint32_t bytes) noexcept {
  rte_mbuf* frame = spare_[0];
  frame->pkt_len = bytes;
  std::uint16_t used = 0;
  while (true) {
    rte_mbuf* segment = spare_[used++];
    segment->data_len =
        static_cast<std::uint16_t>(std::min<std::uint32_t>(bytes, rte_pktmbuf_tailroom(segment)));
    bytes -= segment->data_len;
    if (bytes == 0) break;
    segment->next = spare_[used];
  }
  frame->nb_segs = used;
  missing_ = used;
  return frame;
}

// What the sender left to the device (virtio 1.2, §5.1.6.2). False: it cannot be done.
bool TapQueue::take_orders(rte_mbuf& frame) const noexcept {
  switch (header_.gso_type & ~VirtioHeader::gso_ecn) {
    case VirtioHeader::gso_none:
      return (header_.flags & VirtioHeader::needs_checksum) == 0 ||
             finish_checksum(frame, header_.checksum_start, header_.checksum_place);
    case VirtioHeader::gso_tcp4:
    case VirtioHeader::gso_tcp6:
    case VirtioHeader::gso_udp: mark_large(frame, header_.segment_bytes); return true;
    default: return false;  // Not offered to the kernel.
  }
}

// nullptr with `more`: this one was of no use.
rte_mbuf* TapQueue::read_frame(bool& more) noexcept {
  const ssize_t got = ::readv(descriptor_.get(), room_.data(), static_cast<int>(room_.size()));
  more = got > 0;
  if (got < 0) return nullptr;  // None waits, or the interface is gone.
  if (static_cast<std::size_t>(got) > sizeof header_) {
    rte_mbuf* frame = chain_up(static_cast<std::uint32_t>(got) - std::uint32_t{sizeof header_});
    if (take_orders(*frame)) return frame;
    rte_pktmbuf_free(frame);
  }
  rx_invalid_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

void TapQueue::receive(Batch& batch) noexcept {
  rte_mbuf** frames = batch.receive_into();
  std::uint16_t count = 0;
  std::uint32_t bytes = 0;
  bool more = true;
  for (int reads = 0; more && reads < burst_max && bytes < burst_bytes_max && refill(); ++reads) {
    rte_mbuf* frame = read_frame(more);
    if (frame == nullptr) continue;
    bytes += frame->pkt_len;
    frames[count++] = frame;
  }
  batch.received(count);
}

TapQueue::Sent TapQueue::write_frame(const rte_mbuf& frame) const noexcept {
  // Nothing is left to the kernel: what we send is complete.
  static constexpr VirtioHeader plain{};
  std::array<iovec, segments_sent_max + 1> pieces;
  pieces[0] = {.iov_base = const_cast<VirtioHeader*>(&plain), .iov_len = sizeof plain};
  int count = 1;
  for (const rte_mbuf* segment = &frame; segment != nullptr; segment = segment->next) {
    pieces[static_cast<std::size_t>(count++)] = {.iov_base = rte_pktmbuf_mtod(segment, void*),
                                                 .iov_len = segment->data_len};
  }
  if (::writev(descriptor_.get(), pieces.data(), count) >= 0) return Sent::yes;
  // EIO: the interface is down; EBADFD: it was removed. Others concern this frame alone.
  return errno == EINVAL || errno == EMSGSIZE ? Sent::refused : Sent::not_now;
}

TapQueue::Sent TapQueue::write_short_chain(rte_mbuf*& frame) noexcept {
  if (frame->nb_segs > segments_sent_max) [[unlikely]] {  // See there.
    rte_mbuf* copy = rte_pktmbuf_copy(frame, &pool_, 0, UINT32_MAX);
    if (copy == nullptr) return Sent::not_now;
    rte_pktmbuf_free(std::exchange(frame, copy));
    if (frame->nb_segs > segments_sent_max) return Sent::refused;
  }
  return write_frame(*frame);
}

std::uint16_t TapQueue::send(std::span<rte_mbuf*> frames) noexcept {
  std::uint16_t taken = 0;
  for (rte_mbuf*& frame : frames) {
    const Sent sent = write_short_chain(frame);
    if (sent == Sent::not_now) break;
    if (sent == Sent::refused) tx_refused_.fetch_add(1, std::memory_order_relaxed);
    ++taken;
  }
  if (taken > 0) rte_pktmbuf_free_bulk(frames.data(), taken);
  return taken;
}

}  // namespace dp
