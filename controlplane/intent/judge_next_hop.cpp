// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/judge.hpp"

namespace cp {
namespace {

// The other address of a link that has two.
std::string other_end(const LinkAddress& own) {
  if (own.prefix_length != (own.address.is_v4() ? 31 : 127)) return {};
  base::IpAddress other = own.address;
  other.v6.bytes[15] ^= 1;
  return base::to_string(other);
}

}  // namespace

void Judge::judge(const NextHop& next_hop) {
  judge_fields(next_hop);
  if (next_hop.address.has_value() == next_hop.mac.has_value()) {
    const bool none = !next_hop.address.has_value();
    report(next_hop, none ? "address" : "mac",
           none ? "is missing: say address, or mac where that is not to be resolved"
                : "is one too many: say address or mac");
  }
  if (next_hop.mac && next_hop.mac->is_group()) {
    report(next_hop, "mac", "must be the MAC of one host, not a group address");
  }
  if (next_hop.mac && next_hop.mac->is_zero()) report(next_hop, "mac", "must not be all zero");
  if (next_hop.address) judge_address_of(next_hop);
  if (next_hop.port.empty()) return;
  const auto fits = [](const Port& port) {
    return port.role == PortRole::underlay;
  };
  const Port* port = resolve(next_hop, "port", next_hop.port, ports_, fits);
  if (port == nullptr) return;
  if (!fits(*port)) {
    report(next_hop, "port",
           quoted(next_hop.port) + " is " + a_port(port->role) +
               "; a next hop is on the link of an underlay port",
           only_name(intent_.ports, fits));
  } else if (next_hop.address) {
    judge_on_link(next_hop, *port);
  }
}

void Judge::judge_address_of(const NextHop& next_hop) {
  if (next_hop.address->is_unicast() || next_hop.address->is_link_local()) return;
  report(next_hop, "address",
         "must be the unicast address of one host, not " + base::to_string(*next_hop.address));
}

// A port without addresses of the family is unnumbered: anything may be on its link.
void Judge::judge_on_link(const NextHop& next_hop, const Port& port) {
  const base::IpAddress& address = *next_hop.address;
  std::string links;
  std::string near;
  for (const LinkAddress& own : port.addresses) {
    if (own.address == address) {
      report(next_hop, "address",
             base::to_string(address) + " is this gateway's own, at port " + quoted(port.name),
             other_end(own));
      return;
    }
    if (own.address.is_v4() != address.is_v4() || own.address.is_link_local()) continue;
    if (same_link(own, address)) return;
    if (near.empty()) near = other_end(own);
    links += (links.empty() ? "" : ", ") + text_of(own).text;
  }
  if (links.empty() || address.is_link_local()) return;
  report(next_hop, "address",
         base::to_string(address) + " is not on the link of port " + quoted(port.name) + " (" +
             links + ")",
         std::move(near));
}

}  // namespace cp
