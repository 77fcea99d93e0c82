// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/validate.hpp"

#include "controlplane/intent/describe.hpp"
#include "controlplane/intent/value.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>

namespace cp {
namespace {

template <class T>
using ByName = std::unordered_map<std::string_view, const T*>;

// "a tenant port", "an underlay port".
std::string a_port(PortRole role) {
  return (role == PortRole::underlay ? "an " : "a ") + text_of(role).text + " port";
}

std::string quoted(const Name& name) {
  return shown(name.view());
}

class Judge {
 public:
  Judge(const Intent& intent, const Limits& limits) : intent_(intent), limits_(limits) {}

  std::vector<Finding> run() {
    count_all();
    index_names(intent_.ports, ports_);
    index_names(intent_.vteps, vteps_);
    index_names(intent_.networks, networks_);
    judge_list(intent_.ports);
    judge_devices();
    judge_list(intent_.vteps);
    judge_addresses();
    judge_list(intent_.networks);
    judge_vnis();
    judge_list(intent_.endpoints);
    judge_endpoint_keys();
    return std::move(findings_);
  }

 private:
  bool full() const noexcept { return findings_.size() >= error_count_max; }

  // `object` is an element of its list in the intent.
  template <class T>
  void report(const T& object, std::string_view field, std::string message,
              std::string suggestion = {}, base::Errc code = base::Errc::invalid_argument) {
    if (full()) return;
    const auto index = static_cast<std::size_t>(&object - list_of<T>(intent_).data());
    findings_.push_back({.kind = kind_of_type<T>,
                         .index = index,
                         .error = {.code = code,
                                   .message = std::move(message),
                                   .object = title_of(kind_of_type<T>, key_of(object)),
                                   .field = std::string(field),
                                   .file = {},
                                   .place = {},
                                   .suggestion = std::move(suggestion)}});
  }

  void count_all() {
    count_list(intent_.ports, limits_.ports);
    count_list(intent_.vteps, limits_.vteps);
    count_list(intent_.networks, limits_.networks);
    count_list(intent_.endpoints, limits_.endpoints);
  }

  template <class T>
  void count_list(const std::vector<T>& list, std::uint32_t limit) {
    if (list.size() <= limit) return;
    const std::string kinds(plural(kind_of_type<T>));
    report(list[limit], {},
           std::to_string(list.size()) + " " + kinds + ", but the data plane has room for " +
               std::to_string(limit) + " (its option --" + kinds + ")",
           {}, base::Errc::table_full);
  }

