// SPDX-License-Identifier: Apache-2.0
// One message with its descriptors over a socket pair, either way; both programs wait for it.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <cstddef>
#include <span>
#include <sys/types.h>
#include <vector>

namespace dp {

struct ChannelMessage {
  std::size_t bytes = 0;   // Of what was read into.
  bool truncated = false;  // It was longer, or had more descriptors.
  pid_t sender = 0;        // As the kernel says; 0 where the socket does not ask for it.
  std::vector<base::Descriptor> descriptors;
};

base::Status send_message(int socket, std::span<const std::byte> message,
                          std::span<const int> descriptors);
// closed: nobody is at the other end. timed_out: the socket's own limit has passed.
base::Result<ChannelMessage> receive_message(int socket, std::span<std::byte> into);

}  // namespace dp
