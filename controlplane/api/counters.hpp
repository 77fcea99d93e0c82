// SPDX-License-Identifier: Apache-2.0
// Values of the counter region as JSON, by the region's own description: nothing here knows a
// counter's name. Sums over workers, unless the worker is asked for.
#pragma once

#include "dataplane/contract/region.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace cp {

// Which element of which dimension is meant; of two, where a block has two.
struct Position {
  std::string_view dimension;
  std::uint32_t index;
  std::string_view inner_dimension = {};
  std::uint32_t inner_index = 0;

  std::optional<std::uint32_t> in(std::string_view name) const noexcept {
    if (name.empty()) return std::nullopt;
    if (name == dimension) return index;
    if (name == inner_dimension) return inner_index;
    return std::nullopt;
  }
};

// The members of `block` ("port") at `at`, as {"rx_packets": …, "rx_kinds": {"roce_send": {…}}}.
// Labelled dimensions become nested objects without their zeros.
void add_counters(boost::json::object& out, const contract::RegionView& region,
                  std::string_view block, const Position& at);

// One member, summed over all dimensions that `at` does not name. 0 where there is no such field.
std::uint64_t read_counter(const contract::RegionView& region, std::string_view field,
                           const Position& at = {});

// How many positions the dimension of a field has; 0 where there is no such field.
std::uint32_t position_count(const contract::RegionView& region, std::string_view field,
                             std::string_view dimension);

}  // namespace cp
