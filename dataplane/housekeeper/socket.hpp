// SPDX-License-Identifier: Apache-2.0
// The command socket: one controller at a time, one message one frame. A second controller is told
// `busy` and closed. Nothing here waits; what cannot be sent at once is kept in order.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/contract/frame.hpp"
#include "dataplane/housekeeper/listener.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace dp {

using base::Descriptor;

class CommandSocket {
 public:
  // Listens on `path` (mode 0660), which is an error where another process does.
  static base::Result<CommandSocket> listen(const std::string& path);
  explicit CommandSocket(Listener listener);
  CommandSocket(CommandSocket&&) noexcept = default;
  CommandSocket& operator=(CommandSocket&&) = delete;

  Listener& listener() noexcept { return listener_; }
  int controller() const noexcept { return controller_.get(); }  // -1: nobody is connected.
  bool connected() const noexcept { return static_cast<bool>(controller_); }

  // True where a controller came in.
  bool accept();
  // The next message, empty where none waits. closed: the controller has gone, or is hopeless.
  base::Result<std::span<const std::byte>> receive();
  // `passed`: a descriptor that travels with the frame, or -1.
  void send(std::vector<std::byte> frame, int passed = -1);
  // Sends what waited; false where the controller has gone.
  bool flush();
  bool has_backlog() const noexcept { return !backlog_.empty(); }
  // Room for events, which unlike replies have no bound of their own.
  bool has_room() const noexcept { return backlog_.size() < events_max; }
  void disconnect();

 private:
  // 64 events of up to 680 bytes wait for a slow controller; then they are counted as lost.
  static constexpr std::size_t events_max = 64;

  struct Outgoing {
    std::vector<std::byte> frame;
    int passed;
  };

  bool send_now(const Outgoing& message);

  Listener listener_;
  Descriptor controller_;
  std::vector<std::byte> buffer_;
  std::deque<Outgoing> backlog_;
};

}  // namespace dp
