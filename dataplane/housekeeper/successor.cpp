// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/successor.hpp"

#include "dataplane/base/channel.hpp"
#include "dataplane/base/log.hpp"

#include <array>
#include <sys/socket.h>
#include <unistd.h>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;
using contract::HandOver;
using contract::HandOverType;

namespace {

// Longer than the successor itself waits for a control plane (predecessor.cpp): meant for one that
// stands still.
constexpr std::uint64_t late_after_ns = 60'000'000'000;

// Of who may be given everything that this process has: its own user, and root. 0: another's.
pid_t replacing_pid(int connection) noexcept {
  ucred peer{};
  socklen_t length = sizeof peer;
  const bool may = ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
                   (peer.uid == 0 || peer.uid == ::geteuid());
  return may ? peer.pid : 0;
}

}  // namespace

Successor::Stage Successor::look(std::uint64_t now_ns) {
  accept();
  if (connection_) hear();
  if (stage_ == Stage::has_control && now_ns > late_ns_) {
    (void)send(HandOverType::cancel, {});
    lose("it did not ask for the ports in time");
  }
  return stage_;
}

void Successor::accept() {
  Descriptor incoming = listener_.accept();
  if (!incoming) return;
  const pid_t pid = replacing_pid(incoming.get());
  // Both see it in the end of the connection.
  if (connection_ || pid == 0) {
    LOG(warning, "successor_refused",
        {"reason", connection_ ? "another is under way" : "it is another user's"});
    return;
  }
  connection_ = std::move(incoming);
  pid_ = static_cast<std::uint64_t>(pid);
  stage_ = Stage::starting;
}

void Successor::hear() {
  std::array<std::byte, contract::frame_bytes_max> buffer;
  const auto message = base::receive_message(connection_.get(), buffer);
  if (!message) {
    if (message.error().code == Errc::timed_out) return;
    return lose("it has ended");
  }
  const auto frame = contract::FrameView::parse(std::span(buffer).first(message->bytes));
  if (!frame || frame->record_count() != 1) return lose("it does not speak as a data plane does");
  const auto record = frame->record<HandOver>(0);
  const auto type = static_cast<HandOverType>(frame->header().type);
  if (type == HandOverType::announce && stage_ == Stage::starting) {
    LOG(info, "successor_starts", {"pid", pid_}, {"release", contract::to_view(record.release)});
    if (!send(type, {})) lose("it has ended");
  } else if (type == HandOverType::give_control && stage_ == Stage::starting) {
    stage_ = Stage::wants_control;
  } else if (type == HandOverType::give_ports && stage_ == Stage::has_control) {
    stage_ = Stage::wants_ports;
  } else {
    lose("it asks for what this release does not know, or not now");
  }
}

void Successor::lose(const char* reason) {
  LOG(warning, "successor_lost", {"reason", reason},
      {"effect", stage_ == Stage::wants_ports ? "the ports are closed: this process ends"
                                              : "this process goes on as before"});
  connection_.reset();
  listener_.take_back();
  // What has begun to close its ports does so to the end.
  if (stage_ != Stage::wants_ports) stage_ = Stage::absent;
}

void Successor::give_control(int commands, int table_file, std::uint64_t now_ns) {
  std::array descriptors{commands, listener_.lend(), table_file};
  const std::size_t count = table_file >= 0 ? 3 : 2;
  stage_ = Stage::has_control;
  late_ns_ = now_ns + late_after_ns;
  if (!send(HandOverType::give_control, {}, std::span(descriptors).first(count))) {
    lose("it has ended");
  }
}

base::Status Successor::give_ports(std::uint64_t at_ns) {
  if (connection_ && send(HandOverType::give_ports, {.at_ns = at_ns})) {
    heir_ = pid_;
    return {};
  }
  return fail(Errc::closed, "the successor ended when this process had closed its ports for it");
}

base::Status Successor::send(HandOverType type, const HandOver& record,
                             std::span<const int> descriptors) {
  HandOver full = record;
  full.flags = hugepages_ ? contract::hand_over_hugepages : 0;
  full.pid = static_cast<std::uint32_t>(::getpid());
  full.release = contract::to_text<contract::name_bytes>(WEIR_VERSION);
  const auto frame = contract::make_frame<HandOver>(static_cast<std::uint16_t>(type), 0, 0,
                                                    std::span<const HandOver>(&full, 1));
  return base::send_message(connection_.get(), frame, descriptors);
}

}  // namespace dp
