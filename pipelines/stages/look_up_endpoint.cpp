// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/look_up_endpoint.hpp"

#include "dataplane/packet/start.hpp"
#include "dataplane/pipeline/judge.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace dp {
namespace {

// endpoint_key() of its destination.
std::uint64_t key_of(Packet packet) noexcept {
  const std::uint64_t start = base::swap_bytes(first_bytes(packet.mbuf()));
  return std::uint64_t{packet.meta().network.value} << 48 | start >> 16;
}

bool is_remote(std::uint32_t value) noexcept {
  return value != ExactMatch::no_value &&
         EndpointValue::decode(value).place == contract::EndpointPlace::vtep;
}

// Whether all go to one MAC of one network, on a port that maps no VLANs. Mixed traffic shows at
// its second frame.
template <CameFrom came_from>
bool go_to_one(Batch& batch) noexcept {
  if constexpr (came_from == CameFrom::tenant) return batch.has_one_destination();
  const std::uint64_t first = first_bytes(batch.mbuf(0));
  const NetworkId network = batch.meta(0).network;
  for (std::uint16_t i = 1; i < batch.size(); ++i) {
    const bool same = same_destination(first_bytes(batch.mbuf(i)) ^ first);
    if (!same || batch.meta(i).network != network) return false;
  }
  return true;
}

}  // namespace

template <CameFrom came_from>
void LookUpEndpoint<came_from>::process(Batch& batch, Exits& exits, std::uint16_t stage) noexcept {
  const base::Generation generation = environment_.generation;
  // Frames of a port that maps VLANs come from several ports, one of which may be the target.
  if (environment_.in_port->maps_vlans == 0 && go_to_one<came_from>(batch)) {
    // One message of RDMA fills a burst: all its packets go to one endpoint, by one lookup.
    const Target target =
        resolve(batch[0], environment_.tables.endpoints.lookup(key_of(batch[0]), generation));
    if (send_all_to(batch, target)) return;
    judge(batch, exits, stage,
          [&](std::size_t, Packet packet) noexcept { return settle(packet, target, batch); });
    return;
  }
  std::array<std::uint64_t, burst_max> keys;
  for (std::size_t i = 0; i < batch.size(); ++i) keys[i] = key_of(batch[i]);
  std::array<std::uint32_t, burst_max> values;
  environment_.tables.endpoints.lookup_bulk(keys.data(), batch.size(), generation, values.data());
  if (send_each(batch, values.data())) return;
  judge(batch, exits, stage, [&](std::size_t i, Packet packet) noexcept {
    return settle(packet, resolve(packet, values[i]), batch);
  });
}

template <CameFrom came_from>
auto LookUpEndpoint<came_from>::resolve(Packet packet, std::uint32_t value) const noexcept
    -> Target {
  if (value == ExactMatch::no_value) [[unlikely]]  // Programmed ahead of traffic.
    return resolve_unknown(packet);
  const EndpointValue endpoint = EndpointValue::decode(value);
  if (endpoint.place == contract::EndpointPlace::port) {
    return resolve_local(packet.meta(), PortId{endpoint.target});
  }
  // What came through a tunnel never goes back into one: no loops between gateways.
  if constexpr (came_from == CameFrom::wire) return {.verdict = DropReason::split_horizon};
  return {.vtep = VtepId{endpoint.target}};
}

template <CameFrom came_from>
auto LookUpEndpoint<came_from>::resolve_unknown(Packet packet) const noexcept -> Target {
  if (!packet.header<EthernetHeader>(0).destination.is_group()) {
    const NetworkRecord* network =
        environment_.tables.networks.find(packet.meta().network.value, environment_.generation);
    if (network == nullptr || !network->flood_unknown_unicast) {
      return {.verdict = DropReason::unknown_destination};
    }
  }
  return {.flood = true};
}

