// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/validate.hpp"

#include "controlplane/intent/judge.hpp"

namespace cp {

std::vector<Finding> Judge::run() {
  count_all();
  index_names(intent_.ports, ports_);
  index_names(intent_.vteps, vteps_);
  index_names(intent_.networks, networks_);
  index_names(intent_.next_hops, next_hops_);
  index_names(intent_.host_rules, host_rules_);
  judge_list<Port>(intent_.ports);
  judge_devices();
  judge_vlans();
  judge_twins();
  judge_own_addresses();
  judge_list<NextHop>(intent_.next_hops);
  judge_list<Vtep>(intent_.vteps);
  judge_addresses();
  judge_list<Network>(intent_.networks);
  judge_vnis();
  judge_endpoints();
  judge_list<HostRule>(intent_.host_rules);
  judge_list<Queue>(intent_.queues);
  judge_queue_keys();
  judge_sharing();
  return std::move(findings_);
}

std::string room_hint(ObjectKind kind) {
  if (kind == ObjectKind::port) return {};
  return " (its option --" + std::string(noun(kind)) + "s)";
}

void Judge::count_all() {
  count_list<Port>(intent_.ports, limits_.ports);
  count_list<Vtep>(intent_.vteps, limits_.vteps);
  count_list<Network>(intent_.networks, limits_.networks);
  count_list<Endpoint>(intent_.endpoints, limits_.endpoints);
  count_list<NextHop>(intent_.next_hops, limits_.next_hops);
  count_own_next_hops();
}

// VTEPs that are their own next hops take the same room as those that have names.
void Judge::count_own_next_hops() {
  std::size_t count = intent_.next_hops.size();
  if (count > limits_.next_hops) return;  // Reported.
  for (const Vtep& vtep : intent_.vteps) {
    if (!is_own_next_hop(vtep) || ++count <= limits_.next_hops) continue;
    report(vtep, {},
           "its next hop is one too many: the data plane has room for " +
               std::to_string(limits_.next_hops) + room_hint(ObjectKind::next_hop),
           {}, base::Errc::table_full);
    return;
  }
}

template <class T>
void Judge::count_list(const ListOf<T>& list, std::uint32_t limit) {
  if (list.size() <= limit) return;
  const std::string kinds(plural(kind_of_type<T>));
  report(list[limit], {},
         std::to_string(list.size()) + " " + kinds + ", but the data plane has room for " +
             std::to_string(limit) + room_hint(kind_of_type<T>),
         {}, base::Errc::table_full);
}

template <class T>
void Judge::index_names(const std::vector<T>& list, ByName<T>& by_name) {
  by_name.reserve(list.size());
  for (const T& object : list) {
    if (object.name.empty()) continue;  // Reported as missing.
    if (!by_name.emplace(object.name.view(), &object).second) {
      report(object, "name",
             "there are two " + std::string(plural(kind_of_type<T>)) + " of this name", {},
             base::Errc::already_exists);
    }
  }
}

template <class T>
void Judge::judge_list(const ListOf<T>& list) {
  for (const T& object : list) {
    if (full()) return;
    judge(object);
  }
}

std::vector<Finding> find_faults(const Intent& intent, const Limits& limits, const Intent* known) {
  return Judge(intent, limits, known).run();
}

Status validate(const Intent& intent, const Limits& limits) {
  std::vector<Finding> findings = find_faults(intent, limits);
  if (findings.empty()) return {};
  Errors errors;
  for (Finding& finding : findings) errors.push_back(std::move(finding.error));
  return std::unexpected(std::move(errors));
}

bool may_be_source(const Vtep& remote, const Vtep& local, const std::vector<Name>& ports) noexcept {
  if (local.kind != VtepKind::local || local.address.is_v4() != remote.address.is_v4()) {
    return false;
  }
  return local.port.empty() || std::all_of(ports.begin(), ports.end(),
                                           [&](const Name& port) { return port == local.port; });
}

bool same_link(const LinkAddress& own, const base::IpAddress& address) noexcept {
  if (own.address.is_v4() != address.is_v4()) return false;
  const int bits = own.prefix_length + (address.is_v4() ? 96 : 0);
  for (int i = 0; i < bits; ++i) {
    const int difference = own.address.v6.bytes[i / 8] ^ address.v6.bytes[i / 8];
    if ((difference >> (7 - i % 8) & 1) != 0) return false;
  }
  return true;
}

std::vector<const Port*> links_of(const Intent& intent, const Vtep& vtep) {
  std::vector<const Port*> links;
  std::uint8_t longest = 0;
  for (const Port& port : intent.ports) {
    if (port.role != PortRole::underlay) continue;
    if (!vtep.port.empty() && port.name != vtep.port) continue;
    for (const LinkAddress& own : port.addresses) {
      if (own.prefix_length < longest || own.address == vtep.address) continue;
      if (!same_link(own, vtep.address)) continue;
      if (own.prefix_length > longest) links.clear();
      longest = own.prefix_length;
      if (links.empty() || links.back() != &port) links.push_back(&port);
    }
  }
  return links;
}

}  // namespace cp
