// SPDX-License-Identifier: Apache-2.0
// One object of an intent → the contract's records. The intent is valid and sorted, and all its
// names have numbers.
#pragma once

#include "controlplane/intent/model.hpp"
#include "controlplane/plan/allocation.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"

#include <vector>

namespace cp {

class Records {
 public:
  // Both are borrowed and outlive this.
  Records(const Intent& intent, const Allocation& allocation);

  contract::PortAdd port_add(const Port& port) const;
  contract::PortSet port_set(const Port& port) const;
  contract::NextHopSet next_hop_set(const NextHop& next_hop) const;
  // Of a VTEP that is its own next hop.
  contract::NextHopSet next_hop_set(const Vtep& vtep) const;
  contract::VtepSet vtep_set(const Vtep& vtep) const;
  contract::NetworkSet network_set(const Network& network) const;
  contract::EndpointSet endpoint_set(const Endpoint& endpoint) const;
  static contract::HostRuleSet host_rule_set(const HostRule& rule);
  contract::QueueSet queue_set(const Queue& queue) const;

 private:
  base::VtepId source_of(const Vtep& remote) const;
  std::uint16_t mtu_of(const Port& port) const;

  const Intent& intent_;
  const Allocation& allocation_;
  std::vector<const Vtep*> local_vteps_;
};

// What the data plane reports once exactly this intent is in force.
contract::Digests digests_of(const Intent& intent, const Allocation& allocation);
// The same of `after`, knowing that `before` adds up to `digests`: of endpoints only those that
// differ are looked at. All names of both have their numbers.
contract::Digests digests_after(const contract::Digests& digests, const Intent& before,
                                const Intent& after, const Allocation& allocation);

}  // namespace cp
