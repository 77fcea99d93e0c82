// SPDX-License-Identifier: Apache-2.0
// The command line → what to do. CLI11 reads the options; what exists stands in tree.cpp.
#pragma once

#include "controlplane/cli/tree.hpp"

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace cp {

struct CommandLine {
  Invocation invocation;  // Its command is nullptr where none is named.
  Target target;
  std::chrono::milliseconds timeout{60'000};
  std::optional<std::string> batch;  // -f
  bool help = false;                 // Of `help_noun`, `help_verb`, or of all.
  bool manual = false;
  bool version = false;
  std::string help_noun;
  std::string help_verb;
};

// What was typed, and from the environment what was not. The error says what is missing.
std::expected<Target, std::string> choose_target(Target typed);

// The error is a sentence with the nearest right thing.
std::expected<CommandLine, std::string> parse_command_line(const std::vector<std::string>& words);

}  // namespace cp
