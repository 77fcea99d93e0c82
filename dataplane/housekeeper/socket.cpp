// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/socket.hpp"

#include "dataplane/base/log.hpp"
#include "dataplane/contract/command.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

namespace {

// Large enough for a 64 KiB frame with the kernel's own bookkeeping around it.
constexpr int socket_buffer_bytes = 1024 * 1024;

base::Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "the runtime directory's path is too long for a socket");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

bool somebody_listens(const sockaddr_un& address) {
  const Descriptor probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno == EAGAIN;  // Its queue of connections is full, so it lives.
}

}  // namespace

CommandSocket::CommandSocket(Descriptor listener, std::string path)
    : listener_(std::move(listener)), path_(std::move(path)) {
  // One byte more than a frame may have, so that a longer message shows.
  buffer_.resize(contract::frame_bytes_max + 1);
}

CommandSocket::~CommandSocket() {
  if (listener_) ::unlink(path_.c_str());
}

base::Result<CommandSocket> CommandSocket::listen(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  if (somebody_listens(*address)) {
    return fail(Errc::already_exists,
                "another weir-dataplane runs in this runtime directory; give --runtime-dir");
  }
  // What is left of one that was killed.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(Errc::io, "cannot remove the stale command socket", errno);
  }
  Descriptor listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return fail(Errc::io, "cannot make the command socket", errno);
  // The mode must be right from the first moment on, so it is masked, not changed afterwards.
  const mode_t mask = ::umask(0117);
  const int bound =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_error = errno;
  ::umask(mask);
  if (bound != 0) {
    return fail(Errc::io, "cannot bind the command socket; may this process write there?",
                bind_error);
  }
  CommandSocket result(std::move(listener), path);
  if (::listen(result.listener_.get(), 8) != 0) {
    return fail(Errc::io, "cannot listen on the command socket", errno);
  }
  return result;
}

bool CommandSocket::accept() {
  Descriptor incoming(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
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
