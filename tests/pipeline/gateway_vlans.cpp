// SPDX-License-Identifier: Apache-2.0
// The VLANs of a test's gateway: what the housekeeper derives, without its code.
#include "dataplane/base/check.hpp"
#include "tests/pipeline/gateway.hpp"

#include <utility>
#include <vector>

namespace test {
namespace {

void must(const base::Status& status) {
  CHECK(status.has_value());
}

}  // namespace

dp::PortRecord trunk_port(std::uint16_t untagged_network) {
  dp::PortRecord record = tenant_port(0);
  record.untagged_network = base::NetworkId{untagged_network};
  record.maps_vlans = 1;
  return record;
}

void Gateway::set_vlan(std::uint16_t port, const Vlan& vlan) {
  const base::PortId parent{vlan.parent};
  dp::PortRecord record =
      tenant_port(vlan.network, static_cast<std::uint16_t>(vlan.mtu - (vlan.inner == 0 ? 4 : 8)));
  record.vlan = vlan.vlan;
  record.inner_vlan = vlan.inner;
  record.parent = parent;
  set_port(port, record);
  must(tables_.port_by_vlan.set(dp::vlan_key(parent, vlan.vlan, vlan.inner), port,
                                epoch_.current() + 1));
}

void Gateway::remove_vlan(std::uint16_t port, const Vlan& vlan) {
  remove_port_record(port);
  must(tables_.port_by_vlan.remove(dp::vlan_key(base::PortId{vlan.parent}, vlan.vlan, vlan.inner),
                                   epoch_.current() + 1));
}

void Gateway::note_tags(base::Generation next) {
  std::vector<std::pair<std::uint32_t, dp::PortRecord>> all;
  std::uint64_t tagging = 0;
  tables_.ports.for_each([&](std::uint32_t port, const dp::PortRecord& record) {
    all.emplace_back(port, record);
    if (record.vlan != 0 || record.maps_vlans != 0) tagging |= std::uint64_t{1} << port;
  });
  for (auto& [port, record] : all) {
    if (record.tagging_ports == tagging) continue;
    record.tagging_ports = tagging;
    must(tables_.ports.stage(port, record, next));
  }
}

}  // namespace test
