// SPDX-License-Identifier: Apache-2.0
// What is wanted, as the differences that led there (difference.hpp): each row of `layers` leads
// from what those before it say one change further, the first one from nothing.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/store/prepared.hpp"
#include "controlplane/store/sqlite.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

// A row of the table as the store knows it without its text.
struct Layer {
  LayerNumber number;
  std::uint64_t bytes;
  std::uint64_t digest;
};

struct Layers {
  std::vector<Layer> rows;
  std::vector<std::string> texts;  // In the same order.
};

// Called within a transaction, but for reading.
Result<Layer> write_layer(Database& database, LayerNumber number, std::string_view difference);
Status remove_layer(Database& database, LayerNumber number);
Result<Layers> read_layers(Database& database);
// Adds to `digest` what all rows say, without keeping their texts.
Status add_up_layers(Database& database, std::uint64_t& digest);

// What is on top of `base` with all these.
Result<Intent> apply_layers(const Intent& base, std::vector<std::string> texts);

}  // namespace cp
