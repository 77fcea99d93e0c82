// SPDX-License-Identifier: Apache-2.0
// The configuration as the control plane told it: checks every record, keeps the contract's form of
// ports, next hops, networks and VTEPs, stages endpoints and keys in the tables at once, and can
// take the whole transaction back. Knows no socket and no device.
//
// One transaction: begin; set and remove…; sweep until it says false (where it replaces); check
// until it says false; then derive (derive.cpp); then keep or restore. What is staged in tables is
// aborted or settled by Transaction, which knows when the workers have passed.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"
#include "dataplane/table/tables.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace dp {

// One object and whether this transaction has touched it.
template <class Record>
struct ModelSlot {
  bool present = false;
  bool touched = false;
  Record record{};
};

struct PortConfig {
  contract::PortAdd add;
  contract::PortSet set;  // Role none until the first port_set.
  bool is_set = false;    // There was one, so it counts in the digest.
};

// False: a VLAN of another port.
bool has_device(const PortConfig& port) noexcept;
// Whose device it sends and receives by: its own, or its parent's.
std::uint32_t device_port(const PortConfig& port, std::uint32_t id) noexcept;
// Can the device stay open? All but these settings can change while it runs.
bool same_device_settings(const PortConfig& a, const PortConfig& b) noexcept;

class Model {
 public:
  // `tables` outlive this; their sizes are the capacities.
  explicit Model(Tables& tables);

  // `replaced`: of these, what is not set again goes.
  void begin(base::Generation next, contract::TableSet replaced);

  base::Status set(const contract::PortAdd& record);
  base::Status set(const contract::PortSet& record);
  base::Status set(const contract::NetworkSet& record);
  base::Status set(const contract::NextHopSet& record);
  base::Status set(const contract::VtepSet& record);
  base::Status set(const contract::EndpointSet& record);
  base::Status set(const contract::HostRuleSet& record);
  base::Status set(const contract::QueueSet& record);
  base::Status remove(const contract::PortRemove& record);
  base::Status remove(const contract::NetworkRemove& record);
  base::Status remove(const contract::NextHopRemove& record);
  base::Status remove(const contract::VtepRemove& record);
  base::Status remove(const contract::EndpointRemove& record);
  base::Status remove(const contract::HostRuleRemove& record);
  base::Status remove(const contract::QueueRemove& record);

  // What the endpoint table holds already, before the first transaction; false: of networks, VTEPs
  // or ports that there can never be.
  bool count_endpoints();
  void forget_endpoints();

  // Removes what was not set again of what is replaced; true: call again.
  bool sweep();
  // Do the references hold, seen from both ends? true: call again.
  base::Result<bool> check();

  // The transaction is in force, or never was.
  void keep();
  void restore();

  // What it has come to, the transaction under way included.
  const ModelSlot<PortConfig>& port(std::uint32_t id) const noexcept { return ports_[id]; }
  const ModelSlot<contract::NetworkSet>& network(std::uint32_t id) const noexcept {
    return networks_[id];
  }
  const ModelSlot<contract::VtepSet>& vtep(std::uint32_t id) const noexcept { return vteps_[id]; }
  const ModelSlot<contract::NextHopSet>& next_hop(std::uint32_t id) const noexcept {
    return next_hops_[id];
  }
  std::uint32_t next_hop_slots() const noexcept {
    return static_cast<std::uint32_t>(next_hops_.size());
  }
  const ModelSlot<contract::HostRuleSet>& host_rule(std::uint32_t id) const noexcept {
    return host_rules_[id];
  }
  // Those of a port, by traffic class.
  std::span<const ModelSlot<contract::QueueSet>, contract::traffic_class_count> queues(
      std::uint32_t port) const noexcept {
    return std::span(queues_)
        .subspan(port * contract::traffic_class_count)
        .first<contract::traffic_class_count>();
  }
  std::uint32_t port_slots() const noexcept { return static_cast<std::uint32_t>(ports_.size()); }
  std::uint32_t network_slots() const noexcept {
    return static_cast<std::uint32_t>(networks_.size());
  }
  std::uint32_t vtep_slots() const noexcept { return static_cast<std::uint32_t>(vteps_.size()); }
  std::uint32_t ports_used() const noexcept { return now_.ports; }
  std::uint32_t networks_used() const noexcept { return now_.networks; }
  std::uint32_t vteps_used() const noexcept { return now_.vteps; }
  std::uint32_t next_hops_used() const noexcept { return now_.next_hops; }

  // The port as it was before the transaction under way.
  const ModelSlot<PortConfig>& port_before(std::uint32_t id) const noexcept;
  // Ports, next hops, networks or VTEPs were touched, so records must be derived.
  bool objects_touched() const noexcept { return objects_touched_; }
  const contract::Digests& digests() const noexcept { return now_.digests; }
  // Of what is in force, while a transaction is under way too.
  const contract::Digests& digests_in_force() const noexcept { return before_.digests; }

