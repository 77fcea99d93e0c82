// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/log.hpp"

#include <cstdio>
#include <ctime>
#include <unistd.h>

namespace base {
namespace {

constexpr std::uint32_t lines_per_second_max = 10;

// Written by set_log before threads start, read by all afterwards.
LogLevel least_level = LogLevel::info;
LogFormat line_format = LogFormat::text;
std::string program_name = "weir";

const char* name(LogLevel level) noexcept {
  return log_level_names[static_cast<std::size_t>(level)].data();
}

// The text between quotes of JSON; key=value lines use the same escapes.
void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      line += escape;
    } else {
      line += c;
    }
  }
  line += '"';
}

bool needs_quotes(std::string_view text) noexcept {
  if (text.empty()) return true;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void append_field(std::string& line, std::string_view key, std::string_view value, bool is_number) {
  if (line_format == LogFormat::json) {
    line += line.empty() ? '{' : ',';
    append_quoted(line, key);
    line += ':';
    if (is_number) {
      line += value;
    } else {
      append_quoted(line, value);
    }
    return;
  }
  if (!line.empty()) line += ' ';
  line += key;
  line += '=';
  if (!is_number && needs_quotes(value)) {
    append_quoted(line, value);
  } else {
    line += value;
  }
}

std::string timestamp(const timespec& now) {
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char text[48];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03ldZ", now.tv_nsec / 1'000'000);
  return text;
}

// False where this second's lines are used up. Several threads may pass a few lines more;
// the limit is against floods, not exact.
bool admit(LogSite& site, std::uint64_t second, std::uint32_t& held_back) noexcept {
  if (site.second.exchange(second, std::memory_order_relaxed) != second) {
    site.lines.store(0, std::memory_order_relaxed);
  }
  if (site.lines.fetch_add(1, std::memory_order_relaxed) >= lines_per_second_max) {
    site.held_back.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  held_back = site.held_back.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace

void set_log(LogLevel least, LogFormat format, std::string_view program) noexcept {
  least_level = least;
  line_format = format;
  program_name = program;
}

bool log_enabled(LogLevel level) noexcept {
  return level >= least_level;
}

void write_log(LogSite& site, LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  std::uint32_t held_back = 0;
  if (!admit(site, static_cast<std::uint64_t>(now.tv_sec), held_back)) return;

  std::string line;
  append_field(line, "time", timestamp(now), false);
  append_field(line, "level", name(level), false);
  append_field(line, "program", program_name, false);
  append_field(line, "event", event, false);
  for (const LogField& field : fields) append_field(line, field.key, field.text, field.is_number);
  if (held_back > 0) append_field(line, "held_back", std::to_string(held_back), true);
  if (line_format == LogFormat::json) line += '}';
  line += '\n';
  // One write a line, so that lines of several threads do not mix. Nobody can be told of a failure.
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace base
