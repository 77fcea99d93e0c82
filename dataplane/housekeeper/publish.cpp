// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/publish.hpp"

#include "dataplane/base/clock.hpp"

#include <string>

namespace dp {

using contract::set;

Publisher::Publisher(CounterRegion& region, const Tables& tables, const Model& model,
                     const Ports& ports, const NextHops& next_hops, rte_mempool& pool,
                     const Facts& facts)
    : region_(region),
      tables_(tables),
      model_(model),
      ports_(ports),
      next_hops_(next_hops),
      pool_(pool) {
  contract::GlobalState& global = region_.global();
  set(global.boot_id, facts.boot_id);
  set(global.started_ns, base::monotonic_ns());
  set(global.tsc_hz, facts.tsc_hz);
  set(global.hugepages, facts.hugepages ? 1 : 0);
  set(global.mbufs_capacity, pool.size);
  // Number 0 of networks and VTEPs is never used.
  set(global.networks_capacity, tables.networks.count() - 1);
  set(global.vteps_capacity, tables.vteps.count() - 1);
  set(global.endpoints_capacity, tables.endpoints.capacity());
  set(global.ports_capacity, tables.ports.count());
  set(global.next_hops_capacity, tables.next_hops.count());
  worker_places(facts.worker_places);
  publish_all();
}

namespace {

std::uint64_t number_or_nowhere(int number) noexcept {
  return number < 0 ? contract::nowhere : static_cast<std::uint64_t>(number);
}

}  // namespace

void Publisher::worker_places(std::span<const WorkerPlace> places) noexcept {
  const auto published = region_.worker_places();
  for (std::size_t i = 0; i < published.size(); ++i) {
    const WorkerPlace place = i < places.size() ? places[i] : WorkerPlace{};
    set(published[i].core, number_or_nowhere(place.core));
    set(published[i].socket, number_or_nowhere(place.socket));
  }
}

void Publisher::heartbeat() noexcept {
  set(region_.global().heartbeat_ns, base::monotonic_ns());
}

void Publisher::controller(bool connected) noexcept {
  set(region_.global().controller_connected, connected ? 1 : 0);
}

void Publisher::commit(base::Generation generation, bool refused) noexcept {
  contract::GlobalState& global = region_.global();
  set(global.generation, generation);
  contract::add(refused ? global.commits_refused : global.commits, 1);
}

void Publisher::traces_lost(std::uint64_t total) noexcept {
  set(region_.global().traces_lost, total);
}

void Publisher::adopted(std::uint32_t endpoints) noexcept {
  set(region_.global().endpoints_adopted, endpoints);
}

void Publisher::table_file(std::uint64_t bytes) noexcept {
  set(region_.global().table_file_bytes, bytes);
}

void Publisher::neighbours(const NeighbourCounters& counters, std::uint64_t unsent) noexcept {
  contract::GlobalState& global = region_.global();
  std::uint64_t faults = 0;
  for (const std::uint64_t one : counters.faults) faults += one;
  set(global.neighbour_messages, counters.received);
  set(global.neighbour_faults, faults);
  set(global.neighbour_questions, counters.solicitations_sent);
  set(global.neighbour_answers, counters.advertisements_sent);
  set(global.neighbour_limited, counters.answers_limited + counters.claims_limited);
  set(global.neighbour_moves, counters.moves);
  set(global.neighbour_losses, counters.losses);
  set(global.neighbour_conflicts, counters.conflicts);
  set(global.neighbour_duplicates, counters.duplicates);
  set(global.neighbour_unsent, unsent);
}

void Publisher::publish_all() {
  contract::GlobalState& global = region_.global();
  set(global.mbufs_in_use, rte_mempool_in_use_count(&pool_));
  set(global.networks_used, model_.networks_used());
  set(global.vteps_used, model_.vteps_used());
  set(global.endpoints_used, tables_.endpoints.size());
  set(global.ports_used, model_.ports_used());
  set(global.next_hops_used, model_.next_hops_used());
  for (std::uint32_t id = 0; id < model_.port_slots(); ++id) publish_port(id);
  publish_next_hops();
}

void Publisher::publish_next_hops() {
  const std::vector<NextHops::Entry>& entries = next_hops_.entries();
  for (std::size_t id = 0; id < entries.size(); ++id) {
    const NextHops::Entry& entry = entries[id];
    contract::NextHopState& state = region_.next_hops()[id];
    set(state.present, entry.present ? 1 : 0);
    set(state.usable, entry.usable ? 1 : 0);
    set(state.resolved, entry.resolved ? 1 : 0);
    set(state.link_up, entry.link_up ? 1 : 0);
    set(state.changes, entry.changes);
    // As with names of ports: a reader may see a part of it, once.
    const auto mac = contract::to_text<sizeof state.mac>(
        entry.resolved ? std::string_view(base::to_string(entry.mac)) : std::string_view());
    if (state.mac != mac) state.mac = mac;
  }
}

void Publisher::change_device(std::uint32_t id, std::uint64_t device_number) noexcept {
  if (devices_[id] == device_number) return;
  devices_[id] = device_number;
  // Counters of a port number only grow, whatever devices it has had.
  for (std::size_t reason = 0; reason < drops_base_[id].size(); ++reason) {
    drops_base_[id][reason] += drops_last_[id][reason];
  }
  drops_last_[id] = {};
  links_[id] = {};
}

// A VLAN of another port: the device's state is its parent's, counters are its own.
void Publisher::publish_vlan(std::uint32_t id) {
  contract::PortState& state = region_.ports()[id];
  const PortConfig& port = model_.port(id).record;
  const Ports::Seen* parent = ports_.seen(device_port(port, id));
  set(state.present, parent != nullptr ? 1 : 0);
  set(state.link_up, parent != nullptr && parent->observation.link.up ? 1 : 0);
  if (parent == nullptr) return;
  set(state.link_speed_mbps, parent->observation.link.speed_mbps);
  set(state.socket, number_or_nowhere(parent->facts.socket));
  for (std::uint64_t* count :
       {&state.rx_queues, &state.tx_queues, &state.rx_descriptors, &state.tx_descriptors}) {
    set(*count, 0);
  }
  set(state.mtu, port.set.mtu != 0 ? port.set.mtu : parent->facts.mtu);
  if (state.name != port.add.name) state.name = port.add.name;
  std::string tags = "vlan " + std::to_string(port.set.vlan);
  if (port.set.inner_vlan != 0) tags += "." + std::to_string(port.set.inner_vlan);
  const auto driver = contract::to_text<contract::name_bytes>(tags);
  if (state.driver != driver) state.driver = driver;
}

void Publisher::publish_port(std::uint32_t id) {
  if (model_.port(id).present && model_.port(id).record.set.parent != 0) return publish_vlan(id);
  contract::PortState& state = region_.ports()[id];
  const Ports::Seen* seen = ports_.seen(id);
  change_device(id, seen != nullptr ? seen->device_number : 0);
  set(state.present, seen != nullptr ? 1 : 0);
  if (seen == nullptr) {
    set(state.link_up, 0);
    set(state.interface_gone, 0);
    return;
  }

  const auto& port = model_.port(id);
  const LinkState& link = seen->observation.link;
  set(state.link_up, link.up ? 1 : 0);
  set(state.interface_gone, link.gone ? 1 : 0);
  set(state.link_speed_mbps, link.speed_mbps);
  set(state.socket, number_or_nowhere(seen->facts.socket));
  set(state.rx_queues, seen->facts.rx_queues);
  set(state.tx_queues, seen->facts.tx_queues);
  set(state.rx_descriptors, seen->facts.rx_descriptors);
  set(state.tx_descriptors, seen->facts.tx_descriptors);
  set(state.mtu, port.record.set.mtu != 0 ? port.record.set.mtu : seen->facts.mtu);
  // Whoever reads a name while it is written sees a part of it: once, when a port comes.
  if (port.present && state.name != port.record.add.name) state.name = port.record.add.name;
  if (state.driver != seen->facts.driver) state.driver = seen->facts.driver;

  drops_last_[id] = seen->observation.drops;
  for (std::size_t reason = 0; reason < drops_last_[id].size(); ++reason) {
    set(state.device_drops[reason], drops_base_[id][reason] + drops_last_[id][reason]);
  }
}

std::vector<contract::LinkChange> Publisher::changed_links() {
  std::vector<contract::LinkChange> changes;
  for (std::uint32_t id = 0; id < model_.port_slots(); ++id) {
    const Ports::Seen* seen = ports_.seen(id);
    if (seen == nullptr) continue;
    const bool is_new = seen->device_number != devices_[id];
    const LinkState& link = seen->observation.link;
    if (!is_new && link == links_[id]) continue;
    publish_port(id);
    links_[id] = link;
    changes.push_back({.port = base::PortId{static_cast<std::uint16_t>(id)},
                       .up = link.up ? std::uint8_t{1} : std::uint8_t{0},
                       .gone = link.gone ? std::uint8_t{1} : std::uint8_t{0},
                       .speed_mbps = link.speed_mbps});
  }
  return changes;
}

}  // namespace dp
