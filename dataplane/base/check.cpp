// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace base {

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "weir: bug: %s:%d: not true: %s\n", file, line, expression);
  std::abort();
}

}  // namespace base
