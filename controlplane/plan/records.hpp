// SPDX-License-Identifier: Apache-2.0
// One object of an intent → the contract's records. The intent is valid and sorted, and all its
// names have numbers.
#pragma once

#include "controlplane/intent/model.hpp"
#include "controlplane/plan/allocation.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"

#include <array>
#include <string_view>
#include <unordered_map>

namespace cp {

class Records {
 public:
  // Both are borrowed and outlive this.
  Records(const Intent& intent, const Allocation& allocation);

  contract::PortAdd port_add(const Port& port) const;
  contract::PortSet port_set(const Port& port) const;
  contract::VtepSet vtep_set(const Vtep& vtep) const;
  contract::NetworkSet network_set(const Network& network) const;
  contract::EndpointSet endpoint_set(const Endpoint& endpoint) const;

 private:
  const Allocation& allocation_;
  using VtepByPort = std::unordered_map<std::string_view, const Vtep*>;
  // The first local VTEP of each port, which is the source where none is named; IPv6, IPv4.
  std::array<VtepByPort, 2> local_vteps_;
};

// What the data plane reports once exactly this intent is in force.
contract::Digests digests_of(const Intent& intent, const Allocation& allocation);

}  // namespace cp
