// SPDX-License-Identifier: Apache-2.0
// The result for programs. Names are those of the table; README.md explains each.
#pragma once

#include "tools/pktgen/report/result.hpp"

#include <string>

namespace pktgen {

std::string to_json(const Result& result);
// As in the result's series.
std::string to_json(const Second& second);

}  // namespace pktgen
