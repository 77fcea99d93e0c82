// SPDX-License-Identifier: Apache-2.0
// The command line of weir-supervisor.
#pragma once

#include "dataplane/base/log.hpp"
#include "tools/supervisor/crash_loop.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace supervisor {

struct Options {
  std::vector<std::string> command;  // The program and its arguments.
  std::string pid_file;              // Empty: none.
  CrashLoop::Config crashes;
  bool has_safe_mode = false;
  std::chrono::milliseconds watchdog{2'000};  // 0: the program is not watched.
  std::chrono::milliseconds patience{10'000};
  base::LogLevel log_level = base::LogLevel::info;
  base::LogFormat log_format = base::LogFormat::text;
};

// Prints what --help, --version or a mistake asks for and ends the program; returns otherwise.
Options parse_options(int argc, char** argv);

}  // namespace supervisor
