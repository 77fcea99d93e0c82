// SPDX-License-Identifier: Apache-2.0
// The command line of weir-dataplane: every size that is fixed at start, with its default.
#pragma once

#include "dataplane/base/log.hpp"
#include "dataplane/base/seccomp.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace dp {

struct Options {
  std::string runtime_dir = "/run/weir";
  std::uint16_t workers = 1;
  std::vector<unsigned> cores;  // Of the workers in turn; empty: the scheduler chooses.
  std::uint32_t mbufs = 16384;
  std::uint32_t mbuf_bytes = 2048;  // Of packet data, headroom not counted.
  std::uint32_t endpoints = 65536;
  std::uint32_t networks = 4096;
  std::uint32_t vteps = 4096;
  std::uint32_t next_hops = 1024;
  std::uint16_t rx_descriptors = 512;
  std::uint16_t tx_descriptors = 512;
  bool idle_sleep = true;  // false: spin.
  std::uint32_t idle_sleep_max_us = 200;
  // So long a worker may stand still before the process ends, to be started again; 0: for ever.
  std::chrono::milliseconds stall_limit{150};
  std::string bpffs = "/sys/fs/bpf";
  std::string port_helper;  // Its socket; empty: one of our own is started.
  std::string user;         // Empty: stays who it was started as.
  bool take_over = false;   // Replaces the data plane that runs in the runtime directory.
  bool detach = false;      // Goes on in the background; the process that was started waits.
  std::string safe_mode;    // Why nothing is carried; empty: it is.
  bool no_hugepages = false;
  bool no_adoption = false;  // No table file is read or written.
  base::SeccompMode seccomp = base::SeccompMode::kill;
  base::LogLevel log_level = base::LogLevel::info;
  base::LogFormat log_format = base::LogFormat::text;
};

// Prints what --help, --version or a mistake asks for and ends the program; returns otherwise.
Options parse_options(int argc, char** argv);

}  // namespace dp
