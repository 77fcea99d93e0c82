// SPDX-License-Identifier: Apache-2.0
// Which queues a worker reads and where it can send: made by the housekeeper, never changed,
// replaced as a whole. An old one is freed when every worker has passed a quiescent point since.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/contract/limits.hpp"
#include "dataplane/queue/egress_queue.hpp"
#include "drivers/port.hpp"

#include <array>
#include <vector>

namespace dp {

struct RxSource {
  base::PortId port;
  base::QueueId queue;
};

struct Assignment {
  std::vector<RxSource> sources;
  // By PortId; nullptr: no such port. Owned by the housekeeper's ports.
  std::array<Port*, contract::port_count_max> ports{};
  // By PortId; nullptr: no such port has ever been. They outlive every worker.
  std::array<EgressQueue*, contract::port_count_max> queues{};
  std::vector<EgressQueue*> all_queues;
  std::vector<EgressQueue*> home_queues;  // Those that are this worker's.
};

}  // namespace dp
