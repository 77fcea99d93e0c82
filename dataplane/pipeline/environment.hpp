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
  contract::WorkerBlock counters;   // This worker's; it is the only writer.
  rte_mempool& pool;                // For copies.
  base::Generation generation = 0;  // Of the batch under way; the worker sets it before each.
};

}  // namespace dp
