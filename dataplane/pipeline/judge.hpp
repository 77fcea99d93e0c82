// SPDX-License-Identifier: Apache-2.0
// The loop of stages that see the whole batch: ask about every packet, take out the dead, close the
// gaps. Stages that only judge single packets are steps and need none of this.
#pragma once

#include "dataplane/packet/batch.hpp"
#include "dataplane/pipeline/exits.hpp"

#include <cstdint>

namespace dp {

// `verdict_of(i, packet)` is asked once per packet, in order.
template <class VerdictOf>
void judge(Batch& batch, Exits& exits, std::uint16_t stage, VerdictOf&& verdict_of) noexcept {
  std::uint16_t kept = 0;
  for (std::uint16_t i = 0; i < batch.size(); ++i) {
    const Verdict verdict = verdict_of(i, batch[i]);
    if (verdict != keep) [[unlikely]] {  // Dying packets are rare where traffic is well.
      exits.drop(stage, batch.mbuf(i), batch.meta(i), verdict);
      continue;
    }
    if (kept != i) batch.move_down(i, kept);
    ++kept;
  }
  batch.keep(kept);
}

}  // namespace dp
