// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/roff.hpp"

namespace base {

std::string roff(std::string_view text) {
  constexpr std::string_view ellipsis = "…";
  std::string result;
  bool begins = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_ellipsis = text.substr(i).starts_with(ellipsis);
    if (begins && (text[i] == '.' || text[i] == '\'' || is_ellipsis)) result += "\\&";
    begins = text[i] == '\n';
    if (text[i] == '\\') {
      result += "\\e";
    } else if (text[i] == '-') {
      result += "\\-";
    } else if (is_ellipsis) {
      result += "...";
      i += ellipsis.size() - 1;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

std::string roff_literal(std::string_view text) {
  return ".nf\n" + roff(text) + ".fi\n";
}

std::string roff_row(std::string_view left, std::string_view right) {
  return ".TP\n\\fB" + roff(left) + "\\fR\n" + roff(right) + "\n";
}

}  // namespace base
