// SPDX-License-Identifier: Apache-2.0
// The difference between two intents as text, a line an object: what undoes a change, what a change
// is before it is done, what a saved state is. Pure.
//
//   + command network red {"name":"red","vni":200}
//   - port wire1
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cp {

// Of two sorted intents: what makes `to` of `from`.
std::string write_difference(const Intent& from, const Intent& to);

// What is to go and is not there has gone. Refused where the text is none of ours.
Result<Intent> apply_difference(const Intent& from, std::string_view text);

// The difference that does what these do one after the other.
std::string join_differences(const std::vector<std::string>& texts);

}  // namespace cp
