// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/channel.hpp"

#include "dataplane/base/check.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

namespace base {
namespace {

// All that may come with a message: credentials and descriptors.
struct alignas(cmsghdr) Control {
  std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(channel_descriptors_max * sizeof(int))>
      bytes{};
};

// Every descriptor gets its owner at once, wanted or not.
void take_in(msghdr& header, ChannelMessage& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    const std::size_t bytes = part->cmsg_len - CMSG_LEN(0);
    if (part->cmsg_type == SCM_CREDENTIALS && bytes == sizeof(ucred)) {
      ucred sender;
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
      message.sender = sender.pid;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      for (std::size_t i = 0; i < bytes / sizeof(int); ++i) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
        message.descriptors.emplace_back(descriptor);
      }
    }
  }
}

}  // namespace

Status send_message(int socket, std::span<const std::byte> message,
                    std::span<const int> descriptors) {
  CHECK(descriptors.size() <= channel_descriptors_max);  // Ours, not the other end's.
  iovec part{.iov_base = const_cast<std::byte*>(message.data()), .iov_len = message.size()};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  while (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    return fail(errno == EPIPE || errno == ECONNRESET ? Errc::closed : Errc::io,
                "a message to another process of Weir was not taken", errno);
  }
  return {};
}

Result<ChannelMessage> receive_message(int socket, std::span<std::byte> into) {
  iovec part{.iov_base = into.data(), .iov_len = into.size()};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t bytes = -1;
  do {
    bytes = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0 && errno == EAGAIN) return fail(Errc::timed_out, "no message came in time", errno);
  ChannelMessage message;
  if (bytes >= 0) take_in(header, message);
  // An empty message has a sender, where the socket asks for it.
  if (bytes < 0 || (bytes == 0 && message.sender == 0)) {
    return fail(Errc::closed, "the other end is closed", bytes < 0 ? errno : 0);
  }
  message.bytes = static_cast<std::size_t>(bytes);
  message.truncated = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  return message;
}

}  // namespace base
