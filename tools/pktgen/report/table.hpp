// SPDX-License-Identifier: Apache-2.0
// The result for people, and the line that tells them of each second.
#pragma once

#include "tools/pktgen/report/result.hpp"

#include <string>

namespace pktgen {

std::string to_table(const Result& result);
// Without a line's end.
std::string progress_line(const Second& second);

}  // namespace pktgen