  template <class T>
  void index_names(const std::vector<T>& list, ByName<T>& by_name) {
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
  void judge_list(const std::vector<T>& list) {
    for (const T& object : list) {
      if (full()) return;
      judge(object);
    }
  }

  // What the description alone can tell: required fields and ranges of numbers.
  template <class T>
  void judge_fields(const T& object) {
    for_each_field<T>(
        [&]<std::size_t I, class M>(std::string_view name, M T::* member, const FieldText& text) {
          if (text.required && is_absent(object.*member)) report(object, name, "is missing");
          if constexpr (field_type<M>() == FieldType::number) {
            if (is_absent(object.*member)) return;
            const std::string number = number_text(object.*member);
            const auto parsed = parse_number({.text = number, .form = Form::number},
                                             *find_field(kind_of_type<T>, name));
            if (!parsed) report(object, name, parsed.error().message, parsed.error().suggestion);
          }
        });
  }

  template <class M>
  static std::string number_text(const M& number) {
    if constexpr (is_optional<M>) {
      return std::to_string(*number);
    } else {
      return std::to_string(number);
    }
  }

  // The named object; where there is none, reports the nearest name that would be accepted.
  template <class T, class U, class Fits>
  const U* resolve(const T& object, std::string_view field, const Name& name,
                   const ByName<U>& by_name, Fits fits) {
    const auto found = by_name.find(name.view());
    if (found != by_name.end()) return found->second;
    std::vector<std::string_view> candidates;
    for (const U& candidate : list_of<U>(intent_)) {
      if (fits(candidate)) candidates.push_back(candidate.name.view());
    }
    std::string near = nearest(name.view(), candidates);
    if (near.empty() && candidates.size() == 1) near = candidates.front();
    report(object, field,
           "there is no " + std::string(singular(kind_of_type<U>)) + " " + quoted(name),
           std::move(near), base::Errc::not_found);
    return nullptr;
  }

  template <class T>
  const Port* underlay_port(const T& object, const Name& name) {
    const auto fits = [](const Port& port) {
      return port.role == PortRole::underlay;
    };
    const Port* port = resolve(object, "port", name, ports_, fits);
    if (port != nullptr && !fits(*port)) {
      report(object, "port",
             quoted(name) + " is " + a_port(port->role) + "; a VTEP stands on an underlay port",
             only_name(intent_.ports, fits));
    }
    return port;
  }

  // The name of the only object that fits, as a suggestion.
  template <class T, class Fits>
  static std::string only_name(const std::vector<T>& list, Fits fits) {
    if (std::count_if(list.begin(), list.end(), fits) != 1) return {};
    return std::string(std::find_if(list.begin(), list.end(), fits)->name.view());
  }

  void judge(const Port& port) {
    judge_fields(port);
    judge_descriptors(port, "rx_descriptors", port.rx_descriptors);
    judge_descriptors(port, "tx_descriptors", port.tx_descriptors);
    judge_network_of(port);
    judge_peer_of(port);
  }

  void judge_descriptors(const Port& port, std::string_view field,
                         std::optional<std::uint16_t> descriptors) {
    if (!descriptors || std::has_single_bit(*descriptors)) return;
    const std::uint64_t power =
        std::bit_floor(std::max<std::uint64_t>(*descriptors, descriptors_min));
    report(port, field, "must be a power of two, not " + std::to_string(*descriptors),
           std::to_string(power));
  }

  void judge_network_of(const Port& port) {
    if (port.role != PortRole::tenant) {
      if (!port.network.empty()) {
        report(port, "network", "only a tenant port has a network; this is " + a_port(port.role));
      }
      return;
    }
    if (port.network.empty()) {
      report(port, "network", "is missing: a tenant port carries the frames of one network",
             only_name(intent_.networks, [](const Network&) { return true; }));
      return;
    }
    resolve(port, "network", port.network, networks_, [](const Network&) { return true; });
  }

  void judge_peer_of(const Port& port) {
    if (port.role != PortRole::transit) {
      if (!port.peer.empty()) {
        report(port, "peer", "only a transit port has a peer; this is " + a_port(port.role));
      }
      return;
    }
    const auto fits = [&](const Port& other) {
      return other.role == PortRole::transit && &other != &port;
    };
    if (port.peer.empty()) {
      report(port, "peer", "is missing: a transit port's frames leave at its peer",
             only_name(intent_.ports, fits));
      return;
    }
    if (port.peer == port.name) {
      report(port, "peer", "a port cannot be its own peer", only_name(intent_.ports, fits));
      return;
    }
    const Port* peer = resolve(port, "peer", port.peer, ports_, fits);
    if (peer == nullptr) return;
    if (peer->role != PortRole::transit) {
      report(port, "peer",
             quoted(port.peer) + " is " + a_port(peer->role) +
                 "; the peer of a transit port is a transit port");
    } else if (peer->peer != port.name) {
      report(port, "peer",
             "port " + quoted(port.peer) + " has the peer " + quoted(peer->peer) +
                 "; peers name each other");
    }
  }

  // The part of the devargs in front of the first comma names the device.
  void judge_devices() {
    ByName<Port> by_device;
    for (const Port& port : intent_.ports) {
      if (port.device.empty()) continue;  // Reported as missing.
      const std::string_view device =
          std::string_view(port.device).substr(0, port.device.find(','));
      const auto [at, is_new] = by_device.emplace(device, &port);
      if (!is_new) {
        report(port, "device",
               "port " + quoted(at->second->name) + " already has the device " + shown(device), {},
               base::Errc::already_exists);
      }
    }
  }

  void judge(const Vtep& vtep) {
    judge_fields(vtep);
    judge_address(vtep);
    if (!vtep.port.empty()) underlay_port(vtep, vtep.port);
    if (vtep.kind == VtepKind::local) {
      judge_local(vtep);
    } else {
      judge_remote(vtep);
    }
  }

  void judge_address(const Vtep& vtep) {
    if (!vtep.address.is_v4()) {
      report(vtep, "address",
             "an IPv6 underlay is not supported in this release; give an IPv4 address, not " +
                 base::to_string(vtep.address),
             {}, base::Errc::unsupported);
      return;
    }
    const std::uint32_t address = vtep.address.v4().host();
    // RFC 1122 §3.2.1.3: 0/8 this host, 127/8 loopback; RFC 5771: 224/4 multicast, above reserved.
    const std::uint32_t net = address >> 24;
    if (net == 0 || net == 127 || net >= 224) {
      report(vtep, "address",
             "must be the unicast address of one host, not " + base::to_string(vtep.address));
    }
  }

  void judge_local(const Vtep& vtep) {
    const std::string only = "only a remote VTEP has this; a local one says where packets arrive";
    if (!vtep.source.empty()) report(vtep, "source", only);
    if (vtep.next_hop_mac) report(vtep, "next_hop_mac", only);
    if (vtep.dscp) report(vtep, "dscp", only);
    if (vtep.ttl) report(vtep, "ttl", only);
  }

  void judge_remote(const Vtep& vtep) {
    if (vtep.dscp && vtep.dscp->pinned > 63) {
      report(vtep, "dscp", "must be copy | 0..63, not " + text_of(*vtep.dscp).text, "63");
    }
    if (vtep.next_hop_mac && vtep.next_hop_mac->is_group()) {
      report(vtep, "next_hop_mac", "must be the MAC of one host, not a group address");
    }
    if (vtep.next_hop_mac && vtep.next_hop_mac->is_zero()) {
      report(vtep, "next_hop_mac", "must not be all zero; leave it out where it is not known");
    }
    judge_source(vtep);
  }

  void judge_source(const Vtep& vtep) {
    if (vtep.source.empty()) {
      judge_default_source(vtep);
      return;
    }
    const auto fits = [](const Vtep& other) {
      return other.kind == VtepKind::local;
    };
    const Vtep* source = resolve(vtep, "source", vtep.source, vteps_, fits);
    if (source == nullptr) return;
    if (!fits(*source)) {
      report(vtep, "source", quoted(vtep.source) + " is a remote VTEP; the source is a local one",
             only_name(intent_.vteps, fits));
    } else if (source->address.is_v4() != vtep.address.is_v4()) {
      report(vtep, "source",
             quoted(vtep.source) + " has an address of the other family, " +
                 base::to_string(source->address));
    }
  }

  void judge_default_source(const Vtep& vtep) {
    const auto fits = [&](const Vtep& other) {
      return other.kind == VtepKind::local && other.port == vtep.port;
    };
    const auto locals = std::count_if(intent_.vteps.begin(), intent_.vteps.end(), fits);
    if (locals == 1 || ports_.find(vtep.port.view()) == ports_.end()) return;
    if (locals == 0) {
      const auto local = [](const Vtep& other) {
        return other.kind == VtepKind::local;
      };
      report(vtep, "source", "is missing, and there is no local VTEP on port " + quoted(vtep.port),
             only_name(intent_.vteps, local));
    } else {
      report(vtep, "source",
             "is missing, and port " + quoted(vtep.port) + " has " + std::to_string(locals) +
                 " local VTEPs: name one");
    }
  }

  void judge_addresses() {
    std::vector<const Vtep*> by_address;
    for (const Vtep& vtep : intent_.vteps) by_address.push_back(&vtep);
    std::stable_sort(by_address.begin(), by_address.end(),
                     [](const Vtep* l, const Vtep* r) { return l->address < r->address; });
    for (std::size_t i = 1; i < by_address.size(); ++i) {
      const Vtep& before = *by_address[i - 1];
      const Vtep& vtep = *by_address[i];
      if (vtep.address != before.address) continue;
      report(vtep, "address",
             "VTEP " + quoted(before.name) + " already has " + base::to_string(vtep.address), {},
             base::Errc::already_exists);
    }
  }

  void judge(const Network& network) {
    judge_fields(network);
    if (network.flood.size() > contract::flood_vteps_max) {
      report(network, "flood",
             "has " + std::to_string(network.flood.size()) + " VTEPs; at most " +
                 std::to_string(contract::flood_vteps_max) + " are flooded to");
      return;
    }
    const auto fits = [](const Vtep& vtep) {
      return vtep.kind == VtepKind::remote;
    };
    for (std::size_t i = 0; i < network.flood.size(); ++i) {
      const Name& name = network.flood[i];
      const auto end = network.flood.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(network.flood.begin(), end, name) != end) {
        report(network, "flood", "names VTEP " + quoted(name) + " twice");
        continue;
      }
      const Vtep* vtep = resolve(network, "flood", name, vteps_, fits);
      if (vtep != nullptr && !fits(*vtep)) {
        report(network, "flood",
               quoted(name) + " is a local VTEP; frames are flooded to remote ones",
               only_name(intent_.vteps, fits));
      }
    }
  }

