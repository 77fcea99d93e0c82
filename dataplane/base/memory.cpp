// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <system_error>
#include <unistd.h>

namespace base {
namespace {

// Written by end_without_resources before threads start.
std::terminate_handler terminate_otherwise = nullptr;

// What did not come through operator new (Asio has memory of its own), went through a noexcept, or
// that nobody wanted.
[[noreturn]] void end_by_exception() {
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    out_of_memory();
  } catch (const std::system_error& error) {
    end_at_once(error.what());
  } catch (...) {
    terminate_otherwise();  // A bug.
  }
  std::abort();
}

}  // namespace

void end_without_resources() noexcept {
  std::set_new_handler(out_of_memory);
  terminate_otherwise = std::set_terminate(end_by_exception);
}

// Nobody can be told of a failure to write. What runs at an exit may need memory again, or threads.
void end_at_once(const char* why) noexcept {
  char line[256];
  const int size = std::snprintf(line, sizeof line, "%s: %s\n", program_invocation_short_name, why);
  (void)!::write(STDERR_FILENO, line, std::min(static_cast<std::size_t>(size), sizeof line - 1));
  ::_exit(1);
}

void out_of_memory() noexcept {
  end_at_once("out of memory: ended at once");
}

}  // namespace base
