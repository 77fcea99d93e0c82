// SPDX-License-Identifier: Apache-2.0
// The difference between two intents as text, a line an object: what undoes a change, what a change
// is before it is done, what a saved state is. Pure.
//
//   + command network red {"name":"red","vni":200}
//   + file endpoint red/02:00:00:00:0b:01 vtep gw2
//   - port wire1
//   - endpoint *
//
// An endpoint has no braces, as there may be a million; former releases wrote them, and they are
// still read. A star stands for all of a kind, before anything else is said of it.
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
