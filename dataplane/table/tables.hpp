// SPDX-License-Identifier: Apache-2.0
// All tables that packets are judged by. The housekeeper is the only writer; workers read them with
// the generation of their batch. Sizes are fixed at start.
#pragma once

#include "dataplane/table/exact_match.hpp"
#include "dataplane/table/next_hop_words.hpp"
#include "dataplane/table/records.hpp"
#include "dataplane/table/versioned_array.hpp"

#include <cstring>

namespace dp {

struct Tables {
  VersionedArray<PortRecord> ports;           // By PortId.
  VersionedArray<NetworkRecord> networks;     // By NetworkId.
  VersionedArray<VtepRecord> vteps;           // By VtepId; local and remote.
  ExactMatch network_by_vni;                  // vni_key → NetworkId.
  ExactMatch vtep_by_address;                 // vtep_key → VtepId; compare VtepRecord::address.
  ExactMatch port_by_vlan;                    // vlan_key → PortId of a VLAN's port.
  ExactMatch endpoints;                       // endpoint_key → EndpointValue.
  NextHopWords next_hops;                     // By VtepRecord::Path::place.
  VersionedArray<HostRuleRecord> host_rules;  // By HostClass; absent: host_classes say it.
  VersionedArray<QueueRecord> queues;         // By PortId; absent: frames pass straight through.

  // An IPv6 address is longer than a key, so another one may lead to the same VTEP.
  std::uint64_t vtep_key(const base::IpAddress& address) const noexcept {
    if (address.is_v4()) return dp::vtep_key(address.v4());
    std::uint64_t halves[2];
    std::memcpy(halves, address.v6.bytes.data(), sizeof halves);
    return vtep_by_address.shorten(halves[0], halves[1]);
  }
};

}  // namespace dp
