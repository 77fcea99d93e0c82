// SPDX-License-Identifier: Apache-2.0
// --log-level and --log-format, the same for both programs. By name: CLI11 would print an
// enumerator as a character, in its help and in what it complains of.
#pragma once

#include "dataplane/base/log.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace base {

template <class Value, class Names>
void add_choice(CLI::App& app, const char* option, Value& value, const Names& names,
                const char* help) {
  const std::vector<std::string> words(names.begin(), names.end());
  app.add_option_function<std::string>(
         option,
         [&value, words](const std::string& word) {
           value = static_cast<Value>(std::ranges::find(words, word) - words.begin());
         },
         help)
      ->transform(CLI::IsMember(words, CLI::ignore_case))
      ->default_str(words[static_cast<std::size_t>(value)]);
}

// `level` and `format` hold the defaults, and outlive the parsing.
inline void add_log_options(CLI::App& app, LogLevel& level, LogFormat& format) {
  add_choice(app, "--log-level", level, log_level_names, "Least severity that is logged");
  add_choice(app, "--log-format", format, log_format_names, "Form of the log lines on stderr");
}

}  // namespace base
