// SPDX-License-Identifier: Apache-2.0
// What differs between two intents, for people and programs: what --dry-run and diff show.
#pragma once

#include "controlplane/intent/model.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

enum class ChangeKind : std::uint8_t { add, change, remove };

struct FieldChange {
  std::string_view field;
  std::string before;  // As set_field() reads it; empty: left out.
  std::string after;
};

struct Change {
  ChangeKind kind;
  ObjectKind object;
  std::string key;
  std::vector<FieldChange> fields;  // Without the key's; none of what is removed.
  std::string_view note;  // What it means for traffic, where it means something; or empty.
  Owner owner;            // Of the object afterwards; of one that goes, of it.
  std::optional<Owner> owner_before;  // Where it changes hands.
};

struct ChangeCounts {
  std::size_t added = 0;
  std::size_t changed = 0;
  std::size_t removed = 0;

  friend bool operator==(const ChangeCounts&, const ChangeCounts&) = default;
};

// What is told of a million changes: how many they are, and the first ones.
struct ChangeSummary {
  ChangeCounts counts;
  std::size_t of_file = 0;  // Of those that change or remove, how many the file's objects are.
  std::array<std::ptrdiff_t, owner_count> more_of{};  // By owner: how many objects more it has.
  std::vector<Change> first;

  std::size_t size() const noexcept { return counts.added + counts.changed + counts.removed; }
  bool empty() const noexcept { return size() == 0; }
};

// Of sorted intents; by kind, then by key.
std::vector<Change> find_changes(const Intent& before, const Intent& after);
ChangeSummary summarise_changes(const Intent& before, const Intent& after, std::size_t first_max);

// "+ endpoint blue/02:00:00:00:0b:01 → vtep gw2", "~ port wire0: mtu 1500 → 1600", "- vtep gw9".
// An object that is not the source's own says whose it is: "- vtep gw9 (owner file)".
std::string to_string(const Change& change, Owner source = Owner::file);
// A line each.
std::string to_text(const std::vector<Change>& changes);
// [{"change":"add","kind":"port","key":"wire0","fields":{"mtu":{"before":…,"after":…}},…}]
std::string to_json(const std::vector<Change>& changes);

}  // namespace cp
