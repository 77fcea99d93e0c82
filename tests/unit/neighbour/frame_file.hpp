// SPDX-License-Identifier: Apache-2.0
// The frames that frames.py had scapy write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace test {

struct NeighbourCase {
  std::string expected;  // "ok", a fault's name, or "ours".
  std::string name;
  std::vector<std::uint8_t> frame;
};

// Ends the program where the file named by WEIR_NEIGHBOUR_FRAMES cannot be read.
const std::vector<NeighbourCase>& neighbour_cases();
// The frame of that name; the expectation tells frames of one name apart.
std::vector<std::uint8_t> neighbour_frame(std::string_view expected, std::string_view name);

}  // namespace test
