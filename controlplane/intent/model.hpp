// SPDX-License-Identifier: Apache-2.0
// What the operator wants, as plain values. What a field means, its range and its example stand
// in describe.hpp, once; files, JSON, schemas and commands are all derived from there.
//
// A member that is std::optional or an empty Name was left out. Nothing here is checked beyond
// what the types hold; validate.hpp does the rest.
#pragma once

#include "controlplane/intent/name.hpp"
#include "controlplane/intent/shared_list.hpp"
#include "dataplane/base/address.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace cp {

enum class PortRole : std::uint8_t { underlay, tenant, transit, host };
enum class VtepKind : std::uint8_t { local, remote };
enum class UdpChecksum : std::uint8_t { zero, full };
enum class UnknownUnicast : std::uint8_t { flood, drop };
enum class NeighbourKeeper : std::uint8_t { weir, kernel };
enum class HostAction : std::uint8_t { to_host, drop };
enum class RoceTraffic : std::uint8_t { data, ack, cnp, cm };
enum class MarkPlace : std::uint8_t { outer, inner, both };
enum class NotEct : std::uint8_t { drop, pass };

// Who brought an object into the intent: whoever applies a whole replaces what is its own, and
// nothing else (plan/owners.hpp). The store keeps their words.
enum class Owner : std::uint8_t { file, command };
inline constexpr std::size_t owner_count = 2;

// The DSCP of an outer header: a constant, or the inner one (RFC 2983).
struct Dscp {
  std::optional<std::uint8_t> pinned;  // 0..63; absent: copied.

  friend bool operator==(const Dscp&, const Dscp&) = default;
};

// An address on a link, and how many of its bits all on that link share: "198.18.0.1/31".
struct LinkAddress {
  base::IpAddress address{};
  std::uint8_t prefix_length = 0;  // Of its own family: 1..32 or 1..128.

  friend bool operator==(const LinkAddress&, const LinkAddress&) = default;
};

// "10G", as on a link: K, M, G and T are powers of 1000.
struct Rate {
  std::uint64_t bits_per_second = 0;

  friend auto operator<=>(const Rate&, const Rate&) = default;
};

// "100K" is 100,000, as SONiC and the papers on DCQCN count; "64Ki" is 65,536.
struct ByteCount {
  std::uint64_t bytes = 0;

  friend auto operator<=>(const ByteCount&, const ByteCount&) = default;
};

// "5%", "0.2%".
struct Share {
  std::uint32_t millionths = 0;

  friend auto operator<=>(const Share&, const Share&) = default;
};

struct Port {
  Name name;
  PortRole role = PortRole::underlay;
  std::string device;
  Name network;
  Name peer;
  Name parent;
  std::optional<std::uint16_t> vlan;
  std::optional<std::uint16_t> inner_vlan;
  std::optional<std::uint16_t> mtu;
  std::vector<LinkAddress> addresses;
  std::optional<NeighbourKeeper> neighbours;
  std::optional<std::uint16_t> rx_queues;
  std::optional<std::uint16_t> rx_descriptors;
  std::optional<std::uint16_t> tx_descriptors;
  std::optional<Rate> rate;
  std::optional<ByteCount> burst;
  Owner owner = Owner::file;

  friend bool operator==(const Port&, const Port&) = default;
};

struct Vtep {
  Name name;
  VtepKind kind = VtepKind::remote;
  base::IpAddress address{};
  Name port;
  Name source;
  std::optional<base::MacAddress> next_hop_mac;
  std::vector<Name> next_hops;
  std::optional<Dscp> dscp;
  std::optional<std::uint8_t> ttl;
  std::optional<UdpChecksum> udp_checksum;
  Owner owner = Owner::file;

  friend bool operator==(const Vtep&, const Vtep&) = default;
};

struct Network {
  Name name;
  std::uint32_t vni = 0;
  std::vector<Name> flood;
  UnknownUnicast unknown_unicast = UnknownUnicast::flood;
  Owner owner = Owner::file;

  friend bool operator==(const Network&, const Network&) = default;
};

// 32 bytes: there may be a million.
struct Endpoint {
  Name network;
  base::MacAddress mac{};
  Owner owner = Owner::file;  // In what alignment leaves free.
  Name vtep;
  Name port;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
static_assert(sizeof(Endpoint) == 32);

struct NextHop {
  Name name;
  Name port;
  std::optional<base::IpAddress> address;
  std::optional<base::MacAddress> mac;
  Owner owner = Owner::file;

