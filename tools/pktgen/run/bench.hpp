// SPDX-License-Identifier: Apache-2.0
// What a generated frame costs, sending included: --bench.
#pragma once

#include "drivers/port.hpp"
#include "tools/pktgen/profile/model.hpp"

#include <rte_mempool.h>

namespace pktgen {

struct BenchResult {
  double cycles_per_frame;  // The median of the rounds,
  double least;             // and the best one.
  double frame_bytes;       // On average.
  double hz;                // Of the time stamp counter.
};

BenchResult bench(const Profile& profile, dp::Port& port, rte_mempool& pool);

}  // namespace pktgen