  void judge_vnis() {
    std::unordered_map<std::uint32_t, const Network*> by_vni;
    for (const Network& network : intent_.networks) {
      const auto [at, is_new] = by_vni.emplace(network.vni, &network);
      if (!is_new && network.vni != 0) {
        report(
            network, "vni",
            "network " + quoted(at->second->name) + " already has " + std::to_string(network.vni),
            {}, base::Errc::already_exists);
      }
    }
  }

  // A million of these: no text is made before something is wrong.
  void judge(const Endpoint& endpoint) {
    if (endpoint.network.empty()) {
      report(endpoint, "network", "is missing");
    } else if (endpoint.network != known_network_) {
      const auto any = [](const Network&) {
        return true;
      };
      if (resolve(endpoint, "network", endpoint.network, networks_, any) != nullptr) {
        known_network_ = endpoint.network;
      }
    }
    if (endpoint.mac.is_zero()) report(endpoint, "mac", "must not be all zero");
    if (endpoint.mac.is_group()) {
      report(endpoint, "mac", "must be the MAC of one host, not a group address");
    }
    judge_place_of(endpoint);
  }

  void judge_place_of(const Endpoint& endpoint) {
    if (endpoint.vtep.empty() == endpoint.port.empty()) {
      const bool none = endpoint.vtep.empty();
      report(endpoint, none ? "" : "port",
             none ? "is nowhere: say either vtep or port" : "is in two places: say vtep or port");
      return;
    }
    if (!endpoint.port.empty()) {
      judge_port_of(endpoint);
      return;
    }
    const auto fits = [](const Vtep& vtep) {
      return vtep.kind == VtepKind::remote;
    };
    const Vtep* vtep = resolve(endpoint, "vtep", endpoint.vtep, vteps_, fits);
    if (vtep != nullptr && !fits(*vtep)) {
      report(
          endpoint, "vtep",
          quoted(endpoint.vtep) + " is a local VTEP; an endpoint here says the port it is behind",
          only_name(intent_.vteps, fits));
    }
  }

