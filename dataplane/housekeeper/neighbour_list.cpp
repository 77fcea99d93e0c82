// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/neighbour_list.hpp"

#include <string_view>

namespace dp {

using contract::set;

NeighbourList::NeighbourList(CounterRegion& region, const Model& model, const Resolver& resolver)
    : region_(region), model_(model), resolver_(resolver) {
  for (std::size_t i = region.neighbours().size(); i > 0; --i) {
    free_.push_back(static_cast<std::uint32_t>(i - 1));
  }
}

void NeighbourList::publish() {
  ++round_;
  unlisted_ = 0;
  resolver_.for_each([this](const NeighbourView& view) { meet(view); });
  give_up_unmet();
  set(region_.global().neighbours_unlisted, unlisted_);
}

void NeighbourList::meet(const NeighbourView& view) {
  const Key key{view.port, view.address};
  auto entry = places_.find(key);
  // An address of ours that is a next hop too is a mistake that the intent does not let pass.
  if (entry != places_.end() && entry->second.round == round_) return;
  if (entry == places_.end()) {
    if (free_.empty()) {
      ++unlisted_;
      return;
    }
    entry = places_.emplace(key, Place{.index = free_.back()}).first;
    free_.pop_back();
  } else if (entry->second.written == view) {
    entry->second.round = round_;
    return;
  }
  entry->second.round = round_;
  entry->second.written = view;
  write(entry->second.index, view);
}

// As with names of ports: whoever reads a text while it is written sees a part of it, once.
void NeighbourList::write(std::uint32_t index, const NeighbourView& view) {
  contract::NeighbourState& state = region_.neighbours()[index];
  set(state.own, view.own ? 1 : 0);
  set(state.usable, view.usable ? 1 : 0);
  set(state.since_ns, view.since_ns);
  set(state.moves, view.moves);
  set(state.losses, view.losses);
  set(state.conflicts, view.conflicts);
  set(state.duplicates, view.duplicates);
  state.port = model_.port(view.port.value).record.add.name;
  state.state = contract::to_text<sizeof state.state>(view.state);
  state.mac = contract::to_text<sizeof state.mac>(
      view.mac.is_zero() ? std::string_view() : std::string_view(base::to_string(view.mac)));
  state.address = contract::to_text<sizeof state.address>(base::to_string(view.address));
}

void NeighbourList::give_up_unmet() {
  std::erase_if(places_, [this](const auto& entry) {
    const Place& place = entry.second;
    if (place.round == round_) return false;
    region_.neighbours()[place.index] = {};
    free_.push_back(place.index);
    return true;
  });
}

}  // namespace dp
