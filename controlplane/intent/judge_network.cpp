// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/judge.hpp"

namespace cp {

void Judge::judge(const Network& network) {
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
      report(network, "flood", quoted(name) + " is a local VTEP; frames are flooded to remote ones",
             only_name(intent_.vteps, fits));
    }
  }
}

void Judge::judge_vnis() {
  std::unordered_map<std::uint32_t, const Network*> by_vni;
  for (const Network& network : intent_.networks) {
    const auto [at, is_new] = by_vni.emplace(network.vni, &network);
    if (!is_new && network.vni != 0) {
      report(network, "vni",
             "network " + quoted(at->second->name) + " already has " + std::to_string(network.vni),
             {}, base::Errc::already_exists);
    }
  }
}

}  // namespace cp
