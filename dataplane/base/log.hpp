// SPDX-License-Identifier: Apache-2.0
// Structured log lines on stderr: key=value text, or one JSON object a line.
// Never from a worker: this header is out of reach for pipelines/ and worker/.
#pragma once

#include "dataplane/base/error.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace base {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };
// In the order of the enumerators.
inline constexpr std::array<std::string_view, 4> log_level_names{"debug", "info", "warning",
                                                                 "error"};
inline constexpr std::array<std::string_view, 2> log_format_names{"text", "json"};

// Called once by main, before threads start.
void set_log(LogLevel least, LogFormat format, std::string_view program) noexcept;
bool log_enabled(LogLevel level) noexcept;

// One key with its value; numbers are kept apart so that JSON shows them bare.
struct LogField {
  std::string_view key;
  std::string text;
  bool is_number;

  LogField(std::string_view k, std::string_view v) : key(k), text(v), is_number(false) {}
  LogField(std::string_view k, const char* v) : LogField(k, std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : LogField(k, std::string_view(v)) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view k, T v) : key(k), text(std::to_string(v)), is_number(true) {}
};

// At most 10 lines a second from one place; what is held back is told with the next line.
struct LogSite {
  std::atomic<std::uint64_t> second{0};
  std::atomic<std::uint32_t> lines{0};
  std::atomic<std::uint32_t> held_back{0};
};

void write_log(LogSite& site, LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) noexcept;

}  // namespace base

// LOG(info, "port_added", {"port", name}, {"queues", 2});
#define LOG(level, event, ...)                                                    \
  do {                                                                            \
    if (::base::log_enabled(::base::LogLevel::level)) {                           \
      static ::base::LogSite log_site;                                            \
      ::base::write_log(log_site, ::base::LogLevel::level, event, {__VA_ARGS__}); \
    }                                                                             \
  } while (false)
