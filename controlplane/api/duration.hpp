// SPDX-License-Identifier: Apache-2.0
// A time as people write it: "120s", "10m", "1h"; a bare number is seconds.
#pragma once

#include "controlplane/intent/error.hpp"

#include <chrono>
#include <string_view>

namespace cp {

// Refused outside of 1 s to 24 h; `field` is what the error names.
Result<std::chrono::milliseconds> parse_duration(std::string_view text, std::string_view field);

}  // namespace cp
