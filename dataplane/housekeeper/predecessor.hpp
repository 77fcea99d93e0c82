// SPDX-License-Identifier: Apache-2.0
// The process that this one replaces (--take-over): it goes on forwarding until this one has been
// told all that is wanted, and gives up its ports then. Should it die meanwhile, this one has no
// less than after any crash, and goes on.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/contract/hand_over.hpp"
#include "dataplane/housekeeper/listener.hpp"
#include "dataplane/housekeeper/socket.hpp"
#include "dataplane/table/table_file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dp {

// Where others find the one data plane of a runtime directory.
struct Names {
  // An error where another process has them.
  static base::Result<Names> claim(const std::string& directory);

  CommandSocket commands;
  Listener successors;
};

// What only one process of a runtime directory has, besides its ports.
struct Claim {
  Names names;
  std::optional<TableFile> table_file;
};

class Predecessor {
 public:
  // Before this process takes anything. Waits for its answer, some seconds at most.
  static base::Result<Predecessor> find(const std::string& directory);
  bool has_hugepages() const noexcept { return hugepages_; }

  // When this process is ready to be programmed. Waits for the transaction under way there, some
  // seconds at most. From here on the two methods below are called by the housekeeper, every turn.
  base::Result<Claim> take_control();

  // An error: this process shall end, and the other one goes on.
  base::Status look(std::uint64_t now_ns);
  // Asks for the ports, once; true: they are not there yet.
  bool take_ports();
  bool has_ports() const noexcept { return gone_ || stopped_ns_ != 0; }
  // CLOCK_MONOTONIC when it forwarded its last frame; 0: it died, and nobody knows.
  std::uint64_t stopped_ns() const noexcept { return stopped_ns_; }
  std::uint32_t pid() const noexcept { return pid_; }
  // Who waits at this pipe for the moment when all is in force here.
  void tell(base::Descriptor waiting) noexcept { waiting_ = std::move(waiting); }
  void in_force() noexcept;
  const std::string& release() const noexcept { return release_; }

 private:
  struct Answer {
    contract::HandOver record;
    std::vector<base::Descriptor> descriptors;
  };

  Predecessor(std::string directory, base::Descriptor socket)
      : directory_(std::move(directory)), socket_(std::move(socket)) {}

  base::Status ask(contract::HandOverType type);
  // Of this type, or the end: closed.
  base::Result<Answer> receive(contract::HandOverType type);

  std::string directory_;
  base::Descriptor socket_;
  base::Descriptor waiting_;
  std::uint32_t pid_ = 0;
  std::string release_;
  bool hugepages_ = false;
  bool gone_ = false;          // It died.
  bool asked_ = false;         // For its ports.
  std::uint64_t late_ns_ = 0;  // When whatever is waited for is too late.
  std::uint64_t stopped_ns_ = 0;
};

}  // namespace dp
