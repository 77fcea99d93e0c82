// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/duration.hpp"

#include <charconv>
#include <optional>

namespace cp {
namespace {

using std::chrono::seconds;

constexpr seconds longest{24 * 3600};

std::optional<seconds> unit_of(std::string_view word) {
  if (word.empty() || word == "s") return seconds(1);
  if (word == "m") return seconds(60);
  if (word == "h") return seconds(3600);
  return std::nullopt;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text, std::string_view field) {
  std::uint32_t count = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto read = std::from_chars(begin, end, count);
  const auto unit = unit_of({read.ptr, static_cast<std::size_t>(end - read.ptr)});
  if (read.ec == std::errc() && unit && count > 0 && count <= longest / *unit) {
    return std::chrono::milliseconds(count * *unit);
  }
  Error error;
  error.field = field;
  error.message = "must be a time of 1s to 24h, not \"" + std::string(text) + "\"";
  error.suggestion = "120s";
  return fail(std::move(error));
}

}  // namespace cp
