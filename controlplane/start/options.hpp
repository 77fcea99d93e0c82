// SPDX-License-Identifier: Apache-2.0
// What weir-controlplane is told on its command line, and the directories that it needs.
#pragma once

#include "controlplane/connection/tls.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/base/seccomp.hpp"

#include <cstdint>
#include <expected>
#include <string>

namespace cp {

struct Options {
  std::string runtime_dir = "/run/weir";
  std::string state_dir = "/var/lib/weir";
  std::string socket_group;           // Empty: the process's own.
  std::string admin_group;            // Empty: whoever reaches the socket may change everything.
  std::string metrics_listen;         // Empty: not over TCP.
  std::string listen;                 // Empty: the API is not served over TCP.
  TlsFiles tls;                       // All of them with `listen`, else none.
  std::uint32_t request_rate = 5000;  // A second, of one user. 0: as many as they like.
  base::SeccompMode seccomp = base::SeccompMode::kill;
  base::LogLevel log_level = base::LogLevel::info;
  base::LogFormat log_format = base::LogFormat::text;
};

// The error is the exit status: 0 after --help and --version, 2 where it makes no sense.
std::expected<Options, int> read_options(int argc, char** argv);

// The runtime directory as 0750, or 0751 where the socket in it has a group of its own, whose
// members have to come by; the state directory as 0700. Existing ones stay as they are.
std::expected<void, std::string> make_directories(const Options& options);

}  // namespace cp
