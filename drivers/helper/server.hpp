// SPDX-License-Identifier: Apache-2.0
// The loop of weir-porthelper: one request, one reply, until the data plane is gone.
#pragma once

#include "dataplane/base/channel.hpp"
#include "dataplane/base/descriptor.hpp"
#include "drivers/helper/verbs.hpp"

#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>

namespace dp {

class HelperServer {
 public:
  struct Config {
    pid_t client;       // Messages of any other process are not answered.
    std::string bpffs;  // Where pins lie.
  };
  // `socket` says who sends (SO_PASSCRED).
  HelperServer(base::Descriptor socket, Config config);

  // False where the other end is closed.
  bool serve_one();

 private:
  base::Result<HelperAnswer> answer(const base::ChannelMessage& message,
                                    std::span<const std::byte> request);
  bool is_known_memory(int memory) noexcept;
  bool reply(const base::Result<HelperAnswer>& result);

  base::Descriptor socket_;
  Config config_;
  // Of the packet pool, known from the first request on: other memory is not locked for anybody.
  std::optional<std::pair<dev_t, ino_t>> memory_;
};

}  // namespace dp