  void judge_port_of(const Endpoint& endpoint) {
    const auto fits = [&](const Port& port) {
      return port.role == PortRole::tenant && port.network == endpoint.network;
    };
    const Port* port = resolve(endpoint, "port", endpoint.port, ports_, fits);
    if (port == nullptr || fits(*port)) return;
    const std::string is = quoted(endpoint.port) + " is ";
    if (port->role != PortRole::tenant) {
      report(endpoint, "port", is + a_port(port->role) + "; an endpoint is behind a tenant port",
             only_name(intent_.ports, fits));
    } else {
      report(endpoint, "port",
             is + "a port of network " + quoted(port->network) + ", not of " +
                 quoted(endpoint.network),
             only_name(intent_.ports, fits));
    }
  }

  void judge_endpoint_keys() {
    const auto& list = intent_.endpoints;
    std::vector<const Endpoint*> by_key(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) by_key[i] = &list[i];
    const auto less = [](const Endpoint* l, const Endpoint* r) {
      return key_less(*l, *r);
    };
    if (!std::is_sorted(by_key.begin(), by_key.end(), less)) {
      std::stable_sort(by_key.begin(), by_key.end(), less);
    }
    for (std::size_t i = 1; i < by_key.size() && !full(); ++i) {
      if (less(by_key[i - 1], by_key[i])) continue;
      report(*by_key[i], "mac",
             "there are two endpoints of this MAC in network " + quoted(by_key[i]->network), {},
             base::Errc::already_exists);
    }
  }

  const Intent& intent_;
  const Limits& limits_;
  ByName<Port> ports_;
  ByName<Vtep> vteps_;
  ByName<Network> networks_;
  Name known_network_;  // Of the last endpoint: neighbours share it.
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> find_faults(const Intent& intent, const Limits& limits) {
  return Judge(intent, limits).run();
}

Status validate(const Intent& intent, const Limits& limits) {
  std::vector<Finding> findings = find_faults(intent, limits);
  if (findings.empty()) return {};
  Errors errors;
  for (Finding& finding : findings) errors.push_back(std::move(finding.error));
  return std::unexpected(std::move(errors));
}

const Vtep* source_of(const Intent& intent, const Vtep& remote) noexcept {
  if (!remote.source.empty()) return find_vtep(intent, remote.source.view());
  const auto at = std::find_if(intent.vteps.begin(), intent.vteps.end(), [&](const Vtep& vtep) {
    return vtep.kind == VtepKind::local && vtep.port == remote.port;
  });
  return at != intent.vteps.end() ? &*at : nullptr;
}

}  // namespace cp
