// SPDX-License-Identifier: Apache-2.0
// From one intent to another: the commands that the data plane must be sent, as few as possible.
// Pure; who applies the plan wraps it in begin and commit.
//
// Removals come first. The data plane looks at references when it commits, but refuses a VNI, an
// address or a device that another object still has, so that what is given up must be given up
// before it is taken. Then ports, next hops, local VTEPs, remote VTEPs, networks, settings of
// ports, endpoints and queues: each refers only to those before it, but for a port's network,
// looked at on commit.
#pragma once

#include "controlplane/intent/model.hpp"
#include "controlplane/plan/allocation.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace cp {

// The records of each verb; the members stand in the order in which they are sent.
struct Plan {
  std::vector<contract::QueueRemove> queue_removes;
  std::vector<contract::EndpointRemove> endpoint_removes;
  std::vector<contract::NetworkRemove> network_removes;
  std::vector<contract::VtepRemove> vtep_removes;
  std::vector<contract::NextHopRemove> next_hop_removes;
  std::vector<contract::PortRemove> port_removes;
  std::vector<contract::PortAdd> port_adds;
  std::vector<contract::NextHopSet> next_hop_sets;
  std::vector<contract::VtepSet> vtep_sets;  // Local ones first.
  std::vector<contract::NetworkSet> network_sets;
  std::vector<contract::PortSet> port_sets;
  std::vector<contract::EndpointSet> endpoint_sets;
  std::vector<contract::HostRuleRemove> host_rule_removes;
  std::vector<contract::HostRuleSet> host_rule_sets;
  std::vector<contract::QueueSet> queue_sets;

  bool empty() const noexcept { return record_count() == 0; }
  std::size_t record_count() const noexcept;

  // Calls f(verb, records) for each verb that has any, in order.
  template <class F>
  void for_each_group(F&& f) const;
};

// Both intents are valid and sorted, and all their names have numbers (Allocation::take_all).
Plan make_plan(const Allocation& allocation, const Intent& applied, const Intent& wanted);

// Everything of these tables, for a data plane where they are empty, or replaced.
Plan plan_all(const Allocation& allocation, const Intent& wanted,
              contract::TableSet tables = contract::all_tables);

template <class F>
void Plan::for_each_group(F&& f) const {
  using contract::Verb;
  const auto call = [&f](Verb verb, const auto& records) {
    if (!records.empty()) f(verb, std::span(records));
  };
  call(Verb::queue_remove, queue_removes);
  call(Verb::endpoint_remove, endpoint_removes);
  call(Verb::network_remove, network_removes);
  call(Verb::vtep_remove, vtep_removes);
  call(Verb::next_hop_remove, next_hop_removes);
  call(Verb::port_remove, port_removes);
  call(Verb::port_add, port_adds);
  call(Verb::next_hop_set, next_hop_sets);
  call(Verb::vtep_set, vtep_sets);
  call(Verb::network_set, network_sets);
  call(Verb::port_set, port_sets);
  call(Verb::endpoint_set, endpoint_sets);
  call(Verb::host_rule_remove, host_rule_removes);
  call(Verb::host_rule_set, host_rule_sets);
  call(Verb::queue_set, queue_sets);
}

}  // namespace cp
