// SPDX-License-Identifier: Apache-2.0
#include "controlplane/plan/allocation.hpp"

#include "controlplane/intent/validate.hpp"
#include "dataplane/base/check.hpp"
#include "dataplane/contract/limits.hpp"

#include <algorithm>

namespace cp {
namespace {

std::uint16_t last_port(const Limits& limits) noexcept {
  const auto most = static_cast<std::uint32_t>(contract::port_count_max);
  return static_cast<std::uint16_t>(std::clamp(limits.ports, 1u, most) - 1);  // Ports begin at 0.
}

std::uint16_t last_vtep(const Limits& limits) noexcept {
  const auto most = static_cast<std::uint32_t>(contract::vtep_count_max);
  return static_cast<std::uint16_t>(std::min(limits.vteps, most));
}

std::uint16_t last_network(const Limits& limits) noexcept {
  const auto most = static_cast<std::uint32_t>(contract::network_count_max);
  return static_cast<std::uint16_t>(std::min(limits.networks, most));
}

std::uint16_t last_next_hop(const Limits& limits) noexcept {
  const auto most = static_cast<std::uint32_t>(contract::next_hop_count_max);
  return static_cast<std::uint16_t>(std::min(limits.next_hops, most));
}

// What a remote VTEP that is its own next hop is called among the next hops; no name has a slash.
constexpr std::string_view own_next_hop_prefix = "vtep/";

std::string own_next_hop_name(const Vtep& vtep) {
  return std::string(own_next_hop_prefix) + std::string(vtep.name.view());
}

bool has_next_hop(const Intent& intent, std::string_view name) {
  if (!name.starts_with(own_next_hop_prefix)) return find_next_hop(intent, name) != nullptr;
  const Vtep* vtep = find_vtep(intent, name.substr(own_next_hop_prefix.size()));
  return vtep != nullptr && is_own_next_hop(*vtep);
}

Error no_room(ObjectKind kind, std::string object) {
  std::string message = "the data plane has no room for more ";
  message.append(plural(kind)).append(room_hint(kind));
  return {.code = base::Errc::table_full,
          .message = std::move(message),
          .object = std::move(object),
          .field = {},
          .file = {},
          .place = {},
          .suggestion = {}};
}

template <class T>
Status take_list(Numbers& numbers, const std::vector<T>& list) {
  for (const T& object : list) {
    if (numbers.take(object.name.view())) continue;
    return fail(no_room(kind_of_type<T>, title_of(kind_of_type<T>, object.name.view())));
  }
  return {};
}

template <class Found>
void release_all_but(Numbers& numbers, Found found) {
  std::vector<std::string> unused;
  numbers.for_each([&](const std::string& name, std::uint16_t) {
    if (!found(name)) unused.push_back(name);
  });
  for (const std::string& name : unused) numbers.release(name);
}

bool release_beyond(Numbers& numbers, std::uint16_t last) {
  numbers.set_last(last);
  std::vector<std::string> beyond;
  numbers.for_each([&](const std::string& name, std::uint16_t number) {
    if (number > last) beyond.push_back(name);
  });
  for (const std::string& name : beyond) numbers.release(name);
  return !beyond.empty();
}

}  // namespace

std::optional<std::uint16_t> Numbers::take(std::string_view name) {
  if (const auto number = find(name)) return number;
  const std::uint32_t count = std::uint32_t{last_} - first_ + 1;
  for (std::uint32_t tried = 0; tried < count; ++tried, ++next_) {
    if (next_ > last_) next_ = first_;
    const auto number = static_cast<std::uint16_t>(next_);
    if (!name_of(number).empty()) continue;
    CHECK(restore(name, number));
    return number;
  }
  return std::nullopt;
}

bool Numbers::restore(std::string_view name, std::uint16_t number) {
  if (name.empty() || number < first_ || !name_of(number).empty()) return false;
  if (!by_name_.emplace(name, number).second) return false;
  if (names_.size() <= number) names_.resize(std::size_t{number} + 1);
  names_[number] = name;
  next_ = std::uint32_t{number} + 1;
  return true;
}

void Numbers::release(std::string_view name) noexcept {
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) return;
  names_[at->second].clear();
  by_name_.erase(at);
}

std::optional<std::uint16_t> Numbers::find(std::string_view name) const noexcept {
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) return std::nullopt;
  return at->second;
}

std::string_view Numbers::name_of(std::uint16_t number) const noexcept {
  if (number >= names_.size()) return {};
  return names_[number];
}

Allocation::Allocation(const Limits& limits) noexcept
    : ports(0, last_port(limits)),
      vteps(1, last_vtep(limits)),
      networks(1, last_network(limits)),
      next_hops(1, last_next_hop(limits)) {}

bool Allocation::fit(const Limits& limits) {
  const bool any_port = release_beyond(ports, last_port(limits));
  const bool any_vtep = release_beyond(vteps, last_vtep(limits));
  const bool any_network = release_beyond(networks, last_network(limits));
  const bool any_next_hop = release_beyond(next_hops, last_next_hop(limits));
  return any_port || any_vtep || any_network || any_next_hop;
}

const Numbers* Allocation::of(ObjectKind kind) const noexcept {
  switch (kind) {
    case ObjectKind::port: return &ports;
    case ObjectKind::vtep: return &vteps;
    case ObjectKind::network: return &networks;
    case ObjectKind::next_hop: return &next_hops;
    case ObjectKind::endpoint:
    case ObjectKind::host_rule:
    case ObjectKind::queue: return nullptr;
  }
  __builtin_unreachable();
}

Numbers* Allocation::of(ObjectKind kind) noexcept {
  return const_cast<Numbers*>(static_cast<const Allocation*>(this)->of(kind));
}

base::PortId Allocation::port(std::string_view name) const noexcept {
  const auto number = ports.find(name);
  return number ? base::PortId{*number} : base::no_port;
}

base::VtepId Allocation::vtep(std::string_view name) const noexcept {
  return base::VtepId{vteps.find(name).value_or(base::no_vtep.value)};
}

base::NetworkId Allocation::network(std::string_view name) const noexcept {
  return base::NetworkId{networks.find(name).value_or(base::no_network.value)};
}

base::NextHopId Allocation::next_hop(std::string_view name) const noexcept {
  return base::NextHopId{next_hops.find(name).value_or(base::no_next_hop.value)};
}

base::NextHopId Allocation::next_hop_of(const Vtep& vtep) const {
  return next_hop(own_next_hop_name(vtep));
}

Status Allocation::take_all(const Intent& intent) {
  if (auto taken = take_list(ports, intent.ports); !taken) return taken;
  if (auto taken = take_list(vteps, intent.vteps); !taken) return taken;
  if (auto taken = take_list(networks, intent.networks); !taken) return taken;
  if (auto taken = take_list(next_hops, intent.next_hops); !taken) return taken;
  for (const Vtep& vtep : intent.vteps) {
    if (!is_own_next_hop(vtep) || next_hops.take(own_next_hop_name(vtep))) continue;
    return fail(no_room(ObjectKind::next_hop, title_of(ObjectKind::vtep, vtep.name.view())));
  }
  return {};
}

void Allocation::release_unused(const Intent& intent) {
  release_all_but(ports, [&](const std::string& n) { return find_port(intent, n) != nullptr; });
  release_all_but(vteps, [&](const std::string& n) { return find_vtep(intent, n) != nullptr; });
  release_all_but(networks,
                  [&](const std::string& n) { return find_network(intent, n) != nullptr; });
  release_all_but(next_hops, [&](const std::string& n) { return has_next_hop(intent, n); });
}

}  // namespace cp
