// SPDX-License-Identifier: Apache-2.0
// All tables that packets are judged by. The housekeeper is the only writer; workers read them with
// the generation of their batch. Sizes are fixed at start.
#pragma once

#include "dataplane/table/exact_match.hpp"
#include "dataplane/table/records.hpp"
#include "dataplane/table/versioned_array.hpp"

namespace dp {

struct Tables {
  VersionedArray<PortRecord> ports;        // By PortId.
  VersionedArray<NetworkRecord> networks;  // By NetworkId.
  VersionedArray<VtepRecord> vteps;        // By VtepId; local and remote.
  ExactMatch network_by_vni;               // vni_key → NetworkId.
  ExactMatch vtep_by_address;              // vtep_key → VtepId.
  ExactMatch endpoints;                    // endpoint_key → EndpointValue.
};

}  // namespace dp
