// SPDX-License-Identifier: Apache-2.0
#include "controlplane/plan/plan.hpp"

#include "controlplane/intent/merge.hpp"
#include "controlplane/intent/validate.hpp"
#include "controlplane/plan/records.hpp"

#include <cstring>
#include <unordered_set>

namespace cp {
namespace {

// Their bytes are their values.
template <contract::Record T>
bool same(const T& left, const T& right) noexcept {
  return std::memcmp(&left, &right, sizeof(T)) == 0;
}

class Planner {
 public:
  Planner(const Allocation& allocation, const Intent& applied, const Intent& wanted)
      : allocation_(allocation),
        applied_(applied),
        wanted_(wanted),
        before_(applied, allocation),
        after_(wanted, allocation) {}

  // By the digests in which their records count.
  Plan run(contract::TableSet tables) {
    if (contract::has(tables, contract::Table::ports)) {
      plan_ports();
      plan_host_rules();
      plan_queues();
    }
    if (contract::has(tables, contract::Table::vteps)) {
      plan_next_hops();
      plan_vteps();
    }
    if (contract::has(tables, contract::Table::networks)) plan_networks();
    if (contract::has(tables, contract::Table::endpoints)) plan_endpoints();
    return std::move(plan_);
  }

 private:
  void plan_ports() {
    const Merge<Port> ports(applied_.ports, wanted_.ports);
    ports.for_each([this](const Port* before, const Port* after) {
      const bool is_same_device = before != nullptr && after != nullptr &&
                                  same(before_.port_add(*before), after_.port_add(*after));
      if (before != nullptr && !is_same_device) {
        plan_.port_removes.push_back({.port = allocation_.port(before->name.view())});
      }
      if (after == nullptr) return;
      if (!is_same_device) plan_.port_adds.push_back(after_.port_add(*after));
      const contract::PortSet set = after_.port_set(*after);
      if (!is_same_device || !same(before_.port_set(*before), set)) plan_.port_sets.push_back(set);
    });
  }

  void plan_next_hops() {
    const Merge<NextHop> next_hops(applied_.next_hops, wanted_.next_hops);
    next_hops.for_each([this](const NextHop* before, const NextHop* after) {
      if (after == nullptr) {
        plan_.next_hop_removes.push_back({.next_hop = allocation_.next_hop(before->name.view())});
        return;
      }
      const contract::NextHopSet set = after_.next_hop_set(*after);
      if (before != nullptr && same(before_.next_hop_set(*before), set)) return;
      plan_.next_hop_sets.push_back(set);
    });
    // VTEPs that are their own; they have a number while they are.
    const Merge<Vtep> vteps(applied_.vteps, wanted_.vteps);
    vteps.for_each([this](const Vtep* before, const Vtep* after) {
      const bool was = before != nullptr && is_own_next_hop(*before);
      const bool is = after != nullptr && is_own_next_hop(*after);
      if (was && !is) {
        plan_.next_hop_removes.push_back({.next_hop = allocation_.next_hop_of(*before)});
      }
      if (!is) return;
      const contract::NextHopSet set = after_.next_hop_set(*after);
      if (was && same(before_.next_hop_set(*before), set)) return;
      plan_.next_hop_sets.push_back(set);
    });
  }

  void plan_vteps() {
    // An address that moves between VTEPs which both stay: the one that has it gives it up first.
    std::unordered_set<std::string_view> taken;
    const auto key = [](const base::IpAddress& address) {
      return std::string_view(reinterpret_cast<const char*>(address.v6.bytes.data()),
                              address.v6.bytes.size());
    };
    for (const Vtep& vtep : wanted_.vteps) taken.insert(key(vtep.address));

    std::vector<contract::VtepSet> remote;
    const Merge<Vtep> vteps(applied_.vteps, wanted_.vteps);
    vteps.for_each([&](const Vtep* before, const Vtep* after) {
      const bool gives_up = before != nullptr && after != nullptr &&
                            before->address != after->address &&
                            taken.contains(key(before->address));
      if (before != nullptr && (after == nullptr || gives_up)) {
        plan_.vtep_removes.push_back({.vtep = allocation_.vtep(before->name.view())});
      }
      if (after == nullptr) return;
      const contract::VtepSet set = after_.vtep_set(*after);
      if (before != nullptr && same(before_.vtep_set(*before), set)) return;
      (after->kind == VtepKind::local ? plan_.vtep_sets : remote).push_back(set);
    });
    plan_.vtep_sets.insert(plan_.vtep_sets.end(), remote.begin(), remote.end());
  }

