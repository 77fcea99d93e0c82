// SPDX-License-Identifier: Apache-2.0
// A small YAML file as a tree with places. Profiles are read once and have a few dozen lines; what
// is read by the hundred thousand is read without a tree (controlplane/intent).
#pragma once

#include "controlplane/intent/events.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace pktgen {

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { nothing, scalar, map, list };

  Kind kind = Kind::nothing;
  cp::Place place;
  std::string text;  // Of a scalar.
  cp::Form form = cp::Form::plain;
  std::vector<Entry> entries;  // Of a map.
  std::vector<Node> items;     // Of a list.

  const Entry* find(std::string_view key) const noexcept;
};

struct Entry {
  std::string key;
  cp::Place place;
  Node value;
};

// The errors name file and place; a key that is given twice is one.
cp::Result<Node> read_tree(std::string_view text, const std::string& file);

}  // namespace pktgen
