// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/next_hops.hpp"

#include "dataplane/base/log.hpp"

namespace dp {

NextHops::NextHops(NextHopWords& words, const Model& model, const Ports& ports)
    : words_(words),
      model_(model),
      ports_(ports),
      in_force_(model.next_hop_slots()),
      staged_(in_force_) {}

bool NextHops::link_up(base::PortId port) const noexcept {
  const Ports::Seen* seen = ports_.seen(port.value);
  return seen != nullptr && seen->observation.link.up;
}

// Writes its word; true: it became usable, or no longer is.
bool NextHops::refresh(std::uint32_t id, Entry& entry) {
  const bool was_usable = entry.usable;
  entry.link_up = link_up(entry.port);
  entry.usable = entry.resolved && entry.link_up;
  const base::NextHopId next_hop{static_cast<std::uint16_t>(id)};
  words_.write(NextHopWords::place_of(next_hop, entry.which),
               NextHopWord::make(entry.usable, entry.link_up,
                                 entry.is_static ? base::MacAddress{} : entry.mac));
  if (entry.usable == was_usable) return false;
  ++entry.changes;
  return true;
}

void NextHops::learned(base::PortId port, const base::IpAddress& address,
                       std::optional<base::MacAddress> mac) {
  for (std::vector<Entry>* entries : {&in_force_, &staged_}) {
    for (std::uint32_t id = 0; id < entries->size(); ++id) {
      Entry& entry = (*entries)[id];
      if (!entry.present || entry.is_static || entry.port != port) continue;
      if (entry.address != address) continue;
      entry.resolved = mac.has_value();
      if (mac) entry.mac = *mac;
      refresh(id, entry);
    }
  }
}

bool NextHops::update() {
  std::uint64_t links = 0;
  for (std::uint32_t port = 0; port < model_.port_slots(); ++port) {
    if (link_up(base::PortId{static_cast<std::uint16_t>(port)})) links |= std::uint64_t{1} << port;
  }
  if (links == links_) return false;
  links_ = links;
  bool changed = false;
  for (std::uint32_t id = 0; id < in_force_.size(); ++id) {
    if (staged_[id].present) refresh(id, staged_[id]);
    if (!in_force_[id].present || !refresh(id, in_force_[id])) continue;
    changed = true;
    LOG(info, "next_hop_change", {"next_hop", id}, {"usable", in_force_[id].usable},
        {"port", in_force_[id].port.value});
  }
  return changed;
}

NextHops::Entry NextHops::make_entry(const contract::NextHopSet& record,
                                     const Entry& before) const noexcept {
  Entry entry{.present = true,
              .is_static = !record.mac.is_zero(),
              .resolved = !record.mac.is_zero(),
              .which = static_cast<std::uint8_t>(before.which ^ 1),
              .port = record.port,
              .mac = record.mac,
              .address = record.address,
              .changes = before.changes};
  if (entry.is_static) return entry;
  // Another next hop may be the same neighbour.
  for (const Entry& other : in_force_) {
    if (!other.present || other.is_static || other.port != entry.port) continue;
    if (other.address != entry.address || !other.resolved) continue;
    entry.resolved = true;
    entry.mac = other.mac;
  }
  return entry;
}

void NextHops::plan() {
  if (!model_.objects_touched()) return;
  planned_ = true;
  for (std::uint32_t id = 0; id < staged_.size(); ++id) {
    const auto& slot = model_.next_hop(id);
    const Entry& before = in_force_[id];
    Entry& entry = staged_[id];
    if (!slot.present) {
      entry = Entry{.which = before.which, .changes = before.changes};
      continue;
    }
    const contract::NextHopSet& record = slot.record;
    // Another static MAC is another record of the VTEP, not another word.
    const bool same =
        before.present && before.port == record.port && before.address == record.address;
    entry = same ? before : make_entry(record, before);
    if (entry.is_static) entry.mac = record.mac;
    refresh(id, entry);
  }
}

void NextHops::keep() {
  if (!planned_) return;
  planned_ = false;
  in_force_ = staged_;
}

void NextHops::restore() {
  if (!planned_) return;
  planned_ = false;
  staged_ = in_force_;
}

}  // namespace dp
