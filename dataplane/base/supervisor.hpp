// SPDX-License-Identifier: Apache-2.0
// Whoever started us and wants to know how we are: systemd (Type=notify) or weir-supervisor, by the
// datagrams of sd_notify(3). Where nobody asked (no NOTIFY_SOCKET) all of this does nothing.
#pragma once

#include "dataplane/base/descriptor.hpp"

#include <cstdint>
#include <string_view>

namespace base {

class Supervisor {
 public:
  // Of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  static Supervisor from_environment() noexcept;

  // Everything is in force; once. False: it could not be told now.
  bool ready(std::string_view status) noexcept;
  // One line for people.
  bool status(std::string_view text) noexcept;
  bool stopping() noexcept;
  // That process is supervised from here on, and this one no longer.
  bool replaced_by(std::uint64_t pid) noexcept;
  // Call as often as wanted while all goes well: it is told four times within the time after which
  // the supervisor takes us for dead.
  void alive(std::uint64_t now_ns) noexcept;

 private:
  bool say(std::string_view text) noexcept;

  Descriptor socket_;
  std::uint64_t interval_ns_ = 0;  // 0: nobody watches.
  std::uint64_t next_ns_ = 0;
};

}  // namespace base