  friend bool operator==(const NextHop&, const NextHop&) = default;
};

// Of one class of traffic for the host itself; what is left out is the class's own.
struct HostRule {
  Name name;  // The class: contract::host_classes.
  HostAction action = HostAction::to_host;
  std::optional<std::uint32_t> rate;
  std::optional<std::uint32_t> burst;
  Owner owner = Owner::file;

  friend bool operator==(const HostRule&, const HostRule&) = default;
};

// One traffic class of a port: what goes there, how fast, how much may wait, and who is marked.
struct Queue {
  Name port;
  std::uint8_t traffic_class = 0;
  std::vector<std::uint8_t> dscp;
  std::vector<RoceTraffic> carries;
  std::optional<Rate> rate;
  std::optional<ByteCount> burst;
  std::optional<ByteCount> buffer;
  std::optional<ByteCount> kmin;
  std::optional<ByteCount> kmax;
  std::optional<Share> pmax;
  std::optional<MarkPlace> mark;
  std::optional<NotEct> not_ect;
  std::optional<bool> mark_control;
  Owner owner = Owner::file;

  friend bool operator==(const Queue&, const Queue&) = default;
};

bool key_less(const Endpoint& left, const Endpoint& right) noexcept;

// Of endpoints there may be a million, so copies of an intent share them.
template <class T>
using ListOf = std::conditional_t<std::is_same_v<T, Endpoint>, SharedList<T>, std::vector<T>>;

// Each list is in the order of its keys (sort()); find() relies on it.
struct Intent {
  std::vector<Port> ports;
  std::vector<Vtep> vteps;
  std::vector<Network> networks;
  ListOf<Endpoint> endpoints;
  std::vector<NextHop> next_hops;
  std::vector<HostRule> host_rules;
  std::vector<Queue> queues;

