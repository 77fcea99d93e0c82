// SPDX-License-Identifier: Apache-2.0
// Expected failures: what went wrong, in a value that allocates nothing.
// Packet problems are Verdicts and bugs are CHECKs; neither belongs here.
#pragma once

#include <cstdint>
#include <expected>
#include <source_location>

namespace base {

// Stands in reply frames: values are never renumbered, new ones go to the end.
enum class Errc : std::uint16_t {
  ok = 0,
  invalid_argument = 1,  // A field has a value that makes no sense.
  not_found = 2,         // What is named does not exist.
  already_exists = 3,    // What is to be made exists.
  in_use = 4,            // What is to be removed is still referred to.
  table_full = 5,        // A table or pool has no room; its size is an option.
  out_of_memory = 6,
  busy = 7,            // Another transaction or controller is active.
  wrong_state = 8,     // The request does not fit the moment (commit without begin).
  unsupported = 9,     // The device, the kernel or this release cannot do it.
  malformed = 10,      // Bytes that are no frame, no record, no document.
  version_skew = 11,   // The two sides speak no common version.
  device_failed = 12,  // A port could not be created, started or reached.
  io = 13,             // A system call failed; error_number tells which way.
  timed_out = 14,
  closed = 15,  // The peer is gone.
};

struct Error {
  Errc code;
  const char* text;  // A literal: a sentence that tells the operator what to do.
  int error_number;  // errno at the time, or 0.
  const char* file;
  std::uint32_t line;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

// For `return fail(Errc::not_found, "no such port");`.
inline std::unexpected<Error> fail(
    Errc code, const char* text, int error_number = 0,
    std::source_location where = std::source_location::current()) noexcept {
  return std::unexpected(Error{.code = code,
                               .text = text,
                               .error_number = error_number,
                               .file = where.file_name(),
                               .line = where.line()});
}

const char* name(Errc code) noexcept;

}  // namespace base
