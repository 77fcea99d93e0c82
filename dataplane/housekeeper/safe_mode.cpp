// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/safe_mode.hpp"

#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/base/supervisor.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/event.hpp"

#include <array>
#include <poll.h>

namespace dp {
namespace {

constexpr int turn_ms = 100;

std::vector<std::byte> refusal(const contract::FrameHeader& to, const std::string& text) {
  const contract::Reply reply{.status = static_cast<std::uint16_t>(base::Errc::wrong_state),
                              .verb = to.type,
                              .refused_record = 0xffff'ffff,
                              .error_number = 0,
                              .text = contract::to_text<180>(text)};
  return contract::make_frame<contract::Reply>(
      static_cast<std::uint16_t>(contract::EventType::reply), to.transaction, to.sequence,
      std::span<const contract::Reply>(&reply, 1));
}

void answer(CommandSocket& socket, const std::string& text) {
  if (!socket.flush()) return socket.disconnect();
  if (socket.has_backlog()) return;
  const auto message = socket.receive();
  if (!message) return socket.disconnect();
  if (message->empty()) return;
  const auto frame = contract::FrameView::parse(*message);
  socket.send(refusal(frame ? frame->header() : contract::FrameHeader{}, text));
}

}  // namespace

base::Status run_safe_mode(CommandSocket socket, const std::string& reason, int stop) {
  const std::string text = "weir-dataplane is in its safe mode and carries nothing: " + reason;
  base::Supervisor supervisor = base::Supervisor::from_environment();
  LOG(error, "safe_mode", {"reason", reason},
      {"way_out", "restart weir-dataplane (SIGHUP to weir-supervisor) when the cause is gone"});
  (void)supervisor.ready(text);
  for (;;) {
    std::array<pollfd, 3> descriptors{
        pollfd{.fd = stop, .events = POLLIN, .revents = 0},
        pollfd{.fd = socket.listener().get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = socket.controller(), .events = POLLIN, .revents = 0}};
    (void)::poll(descriptors.data(), descriptors.size(), turn_ms);
    if (descriptors[0].revents != 0) return {};
    if (descriptors[1].revents != 0) (void)socket.accept();
    if (socket.connected()) answer(socket, text);
    supervisor.alive(base::monotonic_ns());
  }
}

}  // namespace dp
