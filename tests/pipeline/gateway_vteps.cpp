// SPDX-License-Identifier: Apache-2.0
// VTEPs and next hops of a gateway in a test: what the housekeeper prepares, without its code.
#include "dataplane/base/check.hpp"
#include "pipelines/tunnels/tunnels.hpp"
#include "tests/pipeline/gateway.hpp"

#include <cstring>

namespace test {
namespace {

void must(const base::Status& status) {
  CHECK(status.has_value());
}

// A way to a VTEP.
struct Way {
  dp::NextHopPlace place = dp::never_usable;
  base::PortId port = base::no_port;
  base::MacAddress destination{};
  base::MacAddress source{};
  std::uint16_t mtu = 0;
};

template <class Ip, class Address>
void prepare_outer(dp::VtepRecord& record, const std::array<Way, 2>& ways, std::uint8_t ttl,
                   const Address& source, const Address& destination) {
  const dp::UdpTunnelHeader<Ip> outer = dp::prepare_udp_tunnel(
      dp::UdpTunnelAddresses<Ip>{.source_mac = ways[0].source,
                                 .next_hop_mac = ways[0].destination,
                                 .source = source,
                                 .destination = destination,
                                 .ttl = ttl,
                                 .udp_destination = dp::Vxlan::udp_destination});
  std::memcpy(record.outer_bytes.data(), &outer, sizeof outer);
  record.second_ethernet = {
      .destination = ways[1].destination, .source = ways[1].source, .type = outer.ethernet.type};
  constexpr int added = sizeof(Ip) + sizeof(dp::UdpHeader) + dp::Vxlan::header_bytes;
  const auto path = [](const Way& way) {
    return dp::VtepPath{
        .place = way.place,
        .port = way.port,
        .frame_bytes_max = static_cast<std::uint16_t>(way.mtu > added ? way.mtu - added : 0)};
  };
  record.first = path(ways[0]);
  record.second = path(ways[1]);
}

}  // namespace

void Gateway::set_next_hop(std::uint16_t next_hop, const NextHop& to) {
  next_hops_[next_hop] = {
      .port = to.port,
      .static_mac = to.static_mac.empty() ? base::MacAddress{} : mac(to.static_mac),
      .mtu = to.mtu};
}

void Gateway::set_usable(std::uint16_t next_hop, bool usable, bool link_up,
                         std::string_view resolved_mac) {
  tables_.next_hops.write(
      dp::NextHopWords::place_of(base::NextHopId{next_hop}, 0),
      dp::NextHopWord::make(usable, link_up,
                            resolved_mac.empty() ? base::MacAddress{} : mac(resolved_mac)));
}

void Gateway::set_local_vtep(std::uint16_t vtep, std::string_view address) {
  dp::VtepRecord record{};
  record.kind = contract::VtepKind::local;
  record.address = ip(address);
  const base::Generation next = epoch_.current() + 1;
  must(tables_.vteps.stage(vtep, record, next));
  must(tables_.vtep_by_address.set(tables_.vtep_key(ip(address)), vtep, next));
}

void Gateway::set_remote_vtep(std::uint16_t vtep, const RemoteVtep& remote) {
  std::array<Way, 2> ways;
  if (remote.next_hops.empty()) {
    ways[0] = {.place = remote.resolved ? dp::always_usable : dp::never_usable,
               .port = base::PortId{remote.port},
               .destination = mac(remote.next_hop_mac),
               .mtu = remote.mtu};
  }
  for (std::size_t i = 0; i < remote.next_hops.size(); ++i) {
    const Known& known = next_hops_.at(remote.next_hops[i]);
    ways.at(i) = {.place = dp::NextHopWords::place_of(base::NextHopId{remote.next_hops[i]}, 0),
                  .port = base::PortId{known.port},
                  .destination = known.static_mac,
                  .mtu = known.mtu};
  }
  for (Way& way : ways) {
    if (way.port == base::no_port) continue;
    const dp::PortRecord* port = tables_.ports.staged(way.port.value);
    CHECK(port != nullptr);
    way.source = port->mac;
  }
  dp::VtepRecord record{};
  record.kind = contract::VtepKind::remote;
  record.address = ip(remote.address);
  const bool copied = remote.pinned_dscp < 0;
  record.tos_mask = copied ? 0xff : 0x03;
  record.tos_pinned = static_cast<std::uint8_t>(copied ? 0 : remote.pinned_dscp << 2);
  if (record.address.is_v4()) {
    record.form = remote.summed ? dp::OuterForm::ipv4_summed : dp::OuterForm::ipv4;
    prepare_outer<dp::Ipv4Header>(record, ways, remote.ttl, ipv4(remote.source),
                                  record.address.v4());
    record.ip_sum = dp::constant_sum(record.outer<dp::Ipv4Header>().ip);
  } else {
    record.form = remote.summed ? dp::OuterForm::ipv6_summed : dp::OuterForm::ipv6;
    prepare_outer<dp::Ipv6Header>(record, ways, remote.ttl, ip(remote.source).v6,
                                  record.address.v6);
  }
  const base::Generation next = epoch_.current() + 1;
  must(tables_.vteps.stage(vtep, record, next));
  must(tables_.vtep_by_address.set(tables_.vtep_key(record.address), vtep, next));
}

void Gateway::remove_vtep(std::uint16_t vtep, std::string_view address) {
  const base::Generation next = epoch_.current() + 1;
  must(tables_.vteps.stage_removal(vtep, next));
  must(tables_.vtep_by_address.remove(tables_.vtep_key(ip(address)), next));
}

void Gateway::collide_vtep(std::uint16_t vtep, std::string_view address) {
  must(tables_.vtep_by_address.set(tables_.vtep_key(ip(address)), vtep, epoch_.current() + 1));
}

}  // namespace test
