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
    if (vtep.address.is_v4() || port->mtu.value_or(ipv6_mtu_min) >= ipv6_mtu_min) return;
    report(vtep, "port",
           quoted(vtep.port) + " has an MTU of " + std::to_string(*port->mtu) +
               "; IPv6 takes at least 1280 (RFC 8200)");
    return;
  }
  report(vtep, "port",
         quoted(vtep.port) + " is " + a_port(port->role) + "; a VTEP stands on an underlay port",
         only_name(intent_.ports, fits));
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
  if (vtep.dscp) report(vtep, "dscp", only);
  if (vtep.ttl) report(vtep, "ttl", only);
  if (vtep.udp_checksum) report(vtep, "udp_checksum", only);
}

void Judge::judge_remote(const Vtep& vtep) {
  if (vtep.dscp && vtep.dscp->pinned > 63) {
    report(vtep, "dscp", "must be copy | 0..63, not " + text_of(*vtep.dscp).text, "63");
  }
  if (vtep.next_hop_mac && vtep.next_hop_mac->is_group()) {
    report(vtep, "next_hop_mac", "must be the MAC of one host, not a group address");
  }
  if (vtep.next_hop_mac && vtep.next_hop_mac->is_zero()) {
    report(vtep, "next_hop_mac", "must not be all zero; leave it out where it is not known");
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
  }
}

void Judge::judge_default_source(const Vtep& vtep) {
  const auto fits = [&](const Vtep& other) {
    return other.kind == VtepKind::local && other.port == vtep.port &&
           other.address.is_v4() == vtep.address.is_v4();
  };
  const auto locals = std::count_if(intent_.vteps.begin(), intent_.vteps.end(), fits);
  if (locals == 1 || ports_.find(vtep.port.view()) == ports_.end()) return;
  const std::string family(family_of(vtep));
  if (locals == 0) {
    const auto local = [&](const Vtep& other) {
      return other.kind == VtepKind::local && other.address.is_v4() == vtep.address.is_v4();
    };
    report(vtep, "source",
           "is missing, and there is no local " + family + " VTEP on port " + quoted(vtep.port),
           only_name(intent_.vteps, local));
  } else {
    report(vtep, "source",
           "is missing, and port " + quoted(vtep.port) + " has " + std::to_string(locals) +
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
