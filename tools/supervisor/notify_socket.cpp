// SPDX-License-Identifier: Apache-2.0
#include "tools/supervisor/notify_socket.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace supervisor {

Notice parse_notice(std::string_view text) {
  Notice notice;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line == "READY=1") notice.ready = true;
    if (line == "STOPPING=1") notice.stopping = true;
    if (line.starts_with("MAINPID=")) notice.replaced = true;
    if (line == "WATCHDOG=1") notice.alive = true;
    if (line == "WATCHDOG=trigger") notice.asks_for_end = true;
    if (line.starts_with("STATUS=")) notice.status = line.substr(7);
  }
  return notice;
}

base::Result<NotifySocket> NotifySocket::make() {
  base::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof address.sun_family;  // No name: the kernel finds one.
  const int yes = 1;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0) {
    return base::fail(base::Errc::io, "no socket for what the program says", errno);
  }
  length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return base::fail(base::Errc::io, "no socket for what the program says", errno);
  }
  std::string name(address.sun_path, length - offsetof(sockaddr_un, sun_path));
  name[0] = '@';
  return NotifySocket(std::move(socket), std::move(name));
}

std::optional<Notice> NotifySocket::receive() {
  std::array<char, 4096> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control{};
  iovec part{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t bytes = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (bytes < 0) return std::nullopt;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  ucred sender{};
  if (header != nullptr && header->cmsg_type == SCM_CREDENTIALS) {
    std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
  }
  Notice notice = parse_notice(std::string_view(text.data(), static_cast<std::size_t>(bytes)));
  notice.sender = sender.pid;
  return notice;
}

}  // namespace supervisor
