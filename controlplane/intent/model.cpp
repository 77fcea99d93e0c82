// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/model.hpp"

#include <algorithm>
#include <array>

namespace cp {
namespace {

constexpr std::array<std::string_view, object_kind_count> singulars = {
    "port", "vtep", "network", "endpoint", "next_hop", "host_rule", "queue"};
constexpr std::array<std::string_view, object_kind_count> plurals = {
    "ports", "vteps", "networks", "endpoints", "next_hops", "host_rules", "queues"};
constexpr std::array<std::string_view, object_kind_count> nouns = {
    "port", "vtep", "network", "endpoint", "next-hop", "host-rule", "queue"};

constexpr std::array<std::string_view, owner_count> owners = {"file", "command"};

template <class T>
const T* find_name(const std::vector<T>& list, std::string_view name) noexcept {
  const auto at = std::lower_bound(
      list.begin(), list.end(), name,
      [](const T& object, std::string_view wanted) { return object.name.view() < wanted; });
  return at != list.end() && at->name.view() == name ? &*at : nullptr;
}

template <class T>
std::optional<Object> copy_of(const T* object) {
  if (object == nullptr) return std::nullopt;
  return *object;
}

template <class T>
void sort_list(std::vector<T>& list) {
  const auto less = [](const T& left, const T& right) {
    return key_less(left, right);
  };
  // Files that we wrote are in order, and looking costs a tenth of sorting.
  if (!std::is_sorted(list.begin(), list.end(), less)) {
    std::stable_sort(list.begin(), list.end(), less);
  }
}
template <class T>
void sort_list(SharedList<T>& list) {
  list.sort();
}

}  // namespace

std::string_view name(Owner owner) noexcept {
  return owners[static_cast<std::size_t>(owner)];
}

std::optional<Owner> parse_owner(std::string_view word) noexcept {
  for (std::size_t i = 0; i < owners.size(); ++i) {
    if (word == owners[i]) return static_cast<Owner>(i);
  }
  return std::nullopt;
}

std::string_view singular(ObjectKind kind) noexcept {
  return singulars[static_cast<std::size_t>(kind)];
}

std::string with_article(ObjectKind kind) {
  return (kind == ObjectKind::endpoint ? "an " : "a ") + std::string(noun(kind));
}

std::string_view plural(ObjectKind kind) noexcept {
  return plurals[static_cast<std::size_t>(kind)];
}

std::string_view noun(ObjectKind kind) noexcept {
  return nouns[static_cast<std::size_t>(kind)];
}

std::vector<std::string_view> kind_nouns() {
  return {nouns.begin(), nouns.end()};
}

std::optional<ObjectKind> parse_kind(std::string_view word) noexcept {
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    if (word == singulars[i] || word == plurals[i] || word == nouns[i]) {
      return static_cast<ObjectKind>(i);
    }
  }
  return std::nullopt;
}

std::string key_of(const Port& port) {
  return std::string(port.name.view());
}
std::string key_of(const Vtep& vtep) {
  return std::string(vtep.name.view());
}
std::string key_of(const Network& network) {
  return std::string(network.name.view());
}
std::string key_of(const Endpoint& endpoint) {
  if (endpoint.network.empty() && endpoint.mac.is_zero()) return {};
  return std::string(endpoint.network.view()) + "/" + base::to_string(endpoint.mac);
}
std::string key_of(const NextHop& next_hop) {
  return std::string(next_hop.name.view());
}

std::string key_of(const HostRule& rule) {
  return std::string(rule.name.view());
}
std::string key_of(const Queue& queue) {
  if (queue.port.empty()) return {};
  return std::string(queue.port.view()) + "/" + std::to_string(queue.traffic_class);
}
std::string key_of(const Object& object) {
  return std::visit([](const auto& o) { return key_of(o); }, object);
}

std::string title_of(ObjectKind kind, std::string_view key) {
  std::string title(noun(kind));
  if (!key.empty()) title.append(" ").append(key);
  return title;
}
std::string title_of(const Object& object) {
  return title_of(kind_of(object), key_of(object));
}

std::optional<EndpointKey> parse_endpoint_key(std::string_view key) noexcept {
  const std::size_t slash = key.find('/');
  if (slash == key.npos || slash == 0) return std::nullopt;
  const auto mac = base::parse_mac(key.substr(slash + 1));
  if (!mac) return std::nullopt;
  return EndpointKey{.network = key.substr(0, slash), .mac = *mac};
}

