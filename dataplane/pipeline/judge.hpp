// SPDX-License-Identifier: Apache-2.0
// The loop of stages that see the whole batch: ask about every packet, take out the dead, close the
// gaps. Stages that only judge single packets are steps and need none of this.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/exits.hpp"

#include <cstddef>
#include <cstdint>

namespace dp {

// `verdict_of(i, packet)` is asked once per packet, in order.
template <class VerdictOf>
void judge(Batch& batch, Exits& exits, std::uint16_t stage, VerdictOf&& verdict_of) noexcept {
  const std::size_t entered = batch.size();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entered; ++i) {
    const Verdict verdict = verdict_of(i, batch[i]);
    if (verdict != keep) [[unlikely]] {  // Dying packets are rare where traffic is well.
      const Packet packet = batch[i];
      exits.end(stage, packet, verdict);
      continue;
    }
    if (kept != i) [[unlikely]]
      batch.move_down(i, kept);
    ++kept;
  }
  batch.keep(static_cast<std::uint16_t>(kept));
}

}  // namespace dp
