// SPDX-License-Identifier: Apache-2.0
// CHECK: a bug stops the program with its place. Bad input and bad packets never come here.
#pragma once

namespace base {

[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace base

#define CHECK(expression)                                     \
  (__builtin_expect(!!(expression), 1) ? static_cast<void>(0) \
                                       : ::base::check_failed(#expression, __FILE__, __LINE__))
