// SPDX-License-Identifier: Apache-2.0
// Rates and queue over time as SVG.
#pragma once

#include "tests/bench/loop/world.hpp"

#include <string>

namespace bench {

std::string picture(const Scenario& scenario, const std::vector<Sample>& samples);

}  // namespace bench
