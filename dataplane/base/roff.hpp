// SPDX-License-Identifier: Apache-2.0
// Pieces of manual pages in roff.
#pragma once

#include <string>
#include <string_view>

namespace base {

// Roff takes a backslash for itself, a hyphen for a place to break at, and a dot or a quote at a
// line's start for a request.
std::string roff(std::string_view text);
// Lines that stay as they are; `text` ends with its line's end.
std::string roff_literal(std::string_view text);
// A word in bold, and indented what it means.
std::string roff_row(std::string_view left, std::string_view right);

}  // namespace base
