// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/judge.hpp"

namespace cp {

// A million of these: no text is made before something is wrong.
void Judge::judge(const Endpoint& endpoint) {
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

void Judge::judge_place_of(const Endpoint& endpoint) {
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
    report(endpoint, "vtep",
           quoted(endpoint.vtep) + " is a local VTEP; an endpoint here says the port it is behind",
           only_name(intent_.vteps, fits));
  }
}

void Judge::judge_port_of(const Endpoint& endpoint) {
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
    report(
        endpoint, "port",
        is + "a port of network " + quoted(port->network) + ", not of " + quoted(endpoint.network),
        only_name(intent_.ports, fits));
  }
}

void Judge::judge_endpoint_keys() {
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

}  // namespace cp
