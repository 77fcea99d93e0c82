// SPDX-License-Identifier: Apache-2.0
// Without memory or threads a process ends with a sentence and status 1, not by a signal.
#include "dataplane/base/memory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <stdexcept>
#include <system_error>

namespace {

TEST(OutOfMemoryDeathTest, what_operator_new_cannot_get_ends_the_process) {
  EXPECT_EXIT(
      {
        base::end_without_resources();
        std::get_new_handler()();
      },
      testing::ExitedWithCode(1), "^unit_out_of_memory: out of memory: ended at once\n$");
}

void throw_through_noexcept(void (*thrower)()) noexcept {
  thrower();
}

TEST(OutOfMemoryDeathTest, so_does_what_is_thrown_through_a_noexcept) {
  EXPECT_EXIT(
      {
        base::end_without_resources();
        throw_through_noexcept([] { throw std::bad_alloc(); });
      },
      testing::ExitedWithCode(1), "^unit_out_of_memory: out of memory: ended at once\n$");
}

TEST(OutOfMemoryDeathTest, so_does_a_thread_that_the_system_refuses) {
  EXPECT_EXIT(
      {
        base::end_without_resources();
        throw_through_noexcept(
            [] { throw std::system_error(EAGAIN, std::generic_category(), "no thread"); });
      },
      testing::ExitedWithCode(1), "^unit_out_of_memory: no thread: ");
}

TEST(OutOfMemoryDeathTest, a_bug_still_ends_by_a_signal) {
  EXPECT_EXIT(
      {
        base::end_without_resources();
        throw_through_noexcept([] { throw std::logic_error("a bug"); });
      },
      testing::KilledBySignal(SIGABRT), "a bug");
}

}  // namespace
