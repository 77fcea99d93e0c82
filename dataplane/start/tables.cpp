// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/tables.hpp"

#include "dataplane/base/log.hpp"

#include <cstring>
#include <utility>

namespace dp {

base::Result<Tables> make_tables(const TableSizes& sizes) {
  // Numbers of networks and VTEPs start at 1.
  auto ports = VersionedArray<PortRecord>::make(contract::port_count_max);
  auto networks = VersionedArray<NetworkRecord>::make(sizes.networks + 1);
  auto vteps = VersionedArray<VtepRecord>::make(sizes.vteps + 1);
  // A seed each, so that what collides in one table does not in another.
  // Twice: where all get another VNI or address in one transaction, old and new keys are there.
  auto network_by_vni = ExactMatch::make(2 * sizes.networks, random_seed());
  auto vtep_by_address = ExactMatch::make(2 * sizes.vteps, random_seed());
  auto port_by_vlan = ExactMatch::make(2 * contract::port_count_max, random_seed());
  auto endpoints = ExactMatch::make(sizes.endpoints, random_seed());
  auto next_hops = NextHopWords::make(sizes.next_hops);
  if (!ports) return std::unexpected(ports.error());
  if (!networks) return std::unexpected(networks.error());
  if (!vteps) return std::unexpected(vteps.error());
  if (!network_by_vni) return std::unexpected(network_by_vni.error());
  if (!vtep_by_address) return std::unexpected(vtep_by_address.error());
  if (!port_by_vlan) return std::unexpected(port_by_vlan.error());
  if (!endpoints) return std::unexpected(endpoints.error());
  if (!next_hops) return std::unexpected(next_hops.error());
  auto host_rules = VersionedArray<HostRuleRecord>::make(contract::host_class_count);
  if (!host_rules) return std::unexpected(host_rules.error());
  auto queues = VersionedArray<QueueRecord>::make(contract::port_count_max);
  if (!queues) return std::unexpected(queues.error());
  return Tables{.ports = std::move(*ports),
                .networks = std::move(*networks),
                .vteps = std::move(*vteps),
                .network_by_vni = std::move(*network_by_vni),
                .vtep_by_address = std::move(*vtep_by_address),
                .port_by_vlan = std::move(*port_by_vlan),
                .endpoints = std::move(*endpoints),
                .next_hops = std::move(*next_hops),
                .host_rules = std::move(*host_rules),
                .queues = std::move(*queues)};
}

std::optional<TableFile> open_table_file(const std::string& directory, bool is_wanted) {
  const std::string path = directory + "/endpoints.table";
  if (!is_wanted) {
    TableFile::remove(path);
    return std::nullopt;
  }
  auto file = TableFile::open(path);
  if (file) return std::move(*file);
  LOG(warning, "no_table_file", {"reason", file.error().text},
      {"system", std::strerror(file.error().error_number)},
      {"effect", "after a restart the control plane sends all endpoints"});
  return std::nullopt;
}

}  // namespace dp
