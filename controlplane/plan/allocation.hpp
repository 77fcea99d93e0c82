// SPDX-License-Identifier: Apache-2.0
// Names ↔ the numbers that the contract uses for them. A name keeps its number while it lives, over
// restarts of either process (the store keeps them); a freed number is given again only after all
// that lie above it, so that counters of the old object are not soon taken for the new one's.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"
#include "dataplane/base/id.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cp {

// The numbers of one kind of object.
class Numbers {
 public:
  // Numbers are first..last.
  Numbers(std::uint16_t first, std::uint16_t last) noexcept
      : first_(first), last_(last), next_(first) {}

  // How many numbers the data plane has room for; names keep what they have.
  void set_last(std::uint16_t last) noexcept { last_ = last; }
  std::uint16_t last() const noexcept { return last_; }

  // The number of the name; a new name gets the next one that is free. nullopt: all are taken.
  std::optional<std::uint16_t> take(std::string_view name);
  // False where the number or the name is taken, or out of range: a store that is damaged.
  bool restore(std::string_view name, std::uint16_t number);
  void release(std::string_view name) noexcept;

  std::optional<std::uint16_t> find(std::string_view name) const noexcept;
  // Empty where the number is free.
  std::string_view name_of(std::uint16_t number) const noexcept;
  std::size_t size() const noexcept { return by_name_.size(); }

  // Calls f(name, number) for each, in the order of the numbers.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t number = 0; number < names_.size(); ++number) {
      if (!names_[number].empty()) f(names_[number], static_cast<std::uint16_t>(number));
    }
  }

  friend bool operator==(const Numbers& left, const Numbers& right) noexcept {
    return left.by_name_ == right.by_name_;
  }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::uint16_t first_;
  std::uint16_t last_;
  std::uint32_t next_;              // Where the search for a free number begins.
  std::vector<std::string> names_;  // By number; empty: free.
  std::unordered_map<std::string, std::uint16_t, TextHash, std::equal_to<>> by_name_;
};

struct Allocation {
  Numbers ports;
  Numbers vteps;
  Numbers networks;
  Numbers next_hops;

  explicit Allocation(const Limits& limits = {}) noexcept;

  // Another data plane has other limits. Names whose numbers lie beyond them lose these, and true
  // is returned: then everything must be sent anew.
  bool fit(const Limits& limits);

  // nullptr for endpoints, host rules and queues: they have no numbers.
  Numbers* of(ObjectKind kind) noexcept;
  const Numbers* of(ObjectKind kind) const noexcept;

  // no_port, no_vtep, no_network, no_next_hop where the name has no number.
  base::PortId port(std::string_view name) const noexcept;
  base::VtepId vtep(std::string_view name) const noexcept;
  base::NetworkId network(std::string_view name) const noexcept;
  base::NextHopId next_hop(std::string_view name) const noexcept;
  // Of a remote VTEP that is its own next hop.
  base::NextHopId next_hop_of(const Vtep& vtep) const;

  // Gives numbers to all names of the intent that have none. Fails where a kind has no more.
  Status take_all(const Intent& intent);
  // Frees the numbers of names that the intent does not have: after it has been applied.
  void release_unused(const Intent& intent);

  friend bool operator==(const Allocation&, const Allocation&) = default;
};

}  // namespace cp
