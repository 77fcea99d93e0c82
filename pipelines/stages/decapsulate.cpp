// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/decapsulate.hpp"

namespace dp {
bool Decapsulate::is_vtep(be32 address, contract::VtepKind kind, VtepId& vtep) const noexcept {
  const base::Generation generation = environment_.generation;
  const std::uint32_t found =
      environment_.tables.vtep_by_address.lookup(vtep_key(address), generation);
  if (found == ExactMatch::no_value) return false;
  const VtepRecord* record = environment_.tables.vteps.find(found, generation);
  vtep = VtepId{static_cast<std::uint16_t>(found)};
  return record != nullptr && record->kind == kind;
}

Verdict Decapsulate::resolve(const Ipv4Header& ip, std::uint32_t vni,
                             Tunnel& tunnel) const noexcept {
  const base::Generation generation = environment_.generation;
  VtepId local;
  VtepId source;
  if (!is_vtep(ip.destination, contract::VtepKind::local, local)) {
    return DropReason::destination_not_local;
  }
  if (!is_vtep(ip.source, contract::VtepKind::remote, source)) {
    return DropReason::unknown_vtep;
  }
  const std::uint32_t network = environment_.tables.network_by_vni.lookup(vni_key(vni), generation);
  if (network == ExactMatch::no_value) return DropReason::unknown_vni;
  tunnel.network = NetworkId{static_cast<std::uint16_t>(network)};
  tunnel.vni = vni;
  tunnel.generation = generation;
  tunnel.network_counters = &environment_.counters.networks[network];
  tunnel.source_counters = &environment_.counters.vteps[source.value];
  return keep;
}

}  // namespace dp
