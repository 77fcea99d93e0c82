// SPDX-License-Identifier: Apache-2.0
// Keeps the words by which workers know the next hops: usable where the MAC is known and the link
// of the port is up. Links are looked at each turn; MACs are static, or come in by learned().
//
//   Model (what is configured) ─┐
//   Ports (links) ──────────────┼─► NextHops ─► Tables::next_hops (read by workers)
//   resolver: learned() ────────┘
//
// A transaction gives a next hop that is new, or of another port or address, its other word; what
// is in force keeps its own until all workers have passed.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/ports.hpp"
#include "dataplane/table/next_hop_words.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace dp {

class NextHops {
 public:
  struct Entry {
    bool present = false;
    bool is_static = false;
    bool resolved = false;  // Or static.
    bool usable = false;
    bool link_up = false;
    std::uint8_t which = 0;  // Of its two words.
    base::PortId port = base::no_port;
    base::MacAddress mac{};  // As last known.
    base::IpAddress address{};
    std::uint64_t changes = 0;  // Of `usable`.
  };

  // All outlive this.
  NextHops(NextHopWords& words, const Model& model, const Ports& ports);

  // What `address` on the link of `port` has for a MAC, from whoever resolves it; nullopt: it does
  // not answer. Packets follow at once.
  void learned(base::PortId port, const base::IpAddress& address,
               std::optional<base::MacAddress> mac);

  // Every turn: links that came and went. True: something changed.
  bool update();

  // A transaction's part: before records are derived; once all workers have passed; instead of
  // that.
  void plan();
  void keep();
  void restore();

  // The word that packets of the generation in the making look at.
  NextHopPlace place(base::NextHopId next_hop) const noexcept {
    return NextHopWords::place_of(next_hop, staged_[next_hop.value].which);
  }
  // In force, by NextHopId; 0 is never present.
  const std::vector<Entry>& entries() const noexcept { return in_force_; }

 private:
  Entry make_entry(const contract::NextHopSet& record, const Entry& before) const noexcept;
  bool link_up(base::PortId port) const noexcept;
  bool refresh(std::uint32_t id, Entry& entry);

  NextHopWords& words_;
  const Model& model_;
  const Ports& ports_;
  std::vector<Entry> in_force_;
  std::vector<Entry> staged_;  // The same while no transaction has changed any.
  bool planned_ = false;
  std::uint64_t links_ = 0;  // One bit per port, as last seen.
};

}  // namespace dp
