// SPDX-License-Identifier: Apache-2.0
// What a control plane of another release is told where this data plane does not know what it asks
// for: one sentence with both releases, for the operator who reads it there.
#pragma once

#include "dataplane/contract/command.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dp {

// Empty: both can speak. Else why they cannot.
std::string why_no_session(const contract::Hello& hello);
std::string unknown_verb(std::uint16_t verb, std::string_view controller_release);

}  // namespace dp
