// SPDX-License-Identifier: Apache-2.0
// What a worker lends to its stages. Everything outlives the stages; each worker has its own.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/region.hpp"
#include "dataplane/table/tables.hpp"

#include <rte_mempool.h>

namespace dp {

struct Environment {
  const Tables& tables;
  contract::WorkerBlock counters;  // This worker's; it is the only writer.
  rte_mempool& pool;               // For copies.
  // Of the batch under way; the worker sets both before each. A batch comes from one device; where
  // that maps VLANs, PacketMeta::in_port says of which port each frame is.
  base::Generation generation = 0;
  const PortRecord* in_port = nullptr;
  std::uint64_t turn_cycles = 0;  // TSC at the start of the turn: the only clock that stages have.
  base::WorkerId worker{0};
  std::uint64_t seed = 0;  // Of random decisions: another one for each worker.
};

}  // namespace dp
