// SPDX-License-Identifier: Apache-2.0
// The manual page of a program, made of the options that its --help shows.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace base {

struct ManualSection {
  std::string_view title;
  std::string text;  // Roff.
};

struct Manual {
  std::string_view program;
  int section = 8;
  std::string_view summary;   // Half a sentence.
  std::string_view synopsis;  // What stands behind the program's name; roff.
  std::vector<ManualSection> more;
};

std::string manual_page(const CLI::App& app, const Manual& manual);

// --man, which ends the parsing as --version does; `manual` outlives it.
void add_manual_option(CLI::App& app, const Manual& manual);

// The words between which an option chooses, blanks between them; none where it does not.
std::string choices_of(const CLI::Option& option);
bool takes_value(const CLI::Option& option);

}  // namespace base
