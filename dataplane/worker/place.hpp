// SPDX-License-Identifier: Apache-2.0
// Where a worker runs.
#pragma once

namespace dp {

struct WorkerPlace {
  int core = -1;    // -1: it is not pinned.
  int socket = -1;  // NUMA node of that core; -1: not known.
};

}  // namespace dp
