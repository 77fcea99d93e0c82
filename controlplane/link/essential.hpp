// SPDX-License-Identifier: Apache-2.0
// What ends a coroutine without which the process is of no use: its exception ends the loop
// (io_context::run throws it), where asio::detached would leave a process that is deaf.
#pragma once

#include <exception>

namespace cp {

inline constexpr auto essential = [](const std::exception_ptr& thrown) {
  if (thrown) std::rethrow_exception(thrown);
};

}  // namespace cp