  void plan_networks() {
    // As with addresses: a VNI that moves is given up first.
    std::unordered_set<std::uint32_t> taken;
    for (const Network& network : wanted_.networks) taken.insert(network.vni);

    const Merge<Network> networks(applied_.networks, wanted_.networks);
    networks.for_each([&](const Network* before, const Network* after) {
      const bool gives_up = before != nullptr && after != nullptr && before->vni != after->vni &&
                            taken.contains(before->vni);
      if (before != nullptr && (after == nullptr || gives_up)) {
        plan_.network_removes.push_back({.network = allocation_.network(before->name.view())});
      }
      if (after == nullptr) return;
      const contract::NetworkSet set = after_.network_set(*after);
      if (before != nullptr && same(before_.network_set(*before), set)) return;
      plan_.network_sets.push_back(set);
    });
  }

  // Names have the same numbers in both intents, so that equal endpoints are equal records. Those
  // that differ may do so in what the data plane does not know: their owner.
  void plan_endpoints() {
    const Merge<Endpoint> endpoints(applied_.endpoints, wanted_.endpoints);
    endpoints.for_each_change([this](const Endpoint* before, const Endpoint* after) {
      if (after == nullptr) {
        plan_.endpoint_removes.push_back(
            {.network = allocation_.network(before->network.view()), .mac = before->mac});
        return;
      }
      const contract::EndpointSet set = after_.endpoint_set(*after);
      if (before != nullptr && same(before_.endpoint_set(*before), set)) return;
      plan_.endpoint_sets.push_back(set);
    });
  }

  void plan_host_rules() {
    const Merge<HostRule> rules(applied_.host_rules, wanted_.host_rules);
    rules.for_each([this](const HostRule* before, const HostRule* after) {
      if (after == nullptr) {
        plan_.host_rule_removes.push_back(
            {.host_class = Records::host_rule_set(*before).host_class});
      } else if (before == nullptr || *before != *after) {
        const contract::HostRuleSet set = Records::host_rule_set(*after);
        if (before != nullptr && same(Records::host_rule_set(*before), set)) return;
        plan_.host_rule_sets.push_back(set);
      }
    });
  }

  // Those of a port that is removed and added again stay in the data plane, as endpoints do.
  void plan_queues() {
    const Merge<Queue> queues(applied_.queues, wanted_.queues);
    queues.for_each([this](const Queue* before, const Queue* after) {
      if (after == nullptr) {
        plan_.queue_removes.push_back({.port = allocation_.port(before->port.view()),
                                       .traffic_class = before->traffic_class,
                                       .reserved = 0});
        return;
      }
      const contract::QueueSet set = after_.queue_set(*after);
      if (before == nullptr || !same(before_.queue_set(*before), set)) {
        plan_.queue_sets.push_back(set);
      }
    });
  }

  const Allocation& allocation_;
  const Intent& applied_;
  const Intent& wanted_;
  Records before_;
  Records after_;
  Plan plan_;
};

}  // namespace

std::size_t Plan::record_count() const noexcept {
  std::size_t count = 0;
  for_each_group([&count](contract::Verb, const auto& records) { count += records.size(); });
  return count;
}

Plan make_plan(const Allocation& allocation, const Intent& applied, const Intent& wanted) {
  return Planner(allocation, applied, wanted).run(contract::all_tables);
}

Plan plan_all(const Allocation& allocation, const Intent& wanted, contract::TableSet tables) {
  return Planner(allocation, Intent{}, wanted).run(tables);
}

}  // namespace cp
