// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/look_up_endpoint.hpp"

#include "dataplane/packet/headers.hpp"
#include "dataplane/pipeline/judge.hpp"

#include <array>

namespace dp {

template <CameFrom came_from>
void LookUpEndpoint<came_from>::process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
  std::array<std::uint64_t, burst_max> keys;
  std::array<std::uint32_t, burst_max> values;
  keys[0] = 0;  // For the compiler's sake: a batch is never empty here.
  std::uint64_t differences = 0;
  for (std::uint16_t i = 0; i < batch.size(); ++i) {
    Packet packet = batch[i];
    keys[i] = endpoint_key(packet.meta().network, packet.header<EthernetHeader>(0).destination);
    differences |= keys[i] ^ keys[0];
  }
  if (differences == 0) {
    // One message of RDMA fills a burst: all its packets go to one endpoint, by one lookup.
    values.fill(environment_.tables.endpoints.lookup(keys[0], environment_.generation));
  } else {
    environment_.tables.endpoints.lookup_bulk(keys.data(), batch.size(), environment_.generation,
                                              values.data());
  }
  judge(batch, exits, stage, [&](std::uint16_t i, Packet packet) noexcept {
    if (values[i] == ExactMatch::no_value) [[unlikely]] {  // Programmed ahead of traffic.
      return settle_unknown(packet, batch);
    }
    return settle(packet, EndpointValue::decode(values[i]));
  });
}

template <CameFrom came_from>
Verdict LookUpEndpoint<came_from>::settle(Packet packet, EndpointValue endpoint) const noexcept {
  if (endpoint.place == contract::EndpointPlace::port) {
    return settle_local(packet, PortId{endpoint.target});
  }
  // What came through a tunnel never goes back into one: no loops between gateways.
  if constexpr (came_from == CameFrom::wire) return DropReason::split_horizon;
  packet.meta().vtep = VtepId{endpoint.target};
  return keep;
}

template <CameFrom came_from>
Verdict LookUpEndpoint<came_from>::settle_unknown(Packet packet, Batch& batch) const noexcept {
  if (!packet.header<EthernetHeader>(0).destination.is_group()) {
    const NetworkRecord* network =
        environment_.tables.networks.find(packet.meta().network.value, environment_.generation);
    if (network == nullptr || !network->flood_unknown_unicast) {
      return DropReason::unknown_destination;
    }
  }
  packet.meta().flood = true;
  batch.note_flood();
  return keep;
}

template <CameFrom came_from>
Verdict LookUpEndpoint<came_from>::settle_local(Packet packet, PortId port) const noexcept {
  PacketMeta& meta = packet.meta();
  if (came_from == CameFrom::tenant && port == meta.in_port) {
    return DropReason::destination_is_ingress_port;
  }
  // Tenant isolation does not rest on the endpoint's word alone: the port itself must be in the
  // network.
  const PortRecord* record = environment_.tables.ports.find(port.value, environment_.generation);
  if (record == nullptr || record->network != meta.network) {
    return DropReason::endpoint_target_missing;
  }
  if (!record->takes(packet.length())) return DropReason::mtu_exceeded;
  meta.out_port = port;
  if constexpr (came_from == CameFrom::tenant) {
    contract::NetworkCounters& network = environment_.counters.networks[meta.network.value];
    contract::add(network.local_packets, 1);
    contract::add(network.local_bytes, packet.length());
  }
  return keep;
}

template class LookUpEndpoint<CameFrom::tenant>;
template class LookUpEndpoint<CameFrom::wire>;

}  // namespace dp
