// SPDX-License-Identifier: Apache-2.0
// The command line of weir-pktgen. What is sent stands in the profile; what stands here is where it
// goes, and what may differ from run to run.
#pragma once

#include "dataplane/base/log.hpp"
#include "tools/pktgen/measure/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pktgen {

// Which end of the queue pairs of mode endpoints this process is.
enum class Side : std::uint8_t { left, right };
inline constexpr std::array<std::string_view, 2> side_words{"left", "right"};

// Where frames are carried by the program itself: of a thousand frames, so many.
struct LinkChances {
  std::uint32_t lose = 10;
  std::uint32_t repeat = 10;
  std::uint32_t delay = 10;
  std::uint32_t damage = 10;
  std::uint32_t mark = 100;
};

struct Options {
  std::string profile;
  std::vector<std::string> ports;  // The first sends, all are listened to.
  Side side = Side::left;
  bool receive_only = false;
  bool send_only = false;
  bool self_test = false;
  bool bench = false;
  LinkChances chances;
  std::optional<std::uint32_t> seconds;
  std::optional<std::uint64_t> frames;
  std::optional<std::uint64_t> seed;
  std::optional<std::uint64_t> frames_per_second;
  std::optional<std::uint64_t> bits_per_second;
  std::uint16_t mtu = 0;  // 0: as the device has it.
  std::uint32_t drain_ms = 500;
  ClockSource clock = ClockSource::monotonic;
  bool json = false;
  bool progress = false;
  bool stream = false;
  bool check = false;
  bool spin = false;
  std::optional<unsigned> core;
  std::uint32_t mbufs = 16384;
  std::uint32_t mbuf_bytes = 4608;
  bool no_hugepages = false;
  std::string bpffs = "/sys/fs/bpf";
  base::LogLevel log_level = base::LogLevel::warning;
  base::LogFormat log_format = base::LogFormat::text;
};

// Exit statuses, as --help says.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_check = 3;

// Prints what --help, --list, --show, --fields or a mistake asks for and ends the program; returns
// otherwise.
Options parse_options(int argc, char** argv);

}  // namespace pktgen
