// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/judge.hpp"

namespace cp {
namespace {

constexpr std::uint16_t ipv6_mtu_min = 1280;  // RFC 8200 §5: of every link.

std::string_view family_of(const Vtep& vtep) {
  return vtep.address.is_v4() ? "IPv4" : "IPv6";
}

}  // namespace

void Judge::judge(const Vtep& vtep) {
  judge_fields(vtep);
  judge_address(vtep);
  if (!vtep.port.empty()) judge_port_of(vtep);
  if (vtep.kind == VtepKind::local) {
    judge_local(vtep);
  } else {
    judge_remote(vtep);
  }
}

void Judge::judge_port_of(const Vtep& vtep) {
  const auto fits = [](const Port& port) {
    return port.role == PortRole::underlay;
  };
  const Port* port = resolve(vtep, "port", vtep.port, ports_, fits);
  if (port == nullptr) return;
  if (fits(*port)) {
    judge_mtu(vtep, "port", *port);
    return;
  }
  report(vtep, "port",
         quoted(vtep.port) + " is " + a_port(port->role) + "; a VTEP stands on an underlay port",
         only_name(intent_.ports, fits));
}

void Judge::judge_mtu(const Vtep& vtep, std::string_view field, const Port& port) {
  if (vtep.address.is_v4() || port.mtu.value_or(ipv6_mtu_min) >= ipv6_mtu_min) return;
  report(vtep, field,
         quoted(port.name) + " has an MTU of " + std::to_string(*port.mtu) +
             "; IPv6 takes at least 1280 (RFC 8200)");
}

// Exactly one of two ways to say where packets go.
void Judge::judge_next_hops_of(const Vtep& vtep) {
  if (!vtep.port.empty()) {
    report(vtep, "port", "is one too many: the next hops say at which ports packets leave");
  }
  if (vtep.next_hop_mac) {
    report(vtep, "next_hop_mac", "is one too many: say next_hops, or port and next_hop_mac");
  }
  if (vtep.next_hops.size() > contract::vtep_next_hops_max) {
    report(vtep, "next_hops",
           "has " + std::to_string(vtep.next_hops.size()) + " next hops; a VTEP has at most " +
               std::to_string(contract::vtep_next_hops_max));
    return;
  }
  const auto any = [](const NextHop&) {
    return true;
  };
  for (std::size_t i = 0; i < vtep.next_hops.size(); ++i) {
    const Name& name = vtep.next_hops[i];
    const auto before = vtep.next_hops.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(vtep.next_hops.begin(), before, name) != before) {
      report(vtep, "next_hops", "names next-hop " + quoted(name) + " twice");
      continue;
    }
    const NextHop* next_hop = resolve(vtep, "next_hops", name, next_hops_, any);
    if (next_hop == nullptr) continue;
    const auto port = ports_.find(next_hop->port.view());
    if (port != ports_.end()) judge_mtu(vtep, "next_hops", *port->second);
  }
}

void Judge::judge_short_form(const Vtep& vtep) {
  if (is_own_next_hop(vtep)) {
    judge_own_next_hop(vtep);
  } else if (vtep.port.empty()) {
    report(
        vtep, "port", "is missing: next_hop_mac is a MAC on the link of a port",
        only_name(intent_.ports, [](const Port& port) { return port.role == PortRole::underlay; }));
  }
  if (vtep.next_hop_mac && vtep.next_hop_mac->is_group()) {
    report(vtep, "next_hop_mac", "must be the MAC of one host, not a group address");
  }
  if (vtep.next_hop_mac && vtep.next_hop_mac->is_zero()) {
    report(vtep, "next_hop_mac", "must not be all zero; leave it out where it is not known");
  }
}

// Neither next hops nor a MAC: then it must be on the link of a port itself.
void Judge::judge_own_next_hop(const Vtep& vtep) {
  if (!vtep.address.is_unicast()) return;  // Reported.
  if (!vtep.port.empty() && !ports_.contains(vtep.port.view())) return;
  const std::vector<const Port*> links = links_of(intent_, vtep);
  if (links.size() == 1) {
    if (vtep.port.empty()) judge_mtu(vtep, "address", *links.front());
    return;
  }
  const std::string address = base::to_string(vtep.address);
  if (!links.empty()) {
    report(vtep, "port",
           "is missing: " + address + " is on the links of " + quoted(links[0]->name) + " and " +
               quoted(links[1]->name) + "; name one of them",
           std::string(links.front()->name.view()));
    return;
  }
  const std::string where = vtep.port.empty() ? "any underlay port" : "port " + quoted(vtep.port);
  report(vtep, "next_hops",
         "is missing, and " + address + " is not on the link of " + where +
             ": name the router's next_hops or, where it has no router, give the port an address "
             "of this gateway's on that link (addresses)");
}