  friend bool operator==(const Intent&, const Intent&) = default;
};

// The store keeps their numbers.
enum class ObjectKind : std::uint8_t { port, vtep, network, endpoint, next_hop, host_rule, queue };
inline constexpr std::size_t object_kind_count = 7;

// Any object, for code that does not care which; the alternatives are in ObjectKind's order.
using Object = std::variant<Port, Vtep, Network, Endpoint, NextHop, HostRule, Queue>;

inline ObjectKind kind_of(const Object& object) noexcept {
  return static_cast<ObjectKind>(object.index());
}
inline Owner owner_of(const Object& object) noexcept {
  return std::visit([](const auto& concrete) { return concrete.owner; }, object);
}

// "port"; "a port"; "ports".
std::string_view singular(ObjectKind kind) noexcept;
std::string with_article(ObjectKind kind);
std::string_view plural(ObjectKind kind) noexcept;
// "file", and back.
std::string_view name(Owner owner) noexcept;
std::optional<Owner> parse_owner(std::string_view word) noexcept;
// The singular as a word of a command line: "next-hop".
std::string_view noun(ObjectKind kind) noexcept;
// The same of all kinds, in order.
std::vector<std::string_view> kind_nouns();
// Any of these words, as in "weir port …" and "/v1/ports".
std::optional<ObjectKind> parse_kind(std::string_view word) noexcept;

// What an object is called: its name, of an endpoint "network/mac", of a queue "port/class".
std::string key_of(const Port& port);
std::string key_of(const Vtep& vtep);
std::string key_of(const Network& network);
std::string key_of(const Endpoint& endpoint);
std::string key_of(const NextHop& next_hop);
std::string key_of(const HostRule& rule);
std::string key_of(const Queue& queue);
std::string key_of(const Object& object);
// "port wire0", as errors say it.
std::string title_of(ObjectKind kind, std::string_view key);
std::string title_of(const Object& object);

// An endpoint's key as its two parts; nullopt where `key` is not one.
struct EndpointKey {
  std::string_view network;
  base::MacAddress mac;
};
std::optional<EndpointKey> parse_endpoint_key(std::string_view key) noexcept;
// Likewise of a queue.
struct QueueKey {
  std::string_view port;
  std::uint8_t traffic_class;
};
std::optional<QueueKey> parse_queue_key(std::string_view key) noexcept;

// The list of a type, so that code for all kinds can be written once.
template <class T>
const ListOf<T>& list_of(const Intent& intent) noexcept;
template <class T>
ListOf<T>& list_of(Intent& intent) noexcept {
  return const_cast<ListOf<T>&>(list_of<T>(static_cast<const Intent&>(intent)));
}
template <>
inline const std::vector<Port>& list_of<Port>(const Intent& intent) noexcept {
  return intent.ports;
}
template <>
inline const std::vector<Vtep>& list_of<Vtep>(const Intent& intent) noexcept {
  return intent.vteps;
}
template <>
inline const std::vector<Network>& list_of<Network>(const Intent& intent) noexcept {
  return intent.networks;
}
template <>
inline const ListOf<Endpoint>& list_of<Endpoint>(const Intent& intent) noexcept {
  return intent.endpoints;
}
template <>
inline const std::vector<NextHop>& list_of<NextHop>(const Intent& intent) noexcept {
  return intent.next_hops;
}
template <>
inline const std::vector<HostRule>& list_of<HostRule>(const Intent& intent) noexcept {
  return intent.host_rules;
}
template <>
inline const std::vector<Queue>& list_of<Queue>(const Intent& intent) noexcept {
  return intent.queues;
}

template <class T>
inline constexpr ObjectKind kind_of_type = ObjectKind{object_kind_count};  // Not an object.
template <>
inline constexpr ObjectKind kind_of_type<Port> = ObjectKind::port;
template <>
inline constexpr ObjectKind kind_of_type<Vtep> = ObjectKind::vtep;
template <>
inline constexpr ObjectKind kind_of_type<Network> = ObjectKind::network;
template <>
inline constexpr ObjectKind kind_of_type<Endpoint> = ObjectKind::endpoint;
template <>
inline constexpr ObjectKind kind_of_type<NextHop> = ObjectKind::next_hop;
template <>
inline constexpr ObjectKind kind_of_type<HostRule> = ObjectKind::host_rule;
template <>
inline constexpr ObjectKind kind_of_type<Queue> = ObjectKind::queue;

// Calls f with a T of the kind's type: visit_kind(kind, []<class T>(std::type_identity<T>) {…}).
template <class F>
decltype(auto) visit_kind(ObjectKind kind, F&& f) {
  switch (kind) {
    case ObjectKind::port: return f(std::type_identity<Port>{});
    case ObjectKind::vtep: return f(std::type_identity<Vtep>{});
    case ObjectKind::network: return f(std::type_identity<Network>{});
    case ObjectKind::endpoint: return f(std::type_identity<Endpoint>{});
    case ObjectKind::next_hop: return f(std::type_identity<NextHop>{});
    case ObjectKind::host_rule: return f(std::type_identity<HostRule>{});
    case ObjectKind::queue: return f(std::type_identity<Queue>{});
  }
  __builtin_unreachable();
}

// The order of the lists; two objects with the same key are neither less.
bool key_less(const Port& left, const Port& right) noexcept;
bool key_less(const Vtep& left, const Vtep& right) noexcept;
bool key_less(const Network& left, const Network& right) noexcept;
bool key_less(const NextHop& left, const NextHop& right) noexcept;
bool key_less(const HostRule& left, const HostRule& right) noexcept;
bool key_less(const Queue& left, const Queue& right) noexcept;
void sort(Intent& intent);

// nullptr where the intent has none. Borrowed from the intent.
const Port* find_port(const Intent& intent, std::string_view name) noexcept;
const Vtep* find_vtep(const Intent& intent, std::string_view name) noexcept;
const Network* find_network(const Intent& intent, std::string_view name) noexcept;
const Endpoint* find_endpoint(const Intent& intent, std::string_view network,
                              const base::MacAddress& mac) noexcept;
const NextHop* find_next_hop(const Intent& intent, std::string_view name) noexcept;
const Queue* find_queue(const Intent& intent, std::string_view port,
                        std::uint8_t traffic_class) noexcept;
// Whether what leaves at the port goes through queues: it has a rate or one of them.
bool has_queues(const Intent& intent, const Port& port) noexcept;
// By its key; nullopt where there is none.
std::optional<Object> find(const Intent& intent, ObjectKind kind, std::string_view key);

std::size_t count(const Intent& intent, ObjectKind kind) noexcept;

}  // namespace cp
