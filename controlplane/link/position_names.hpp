// SPDX-License-Identifier: Apache-2.0
// What the operator calls the positions of the counter region's dimensions: the data plane knows
// numbers, people know names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cp {

// Dimension ("port", "network", "vtep", "next_hop") → the positions in use, in the order of their
// numbers. With a block in front ("queue.port") they are meant for that block alone.
using PositionNames =
    std::map<std::string, std::vector<std::pair<std::uint32_t, std::string>>, std::less<>>;

}  // namespace cp
