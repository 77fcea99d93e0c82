// SPDX-License-Identifier: Apache-2.0
// What differs between two intents, for people and programs: what --dry-run and diff show.
#pragma once

#include "controlplane/intent/model.hpp"

#include <cstdint>
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
};

// Of sorted intents; by kind, then by key.
std::vector<Change> find_changes(const Intent& before, const Intent& after);

// "+ endpoint blue/02:00:00:00:0b:01 → vtep gw2", "~ port wire0: mtu 1500 → 1600", "- vtep gw9".
std::string to_string(const Change& change);
// A line each.
std::string to_text(const std::vector<Change>& changes);
// [{"change":"add","kind":"port","key":"wire0","fields":{"mtu":{"before":…,"after":…}},…}]
std::string to_json(const std::vector<Change>& changes);

}  // namespace cp
