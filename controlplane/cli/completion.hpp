// SPDX-License-Identifier: Apache-2.0
// What may be typed next. Names of objects come from the running server, if it answers fast.
#pragma once

#include "controlplane/intent/model.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

// Names that the server knows; empty where nobody answers.
struct NameSource {
  std::function<std::vector<std::string>(ObjectKind)> keys;  // Of the objects of a kind.
  std::function<std::vector<std::string>()> states;          // Of saved states.
};

// `words` are those after "weir"; the last is the one being typed and may be empty. Answers with
// whole words that start with it.
std::vector<std::string> complete(const std::vector<std::string>& words, const NameSource& names);

// The shells that there are scripts for.
std::span<const std::string_view> shells();
// Such a script, which calls `weir --complete WORDS…`; empty for other shells.
std::string_view completion_script(std::string_view shell);

}  // namespace cp
