// SPDX-License-Identifier: Apache-2.0
// What differs between two intents, for people and programs: what --dry-run and diff show.
#pragma once

#include "controlplane/intent/model.hpp"

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

// Of sorted intents; by kind, then by key.
std::vector<Change> find_changes(const Intent& before, const Intent& after);

ChangeCounts count(const std::vector<Change>& changes) noexcept;

// "+ endpoint blue/02:00:00:00:0b:01 → vtep gw2", "~ port wire0: mtu 1500 → 1600", "- vtep gw9".
// An object that is not the source's own says whose it is: "- vtep gw9 (owner file)".
std::string to_string(const Change& change, Owner source = Owner::file);
// A line each.
std::string to_text(const std::vector<Change>& changes);
// [{"change":"add","kind":"port","key":"wire0","fields":{"mtu":{"before":…,"after":…}},…}]
std::string to_json(const std::vector<Change>& changes);

}  // namespace cp
