// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/neighbour/frame_file.hpp"

#include "dataplane/base/check.hpp"

#include <cstdlib>
#include <fstream>
#include <string_view>

namespace test {
namespace {

std::vector<NeighbourCase> read_cases() {
  const char* path = std::getenv("WEIR_NEIGHBOUR_FRAMES");
  CHECK(path != nullptr);
  std::ifstream file(path);
  CHECK(file.is_open());
  std::vector<NeighbourCase> cases;
  std::string hex;
  for (NeighbourCase one; std::getline(file, one.expected, '\t') &&
                          std::getline(file, one.name, '\t') && std::getline(file, hex);) {
    one.frame.clear();
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      one.frame.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    cases.push_back(one);
  }
  CHECK(!cases.empty());
  return cases;
}

}  // namespace

const std::vector<NeighbourCase>& neighbour_cases() {
  static const std::vector<NeighbourCase> cases = read_cases();
  return cases;
}

std::vector<std::uint8_t> neighbour_frame(std::string_view expected, std::string_view name) {
  for (const NeighbourCase& one : neighbour_cases()) {
    if (one.expected == expected && one.name == name) return one.frame;
  }
  CHECK(!"no such frame in frames.py");
  std::abort();
}

}  // namespace test
