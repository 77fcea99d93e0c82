// SPDX-License-Identifier: Apache-2.0
// One frame of every verb and event with a number of its own in every field: what the golden files
// of a release hold. A field that joins gets its value here; one that has a value never changes it.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/contract/event.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace test {

struct Sample {
  std::string_view name;
  std::vector<std::byte> frame;
  std::size_t record_size;
};

// nullopt: no such verb, no such event.
std::optional<Sample> sample_of(contract::Verb verb);
std::optional<Sample> sample_of(contract::EventType type);

// All of them, in the order of their numbers.
std::vector<Sample> command_samples();
std::vector<Sample> event_samples();

inline constexpr std::uint32_t sample_transaction = 7;
inline constexpr std::uint32_t sample_sequence = 9;

}  // namespace test
