// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/socket.hpp"

#include "dataplane/base/log.hpp"
#include "dataplane/contract/command.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

namespace {

// Large enough for a 64 KiB frame with the kernel's own bookkeeping around it.
constexpr int socket_buffer_bytes = 1024 * 1024;

}  // namespace

CommandSocket::CommandSocket(Listener listener) : listener_(std::move(listener)) {
  // One byte more than a frame may have, so that a longer message shows.
  buffer_.resize(contract::frame_bytes_max + 1);
}

base::Result<CommandSocket> CommandSocket::listen(const std::string& path) {
  auto listener = Listener::listen(path, 0660);
  if (!listener) return std::unexpected(listener.error());
  return CommandSocket(std::move(*listener));
}

bool CommandSocket::accept() {
  Descriptor incoming = listener_.accept();
  if (!incoming) return false;
  ucred peer{};
  socklen_t length = sizeof peer;
  // Without credentials it is logged as 0, 0, 0; the socket's mode is what keeps others out.
  (void)::getsockopt(incoming.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length);

  if (controller_) {
    LOG(warning, "controller_refused", {"pid", peer.pid}, {"uid", peer.uid}, {"gid", peer.gid});
    const contract::Reply busy{
        .status = static_cast<std::uint16_t>(Errc::busy),
        .verb = static_cast<std::uint16_t>(contract::Verb::hello),
        .refused_record = 0xffff'ffff,
        .error_number = 0,
        .text = contract::to_text<180>("another control plane is connected")};
    const auto frame = contract::make_frame<contract::Reply>(
        static_cast<std::uint16_t>(contract::EventType::reply), 0, 0, std::span(&busy, 1));
    // A peer that does not take it learns the same from the end of the connection.
    (void)!::send(incoming.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return false;
  }
  LOG(info, "controller_connected", {"pid", peer.pid}, {"uid", peer.uid}, {"gid", peer.gid});
  (void)::setsockopt(incoming.get(), SOL_SOCKET, SO_SNDBUF, &socket_buffer_bytes,
                     sizeof socket_buffer_bytes);
  controller_ = std::move(incoming);
  return true;
}

base::Result<std::span<const std::byte>> CommandSocket::receive() {
  if (!controller_) return fail(Errc::closed, "no control plane is connected");
  const ssize_t size = ::recv(controller_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (size > 0) return std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(size));
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::span<const std::byte>{};
  return fail(Errc::closed, "the control plane has gone", size < 0 ? errno : 0);
}

bool CommandSocket::send_now(const Outgoing& message) {
  iovec part{.iov_base = const_cast<std::byte*>(message.frame.data()),
             .iov_len = message.frame.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (message.passed >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &message.passed, sizeof(int));
  }
  return ::sendmsg(controller_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void CommandSocket::send(std::vector<std::byte> frame, int passed) {
  if (!controller_) return;
  backlog_.push_back({std::move(frame), passed});
  // A lost controller shows at the next receive.
  (void)flush();
}

bool CommandSocket::flush() {
  while (controller_ && !backlog_.empty()) {
    if (!send_now(backlog_.front())) return errno == EAGAIN || errno == EINTR;
    backlog_.pop_front();
  }
  return true;
}

void CommandSocket::disconnect() {
  if (controller_) LOG(info, "controller_disconnected");
  controller_.reset();
  backlog_.clear();
}

}  // namespace dp
