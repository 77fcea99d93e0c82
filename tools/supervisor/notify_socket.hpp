// SPDX-License-Identifier: Apache-2.0
// Where a program says how it is, by sd_notify(3): a datagram socket without a file, whose name the
// kernel chose.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace supervisor {

// One message: some of these.
struct Notice {
  pid_t sender = 0;  // As the kernel says.
  bool ready = false;
  bool stopping = false;
  bool replaced = false;      // MAINPID=, whoever it names.
  bool alive = false;         // WATCHDOG=1
  bool asks_for_end = false;  // WATCHDOG=trigger
  std::string status;         // Empty: it said none.
};

Notice parse_notice(std::string_view text);

class NotifySocket {
 public:
  static base::Result<NotifySocket> make();

  int descriptor() const noexcept { return socket_.get(); }
  // For NOTIFY_SOCKET.
  const std::string& name() const noexcept { return name_; }
  // The next notice, whoever it is of; none: no more now.
  std::optional<Notice> receive();

 private:
  NotifySocket(base::Descriptor socket, std::string name)
      : socket_(std::move(socket)), name_(std::move(name)) {}

  base::Descriptor socket_;
  std::string name_;
};

}  // namespace supervisor
