// SPDX-License-Identifier: Apache-2.0
// segment_large: a large frame (segmentation.hpp), which a virtual machine or the kernel behind a
// TAP left for the device to cut, becomes frames of the wire's size. It stands before everything
// that asks how long a frame is, and a tunnel's headers go in front of each segment.
//
// A flow's order holds: where there is a large frame, the whole batch leaves by next(), in order.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/packet/segmentation.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/stage.hpp"
#include "pipelines/stages/parse_frame.hpp"

#include <algorithm>
#include <optional>

namespace dp {

class SegmentLarge {
 public:
  static constexpr StageInfo info{
      .name = "segment_large",
      .needs = {Fact::received, Fact::gathered},
      .sets = {Fact::wire_sized},
      .may_drop = {DropReason::large_frame_malformed, DropReason::no_mbuf}};

  explicit SegmentLarge(const Environment& environment) noexcept : environment_(environment) {}

  template <class Next>
  void process(Batch& batch, Exits& exits, std::uint16_t stage, Next next) noexcept {
    if (batch.has_odd_buffers()) [[unlikely]]  // Large frames are among them.
      look_for_large(batch, exits, stage, next);
  }

 private:
  template <class Next>
  [[gnu::cold, gnu::noinline]] void look_for_large(Batch& batch, Exits& exits, std::uint16_t stage,
                                                   Next& next) noexcept {
    if (std::ranges::none_of(batch.mbufs(), [](const rte_mbuf* mbuf) { return is_large(*mbuf); })) {
      return;
    }
    for (std::uint16_t i = 0; i < batch.size(); ++i) {
      if (is_large(*batch.mbuf(i))) {
        cut(batch[i], exits, stage, next);
      } else {
        pass_on(batch.mbuf(i), batch.meta(i), next);
      }
    }
    batch.keep(0);
    if (!done_.empty()) hand_over(next);
  }

  // Takes the packet: it becomes its last segment, the others are created.
  template <class Next>
  void cut(Packet packet, Exits& exits, std::uint16_t stage, Next& next) noexcept {
    rte_mbuf* mbuf = packet.mbuf();
    PacketMeta& meta = packet.meta();
    std::optional<Segmenter> segmenter = segmenter_of(packet);
    if (!segmenter) return exits.drop(stage, mbuf, meta, DropReason::large_frame_malformed);

    while (segmenter->left() > 0) {
      rte_mbuf* segment = segmenter->next(environment_.pool);
      if (segment == nullptr) return exits.drop(stage, mbuf, meta, DropReason::no_mbuf);
      PacketMeta its = meta;
      if (segmenter->left() > 0) {
        exits.created(1);
        if (meta.trace_slot != no_trace) its.trace_slot = exits.tracer().replicate(meta);
      }
      pass_on(segment, its, next);
    }
    exits.replaced(mbuf);
  }

  static std::optional<Segmenter> segmenter_of(Packet packet) noexcept {
    PacketMeta found = packet.meta();
    if (parse_frame_at({packet.mbuf(), found}, 0) != keep) return std::nullopt;
    return Segmenter::make(*packet.mbuf(), found);
  }

  template <class Next>
  void pass_on(rte_mbuf* mbuf, const PacketMeta& meta, Next& next) noexcept {
    if (done_.full()) hand_over(next);
    done_.push(mbuf, meta);
  }

  template <class Next>
  void hand_over(Next& next) noexcept {
    next(done_);
    done_.received(0);  // What later stages noted of these packets is no news of the next ones.
  }

  const Environment& environment_;
  Batch done_;
};

}  // namespace dp
