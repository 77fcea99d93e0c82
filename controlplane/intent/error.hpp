// SPDX-License-Identifier: Apache-2.0
// What is wrong with a request, in words for its author: which object, which field, where in the
// file, and what would be right. As many as can be found in one run are told at once.
#pragma once

#include "dataplane/base/error.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

// Lines and columns count from 1; 0: not known.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct Error {
  base::Errc code = base::Errc::invalid_argument;
  std::string message;  // A sentence without its full stop.
  std::string object;   // "port wire0", "endpoint blue/02:00:00:00:0a:01"; empty: the whole.
  std::string field;    // "mtu"; empty: no single one.
  std::string file;     // As the operator named it; empty: not from a file.
  Place place;
  std::string suggestion;  // The nearest right thing, ready to be written; empty: none is near.
};

using Errors = std::vector<Error>;
template <class T>
using Result = std::expected<T, Errors>;
using Status = std::expected<void, Errors>;

// More would bury the first one.
inline constexpr std::size_t error_count_max = 20;

inline Error make_error(base::Errc code, std::string message) {
  Error error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

inline std::unexpected<Errors> fail(Error error) {
  Errors errors;
  errors.push_back(std::move(error));
  return std::unexpected(std::move(errors));
}

// "lab.yaml:12:7: port wire0: mtu: must be 576..9978 (nearest: 9978)".
std::string to_string(const Error& error);

// The candidate that a misspelled `word` most probably meant; empty where none is near.
std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace cp
