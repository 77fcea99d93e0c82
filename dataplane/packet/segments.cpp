// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/segments.hpp"

#include <algorithm>
#include <cstring>

namespace dp {
namespace {

// The mbufs themselves: lengths and offsets may be changed.
bool owns_segments(const rte_mbuf* segment) noexcept {
  for (; segment != nullptr; segment = segment->next) {
    if (rte_mbuf_refcnt_read(segment) != 1) return false;
  }
  return true;
}

// The bytes that a segment points to. A buffer to which others are attached has more references
// itself.
bool may_write(const rte_mbuf& segment) noexcept {
  if (RTE_MBUF_CLONED(&segment)) return false;
  return !RTE_MBUF_HAS_EXTBUF(&segment) || rte_mbuf_ext_refcnt_read(segment.shinfo) == 1;
}

void remove_next(rte_mbuf& frame, rte_mbuf& before) noexcept {
  rte_mbuf* gone = before.next;
  before.next = gone->next;
  --frame.nb_segs;
  rte_pktmbuf_free_seg(gone);
}

void remove_empty_segments(rte_mbuf& frame) noexcept {
  for (rte_mbuf* segment = &frame; segment->next != nullptr;) {
    if (segment->next->data_len == 0) {
      remove_next(frame, *segment);
    } else {
      segment = segment->next;
    }
  }
}

// Appends `bytes` from the segments behind the first to it; there are so many, and room for them.
void pull_up(rte_mbuf& frame, std::uint32_t bytes) noexcept {
  while (bytes > 0) {
    rte_mbuf& next = *frame.next;
    const auto piece = static_cast<std::uint16_t>(std::min<std::uint32_t>(bytes, next.data_len));
    std::memcpy(rte_pktmbuf_mtod_offset(&frame, char*, frame.data_len),
                rte_pktmbuf_mtod(&next, const char*), piece);
    frame.data_len = static_cast<std::uint16_t>(frame.data_len + piece);
    next.data_off = static_cast<std::uint16_t>(next.data_off + piece);
    next.data_len = static_cast<std::uint16_t>(next.data_len - piece);
    bytes -= piece;
    if (next.data_len == 0) remove_next(frame, frame);
  }
}

}  // namespace

rte_mbuf* gather_head(rte_mbuf* frame, rte_mempool& pool) noexcept {
  if (frame->pkt_len == 0)
    return frame;  // Nothing to read or write, and DPDK copies no such frame.
  const std::uint32_t wanted = std::min(head_bytes, frame->pkt_len);
  const bool is_ours = owns_segments(frame) && may_write(*frame);
  if (is_ours) {
    remove_empty_segments(*frame);
    if (frame->data_len >= wanted) return frame;
    const std::uint32_t missing = wanted - frame->data_len;
    if (missing <= rte_pktmbuf_tailroom(frame)) {
      pull_up(*frame, missing);
      return frame;
    }
  }
  // As a whole, with headroom of its own: rare enough for the simplest that is right.
  rte_mbuf* copy = rte_pktmbuf_copy(frame, &pool, 0, UINT32_MAX);
  if (copy != nullptr) rte_pktmbuf_free(frame);
  return copy;
}

void strip_segments_back(rte_mbuf& frame, std::uint32_t bytes) noexcept {
  std::uint32_t left = frame.pkt_len - bytes;
  frame.pkt_len = left;
  rte_mbuf* last = &frame;
  while (left > last->data_len) {
    left -= last->data_len;
    last = last->next;
  }
  last->data_len = static_cast<std::uint16_t>(left);
  while (last->next != nullptr) remove_next(frame, *last);
}

}  // namespace dp
