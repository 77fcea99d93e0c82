// SPDX-License-Identifier: Apache-2.0
// gather_headers: a frame may come in several buffers, split anywhere, or in buffers that somebody
// else reads too. Here its headers get into one buffer of its own, so that no later stage has to
// ask. Most bursts have no such frame, and the worker has noticed that already.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/packet/segments.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "dataplane/pipeline/judge.hpp"
#include "dataplane/pipeline/stage.hpp"

namespace dp {

class GatherHeaders {
 public:
  static constexpr StageInfo info{.name = "gather_headers",
                                  .needs = {Fact::received},
                                  .sets = {Fact::gathered},
                                  .may_drop = {DropReason::no_mbuf}};

  explicit GatherHeaders(const Environment& environment) noexcept : pool_(environment.pool) {}

  void process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
    if (batch.has_odd_buffers()) [[unlikely]]  // Only jumbo frames come in several.
      gather(batch, exits, stage);
  }

 private:
  [[gnu::cold, gnu::noinline]] void gather(Batch& batch, Exits& exits,
                                           std::uint16_t stage) noexcept {
    judge(batch, exits, stage, [&](std::size_t i, Packet packet) noexcept -> Verdict {
      rte_mbuf* gathered = gather_head(packet.mbuf(), pool_);
      if (gathered == nullptr) return DropReason::no_mbuf;
      batch.replace(i, gathered);
      return keep;
    });
  }

  rte_mempool& pool_;
};

}  // namespace dp