template <CameFrom came_from>
auto LookUpEndpoint<came_from>::resolve_local(const PacketMeta& meta, PortId port) const noexcept
    -> Target {
  if (came_from == CameFrom::tenant && port == meta.in_port) {
    return {.verdict = DropReason::destination_is_ingress_port};
  }
  // Tenant isolation does not rest on the endpoint's word alone: the port itself must be in the
  // network.
  const PortRecord* record = environment_.tables.ports.find(port.value, environment_.generation);
  if (record == nullptr || !record->is_in(meta.network)) {
    return {.verdict = DropReason::endpoint_target_missing};
  }
  return {.port = port, .frame_bytes_max = record->frame_bytes_max()};
}

// Where there is nothing to be said of single packets; true if so.
template <CameFrom came_from>
bool LookUpEndpoint<came_from>::send_all_to(Batch& batch, const Target& target) noexcept {
  const bool counts = came_from == CameFrom::tenant && target.port != base::no_port;
  if (target.verdict != keep || target.flood || counts) return false;
  const std::uint64_t way = PacketMeta::way(0, target.vtep, target.port);
  const std::uint16_t count = batch.size();
  for (std::uint16_t i = 0; i < count; ++i) batch.meta(i).set_way(way);
  if (target.vtep != base::no_vtep) {
    batch.note_one_vtep();
    return true;
  }
  std::uint32_t longest = 0;
  for (std::uint16_t i = 0; i < batch.size(); ++i) {
    longest = std::max(longest, batch.mbuf(i)->pkt_len);
  }
  return longest <= target.frame_bytes_max;
}

// Where all leave to remote VTEPs, or on by one port, as mostly; true if so.
template <CameFrom came_from>
bool LookUpEndpoint<came_from>::send_each(Batch& batch, const std::uint32_t* values) noexcept {
  const std::uint16_t count = batch.size();
  if constexpr (came_from == CameFrom::tenant) {
    bool all_remote = true, one_vtep = environment_.in_port->maps_vlans == 0;
    for (std::uint16_t i = 0; i < count; ++i) {
      all_remote &= is_remote(values[i]);
      one_vtep &= values[i] == values[0];
    }
    if (!all_remote) return false;
    if (one_vtep) return send_all_to(batch, resolve(batch[0], values[0]));
    for (std::uint16_t i = 0; i < count; ++i) {
      const VtepId vtep{EndpointValue::decode(values[i]).target};
      // The stages behind this one wait for them otherwise: 5 cycles a packet of 1,000 VTEPs.
      environment_.tables.vteps.prefetch(vtep.value);
      __builtin_prefetch(&environment_.counters.vteps[vtep.value], 1);
      batch.meta(i).set_way(PacketMeta::way(0, vtep, base::no_port));
    }
    return true;
  } else {
    bool alike = values[0] != ExactMatch::no_value;
    for (std::uint16_t i = 1; i < count; ++i) {
      alike &= values[i] == values[0] && batch.meta(i).network == batch.meta(0).network;
    }
    if (!alike) return false;
    const Target target = resolve(batch[0], values[0]);
    return send_all_to(batch, target);
  }
}

template <CameFrom came_from>
Verdict LookUpEndpoint<came_from>::settle(Packet packet, const Target& target,
                                          Batch& batch) const noexcept {
  if (target.verdict != keep) return target.verdict;
  const std::uint32_t bytes = packet.length();
  if (bytes > target.frame_bytes_max) return DropReason::mtu_exceeded;
  PacketMeta& meta = packet.meta();
  send_to(meta, target);
  if (target.flood) [[unlikely]] {
    meta.flood = true;
    batch.note_flood();
  }
  if (came_from == CameFrom::tenant && target.port != base::no_port) {
    contract::NetworkCounters& network = environment_.counters.networks[meta.network.value];
    contract::add(network.local_packets, 1);
    contract::add(network.local_bytes, bytes);
  }
  return keep;
}

template class LookUpEndpoint<CameFrom::tenant>;
template class LookUpEndpoint<CameFrom::wire>;

}  // namespace dp
