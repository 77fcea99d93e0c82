// SPDX-License-Identifier: Apache-2.0
// Keeps a place in the counter region for each address of ours and each next hop, as long as it is
// configured, and writes what changed of it.
#pragma once

#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/region.hpp"
#include "dataplane/housekeeper/resolver.hpp"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace dp {

class NeighbourList {
 public:
  // All outlive this.
  NeighbourList(CounterRegion& region, const Model& model, const Resolver& resolver);

  // Once a second and when something changed.
  void publish();

 private:
  using Key = std::pair<base::PortId, base::IpAddress>;
  struct Place {
    std::uint32_t index;
    std::uint64_t round = 0;  // Of publish(), in which it was last met.
    NeighbourView written{};
  };

  void meet(const NeighbourView& view);
  void write(std::uint32_t index, const NeighbourView& view);
  void give_up_unmet();

  CounterRegion& region_;
  const Model& model_;
  const Resolver& resolver_;
  std::map<Key, Place> places_;
  std::vector<std::uint32_t> free_;  // The next one to be given last.
  std::uint64_t round_ = 0;
  std::uint64_t unlisted_ = 0;  // Of this round.
};

}  // namespace dp