std::vector<Name> Judge::ports_of(const Vtep& remote) const {
  std::vector<Name> ports;
  if (is_own_next_hop(remote)) {
    const std::vector<const Port*> links = links_of(intent_, remote);
    if (links.size() == 1) ports.push_back(links.front()->name);
    return ports;
  }
  if (remote.next_hops.empty()) return {remote.port};
  for (const Name& name : remote.next_hops) {
    const auto next_hop = next_hops_.find(name.view());
    if (next_hop != next_hops_.end()) ports.push_back(next_hop->second->port);
  }
  return ports;
}

void Judge::judge_address(const Vtep& vtep) {
  if (vtep.address.is_link_local()) {
    report(vtep, "address",
           base::to_string(vtep.address) +
               " is link-local, which other links may have too; give a global or unique local "
               "(fd00::/8) address");
  } else if (!vtep.address.is_unicast()) {
    report(vtep, "address",
           "must be the unicast address of one host, not " + base::to_string(vtep.address));
  }
}

void Judge::judge_local(const Vtep& vtep) {
  const std::string only = "only a remote VTEP has this; a local one says where packets arrive";
  if (!vtep.source.empty()) report(vtep, "source", only);
  if (vtep.next_hop_mac) report(vtep, "next_hop_mac", only);
  if (!vtep.next_hops.empty()) report(vtep, "next_hops", only);
  if (vtep.dscp) report(vtep, "dscp", only);
  if (vtep.ttl) report(vtep, "ttl", only);
  if (vtep.udp_checksum) report(vtep, "udp_checksum", only);
}

void Judge::judge_remote(const Vtep& vtep) {
  if (vtep.dscp && vtep.dscp->pinned > 63) {
    report(vtep, "dscp", "must be copy | 0..63, not " + text_of(*vtep.dscp).text, "63");
  }
  if (vtep.next_hops.empty()) {
    judge_short_form(vtep);
  } else {
    judge_next_hops_of(vtep);
  }
  // Of which family it is meant to be is not known where its address is wrong.
  if (vtep.address.is_unicast()) judge_source(vtep);
}

void Judge::judge_source(const Vtep& vtep) {
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
               base::to_string(source->address) + "; " + base::to_string(vtep.address) +
               " needs an " + std::string(family_of(vtep)) + " source");
  } else if (!vtep.next_hops.empty() && !may_be_source(vtep, *source, ports_of(vtep))) {
    report(vtep, "source",
           quoted(vtep.source) + " stands at port " + quoted(source->port) +
               ", where not all next hops are: answers to it would be lost; leave its port out");
  }
}

void Judge::judge_default_source(const Vtep& vtep) {
  const std::vector<Name> ports = ports_of(vtep);
  const bool known = std::all_of(ports.begin(), ports.end(), [this](const Name& port) {
    return ports_.find(port.view()) != ports_.end();
  });
  if (ports.empty() || !known) return;  // Reported already.
  const auto fits = [&](const Vtep& other) {
    return may_be_source(vtep, other, ports);
  };
  const auto locals = std::count_if(intent_.vteps.begin(), intent_.vteps.end(), fits);
  if (locals == 1) return;
  const std::string family(family_of(vtep));
  const bool one_port = std::equal(ports.begin() + 1, ports.end(), ports.begin());
  const std::string where =
      one_port ? "port " + quoted(ports.front()) : "all ports of its next hops";
  if (locals == 0) {
    const auto local = [&](const Vtep& other) {
      return other.kind == VtepKind::local && other.address.is_v4() == vtep.address.is_v4();
    };
    report(vtep, "source", "is missing, and there is no local " + family + " VTEP on " + where,
           only_name(intent_.vteps, local));
  } else {
    report(vtep, "source",
           "is missing, and " + where + (one_port ? " has " : " have ") + std::to_string(locals) +
               " local " + family + " VTEPs: name one");
  }
}

void Judge::judge_addresses() {
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

}  // namespace cp
