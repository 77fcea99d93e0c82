// SPDX-License-Identifier: Apache-2.0
// The packet side of a queue: what workers do. Opening and closing stand in queue_setup.cpp.
#include "drivers/xdp/queue.hpp"

#include "drivers/xdp/unfinished_checksum.hpp"

#include <cerrno>
#include <sys/socket.h>

namespace dp {
namespace {

// Buffers are handed to the kernel in such portions: one visit of the pool's cache each.
constexpr std::uint32_t fill_portion = 64;
// Of the kernel's budget of 32 frames a call (TX_BATCH_SIZE), enough for a whole outbox.
constexpr int kicks_max = 10;

}  // namespace

// A frame as a driver leaves it: alone, in one buffer, of no device of DPDK's.
static void become_frame(rte_mbuf* mbuf, std::uint64_t data_off, std::uint32_t bytes) noexcept {
  mbuf->data_off = static_cast<std::uint16_t>(data_off);
  mbuf->port = RTE_MBUF_PORT_INVALID;
  mbuf->ol_flags = 0;
  mbuf->packet_type = 0;
  mbuf->vlan_tci = 0;
  mbuf->data_len = static_cast<std::uint16_t>(bytes);
  mbuf->pkt_len = bytes;
}

void XdpQueue::receive(Batch& batch) noexcept {
  std::uint32_t count = rx_.available(burst_max);
  if (count == 0 && config_.busy_poll) [[unlikely]] {  // Most ports leave it to interrupts.
    // Its number of frames is of no interest: they are in the ring.
    (void)::recvfrom(socket_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
    count = rx_.available(burst_max);
  }
  rte_mbuf** frames = batch.receive_into();
  for (std::uint32_t i = 0; i < count; ++i) {
    const xdp_desc& descriptor = rx_.entry(i);
    rte_mbuf* mbuf = memory_.mbuf_of(descriptor.addr);
    const std::uint64_t distance = descriptor.addr >> XSK_UNALIGNED_BUF_OFFSET_SHIFT;
    become_frame(mbuf, distance - memory_.headroom_bytes, descriptor.len);
    frames[i] = mbuf;
  }
  if (count > 0) rx_.take(count);
  batch.received(without_unfinished({frames, count}));

  buffers_missing_ += count;
  if (buffers_missing_ >= fill_portion || (count == 0 && buffers_missing_ > 0)) {
    while (buffers_missing_ > 0 && fill(std::min(buffers_missing_, fill_portion))) {
    }
  }
  // Read first, as each turn would write to the sender's line. Acquire pairs with the release in
  // kick(): the frames are in the ring.
  if (kick_again_.load(std::memory_order_relaxed) &&
      kick_again_.exchange(false, std::memory_order_acquire)) [[unlikely]] {  // Congestion.
    kick();
  }
}

// Those that are left move up.
std::uint16_t XdpQueue::without_unfinished(std::span<rte_mbuf*> frames) noexcept {
  std::uint16_t kept = 0;
  for (rte_mbuf* frame : frames) {
    if (!has_unfinished_checksum(*frame)) {
      frames[kept++] = frame;
      continue;
    }
    rte_pktmbuf_free(frame);
    // Relaxed: read by the port thread, orders nothing.
    unfinished_.fetch_add(1, std::memory_order_relaxed);
  }
  return kept;
}

bool XdpQueue::fill(std::uint32_t count) noexcept {
  std::array<void*, fill_portion> buffers;
  // None free: tried again at the next burst; the kernel counts frames that find no buffer.
  if (rte_mempool_get_bulk(memory_.pool, buffers.data(), count) != 0) return false;
  // There is room: never more buffers are with the kernel than the ring has entries.
  for (std::uint32_t i = 0; i < count; ++i) {
    auto* mbuf = static_cast<rte_mbuf*>(buffers[i]);
    mbuf->port = mark_;
    fill_.entry(i) = memory_.chunk_of(mbuf);
  }
  fill_.give(count);
  buffers_missing_ -= count;
  // Only to wake a driver that sleeps; nothing is read, so nothing can fail.
  if (fill_.needs_wakeup()) ::recvfrom(socket_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
  return true;
}

void XdpQueue::reclaim() noexcept {
  std::array<rte_mbuf*, burst_max> done;
  while (const std::uint32_t count = completion_.available(burst_max)) {
    for (std::uint32_t i = 0; i < count; ++i) {
      done[i] = memory_.mbuf_of(completion_.entry(i));
      done[i]->port = RTE_MBUF_PORT_INVALID;
    }
    completion_.take(count);
    rte_pktmbuf_free_bulk(done.data(), count);
  }
}

// The frame in one buffer of the pool that nobody else refers to; nullptr: there is none.
rte_mbuf* XdpQueue::sendable(rte_mbuf* frame) noexcept {
  if (frame->pool == memory_.pool && frame->nb_segs == 1 && RTE_MBUF_DIRECT(frame) &&
      rte_mbuf_refcnt_read(frame) == 1) [[likely]] {  // All but copies by reference and jumbo.
    return frame;
  }
  rte_mbuf* copy = rte_pktmbuf_copy(frame, memory_.pool, 0, frame->pkt_len);
  if (copy == nullptr) return nullptr;
  rte_pktmbuf_free(frame);
  return copy;
}

std::uint16_t XdpQueue::send(std::span<rte_mbuf*> frames) noexcept {
  if (!config_.several_senders) return send_alone(frames);
  rte_spinlock_lock(&senders_);
  const std::uint16_t sent = send_alone(frames);
  rte_spinlock_unlock(&senders_);
  return sent;
}

std::uint16_t XdpQueue::send_alone(std::span<rte_mbuf*> frames) noexcept {
  reclaim();
  const auto room = static_cast<std::uint16_t>(tx_.room(static_cast<std::uint32_t>(frames.size())));
  std::uint16_t taken = 0;
  std::uint32_t given = 0;
  for (; taken < room; ++taken) {
    rte_mbuf* frame = sendable(frames[taken]);
    if (frame == nullptr) break;
    // The kernel would skip it and never give it back.
    if (frame->nb_segs > 1 || frame->pkt_len > memory_.chunk_bytes) [[unlikely]] {  // MTU forbids.
      rte_pktmbuf_free(frame);
      refused_.fetch_add(1, std::memory_order_relaxed);  // Read by the port thread, orders nothing.
      continue;
    }
    frame->port = mark_;
    tx_.entry(given++) = {.addr = memory_.data_of(frame), .len = frame->pkt_len, .options = 0};
  }
  if (given > 0) tx_.give(given);
  // Also without new ones: where the ring was full, its frames may go now.
  if (tx_.needs_wakeup()) kick();
  return taken;
}

bool XdpQueue::finish_sending() noexcept {
  // As in receive().
  if (kick_again_.exchange(false, std::memory_order_acquire)) kick();
  return !kick_again_.load(std::memory_order_relaxed);  // Its own store.
}

void XdpQueue::kick() noexcept {
  for (int i = 0; i < kicks_max; ++i) {
    if (::sendto(socket_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) return;
    if (errno != EAGAIN) break;  // EAGAIN: it has sent its budget and stopped.
  }
  // A busy or full device, or its link is down. Release pairs with the exchange in receive().
  kick_again_.store(true, std::memory_order_release);
}

}  // namespace dp
