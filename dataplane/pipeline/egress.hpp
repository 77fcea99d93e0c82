// SPDX-License-Identifier: Apache-2.0
// How frames leave a worker. The worker implements it over its ports, tests over arrays.
#pragma once

#include "dataplane/base/id.hpp"

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

namespace dp {

class EgressQueue;

class Egress {
 public:
  struct Sent {
    bool port_present;
    std::uint16_t count;  // The first `count` frames now belong to the port.
  };
  // One call per burst and port, so a virtual call costs nothing that can be measured.
  virtual Sent send(base::PortId port, std::span<rte_mbuf*> frames) noexcept = 0;
  // There is such a port.
  virtual bool has(base::PortId) const noexcept { return true; }
  // nullptr: the port has none.
  virtual EgressQueue* queue(base::PortId) noexcept { return nullptr; }

 protected:
  ~Egress() = default;
};

}  // namespace dp