 private:
  // How many endpoints are at a port, and in which networks: all are in network n exactly where
  // sum = count·n and squares = count·n², for then Σ(x-n)² is 0.
  struct PortEndpoints {
    std::uint64_t count = 0;
    std::uint64_t network_sum = 0;
    std::uint64_t network_squares = 0;
  };

  // What changes by counting; copied at begin, so that restore is a copy back.
  struct Counts {
    contract::Digests digests{};
    std::uint32_t ports = 0;
    std::uint32_t networks = 0;
    std::uint32_t vteps = 0;
    std::uint32_t next_hops = 0;
    std::array<PortEndpoints, contract::port_count_max> port_endpoints{};
    std::vector<std::uint32_t> network_endpoints;
    std::vector<std::uint32_t> vtep_endpoints;
  };

  template <class Record>
  struct Undo {
    std::uint32_t id;
    ModelSlot<Record> before;
  };

  // The slot, remembered as it was before this transaction.
  template <class Record>
  ModelSlot<Record>& touch(std::vector<ModelSlot<Record>>& slots, std::vector<Undo<Record>>& undo,
                           std::uint32_t id) {
    ModelSlot<Record>& slot = slots[id];
    if (!slot.touched) {
      undo.push_back({id, slot});
      slot.touched = true;
      objects_touched_ = true;
    }
    return slot;
  }
  template <class Record>
  static void restore(std::vector<ModelSlot<Record>>& slots, std::vector<Undo<Record>>& undo);
  template <class Record>
  static void keep(std::vector<ModelSlot<Record>>& slots, std::vector<Undo<Record>>& undo);

  bool port_exists(base::PortId id) const noexcept;
  bool network_exists(base::NetworkId id) const noexcept;
  bool vtep_exists(base::VtepId id) const noexcept;
  bool next_hop_exists(base::NextHopId id) const noexcept;
  bool is_underlay(base::PortId id) const noexcept;
  // In whose digest a record counts.
  template <class Record>
  static constexpr contract::Table table_of() noexcept {
    if constexpr (std::is_same_v<Record, contract::NetworkSet>) {
      return contract::Table::networks;
    } else if constexpr (std::is_same_v<Record, contract::VtepSet> ||
                         std::is_same_v<Record, contract::NextHopSet>) {
      return contract::Table::vteps;
    } else {
      return contract::Table::ports;
    }
  }
  // May a key that another object holds be taken over: will that object be swept?
  template <class Record>
  bool will_go(const ModelSlot<Record>& slot) const noexcept {
    return contract::has(replaced_, table_of<Record>()) && !slot.touched;
  }

  base::Status check_device(const contract::PortAdd& record) const;
  base::Status check_fields(const contract::VtepSet& record) const;
  base::Status check_paths(const contract::VtepSet& record) const;
  base::Status take_vni(const contract::NetworkSet& record);
  base::Status take_address(const contract::VtepSet& record);
  void release_vni(const contract::NetworkSet& record);
  void release_address(const contract::VtepSet& record);
  void remove_port(std::uint32_t id);
  void remove_network(std::uint32_t id);
  void remove_vtep(std::uint32_t id);
  void remove_next_hop(std::uint32_t id);
  void remove_host_rule(std::uint32_t id);
  void remove_queue(std::uint32_t id);
  void count_endpoint(std::uint64_t key, std::uint32_t value, bool added) noexcept;

  static base::Status check_rate(std::uint64_t rate, std::uint32_t burst);
  static base::Status check_vlan_fields(const contract::PortSet& record);
  base::Status check_ports() const;
  base::Status check_vlan(const PortConfig& port) const;
  base::Status check_peer(std::uint32_t id) const;
  base::Status check_queues(std::uint32_t port) const;
  base::Status check_network(std::uint32_t id) const;
  base::Status check_vtep(std::uint32_t id) const;
  base::Status check_paths_in_force(const contract::VtepSet& vtep) const;
  base::Status check_next_hop(std::uint32_t id) const;

  Tables& tables_;
  std::vector<ModelSlot<PortConfig>> ports_;
  std::vector<ModelSlot<contract::NetworkSet>> networks_;  // By id; 0 is never used.
  std::vector<ModelSlot<contract::VtepSet>> vteps_;
  std::vector<ModelSlot<contract::NextHopSet>> next_hops_;
  std::vector<ModelSlot<contract::HostRuleSet>> host_rules_;  // By HostClass.
  std::vector<ModelSlot<contract::QueueSet>> queues_;         // By port and traffic class.
  std::vector<Undo<PortConfig>> ports_undo_;
  std::vector<Undo<contract::NetworkSet>> networks_undo_;
  std::vector<Undo<contract::VtepSet>> vteps_undo_;
  std::vector<Undo<contract::NextHopSet>> next_hops_undo_;
  std::vector<Undo<contract::HostRuleSet>> host_rules_undo_;
  std::vector<Undo<contract::QueueSet>> queues_undo_;
  Counts now_;
  Counts before_;
  base::Generation next_ = 0;
  contract::TableSet replaced_ = 0;
  bool objects_touched_ = false;
  std::uint32_t cursor_ = 0;  // Of sweep() and check().
};

}  // namespace dp