std::optional<QueueKey> parse_queue_key(std::string_view key) noexcept {
  const std::size_t slash = key.find('/');
  if (slash == key.npos || slash == 0 || slash + 2 != key.size()) return std::nullopt;
  const char digit = key.back();
  if (digit < '0' || digit > '9') return std::nullopt;
  return QueueKey{.port = key.substr(0, slash),
                  .traffic_class = static_cast<std::uint8_t>(digit - '0')};
}

bool key_less(const Port& left, const Port& right) noexcept {
  return left.name < right.name;
}
bool key_less(const Vtep& left, const Vtep& right) noexcept {
  return left.name < right.name;
}
bool key_less(const Network& left, const Network& right) noexcept {
  return left.name < right.name;
}
bool key_less(const NextHop& left, const NextHop& right) noexcept {
  return left.name < right.name;
}
bool key_less(const Endpoint& left, const Endpoint& right) noexcept {
  const auto by_network = left.network <=> right.network;
  return by_network != 0 ? by_network < 0 : left.mac < right.mac;
}

bool key_less(const HostRule& left, const HostRule& right) noexcept {
  return left.name < right.name;
}

bool key_less(const Queue& left, const Queue& right) noexcept {
  const auto by_port = left.port <=> right.port;
  return by_port != 0 ? by_port < 0 : left.traffic_class < right.traffic_class;
}

void sort(Intent& intent) {
  sort_list(intent.ports);
  sort_list(intent.vteps);
  sort_list(intent.networks);
  sort_list(intent.endpoints);
  sort_list(intent.next_hops);
  sort_list(intent.host_rules);
  sort_list(intent.queues);
}

const Port* find_port(const Intent& intent, std::string_view name) noexcept {
  return find_name(intent.ports, name);
}

const Vtep* find_vtep(const Intent& intent, std::string_view name) noexcept {
  return find_name(intent.vteps, name);
}

const Network* find_network(const Intent& intent, std::string_view name) noexcept {
  return find_name(intent.networks, name);
}

const NextHop* find_next_hop(const Intent& intent, std::string_view name) noexcept {
  return find_name(intent.next_hops, name);
}

const Endpoint* find_endpoint(const Intent& intent, std::string_view network,
                              const base::MacAddress& mac) noexcept {
  // Most endpoints share the text of their network's own name, and are seen to be of it without a
  // look at that.
  const Network* known = find_network(intent, network);
  const auto by_network = [&](const Endpoint& endpoint) {
    if (known != nullptr && endpoint.network == known->name) return 0;
    return endpoint.network.view().compare(network);
  };
  const auto at = intent.endpoints.partition_point([&](const Endpoint& endpoint) {
    const int order = by_network(endpoint);
    return order != 0 ? order < 0 : endpoint.mac < mac;
  });
  const bool found = at != intent.endpoints.end() && by_network(*at) == 0 && at->mac == mac;
  return found ? &*at : nullptr;
}

const Queue* find_queue(const Intent& intent, std::string_view port,
                        std::uint8_t traffic_class) noexcept {
  const auto at = std::find_if(intent.queues.begin(), intent.queues.end(), [&](const Queue& queue) {
    return queue.port.view() == port && queue.traffic_class == traffic_class;
  });
  return at != intent.queues.end() ? &*at : nullptr;
}

bool has_queues(const Intent& intent, const Port& port) noexcept {
  return port.rate || std::any_of(intent.queues.begin(), intent.queues.end(),
                                  [&](const Queue& queue) { return queue.port == port.name; });
}

std::optional<Object> find(const Intent& intent, ObjectKind kind, std::string_view key) {
  switch (kind) {
    case ObjectKind::port: return copy_of(find_port(intent, key));
    case ObjectKind::vtep: return copy_of(find_vtep(intent, key));
    case ObjectKind::network: return copy_of(find_network(intent, key));
    case ObjectKind::endpoint: {
      const auto parts = parse_endpoint_key(key);
      if (!parts) return std::nullopt;
      return copy_of(find_endpoint(intent, parts->network, parts->mac));
    }
    case ObjectKind::next_hop: return copy_of(find_next_hop(intent, key));
    case ObjectKind::host_rule: return copy_of(find_name(intent.host_rules, key));
    case ObjectKind::queue: {
      const auto parts = parse_queue_key(key);
      if (!parts) return std::nullopt;
      return copy_of(find_queue(intent, parts->port, parts->traffic_class));
    }
  }
  __builtin_unreachable();
}

std::size_t count(const Intent& intent, ObjectKind kind) noexcept {
  return visit_kind(kind,
                    [&]<class T>(std::type_identity<T>) { return list_of<T>(intent).size(); });
}

}  // namespace cp
