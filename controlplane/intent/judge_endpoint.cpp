// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/judge.hpp"
#include "controlplane/intent/merge.hpp"

namespace cp {

void Judge::judge_endpoints() {
  const auto& list = intent_.endpoints;
  // What an endpoint refers to lies in these lists, and nothing else decides whether it is good.
  const bool is_known = known_ != nullptr && list.is_sorted() && known_->endpoints.is_sorted() &&
                        known_->ports == intent_.ports && known_->vteps == intent_.vteps &&
                        known_->networks == intent_.networks;
  if (is_known) return judge_changed_endpoints();
  const Endpoint* before = nullptr;
  for (const Endpoint& each : list) {
    if (full()) return;
    judge(each);
    if (list.is_sorted()) judge_key(each, before);
    before = &each;
  }
  if (!list.is_sorted()) judge_unsorted_keys();
}

void Judge::judge_changed_endpoints() {
  const Endpoint* last = nullptr;
  const Merge<Endpoint> merge(known_->endpoints, intent_.endpoints);
  merge.for_each_change([&](const Endpoint* before, const Endpoint* after) {
    if (after == nullptr || full()) return;
    judge(*after);
    // A second one of a key has nothing beside it, though the first had.
    if (before == nullptr) {
      judge_key(*after, last);
      judge_key(*after, find_endpoint(*known_, after->network.view(), after->mac));
    }
    last = after;
  });
}

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

void Judge::judge_key(const Endpoint& endpoint, const Endpoint* before) {
  if (before == nullptr || key_less(*before, endpoint)) return;
  report(endpoint, "mac",
         "there are two endpoints of this MAC in network " + quoted(endpoint.network), {},
         base::Errc::already_exists);
}

void Judge::judge_unsorted_keys() {
  std::vector<const Endpoint*> by_key;
  by_key.reserve(intent_.endpoints.size());
  for (const Endpoint& endpoint : intent_.endpoints) by_key.push_back(&endpoint);
  std::stable_sort(by_key.begin(), by_key.end(),
                   [](const Endpoint* l, const Endpoint* r) { return key_less(*l, *r); });
  for (std::size_t i = 1; i < by_key.size() && !full(); ++i) judge_key(*by_key[i], by_key[i - 1]);
}

}  // namespace cp
