// SPDX-License-Identifier: Apache-2.0
// One message with its descriptors over a SOCK_SEQPACKET socket, either way: between the data plane
// and weir-porthelper, which wait for it, and between a data plane and its successor.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <cstddef>
#include <span>
#include <sys/types.h>
#include <vector>

namespace base {

// The most that one message carries: the queues of a TAP.
inline constexpr std::size_t channel_descriptors_max = 64;

struct ChannelMessage {
  std::size_t bytes = 0;   // Of what was read into.
  bool truncated = false;  // It was longer, or had more descriptors.
  pid_t sender = 0;        // As the kernel says; 0 where the socket does not ask for it.
  std::vector<Descriptor> descriptors;
};

Status send_message(int socket, std::span<const std::byte> message,
                    std::span<const int> descriptors);
// closed: nobody is at the other end. timed_out: the socket's own limit has passed, or none waits
// and the socket does not.
Result<ChannelMessage> receive_message(int socket, std::span<std::byte> into);

}  // namespace base
