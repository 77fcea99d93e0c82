// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/socket.hpp"

#include "controlplane/link/as_result.hpp"
#include "dataplane/contract/limits.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace cp {

namespace asio = boost::asio;
using base::Descriptor;
using base::Errc;
using base::fail;

namespace {

// Takes the first descriptor of a message and closes any other.
Descriptor take_descriptor(msghdr& message) {
  Descriptor taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      Descriptor owned(fd);
      if (!taken) taken = std::move(owned);
    }
  }
  return taken;
}

// nullopt-like: Errc::busy where nothing is there yet.
base::Result<Message> receive_now(int fd) {
  Message result;
  result.bytes.resize(contract::frame_bytes_max);
  iovec part{.iov_base = result.bytes.data(), .iov_len = result.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();

  const ssize_t size = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return fail(Errc::busy, "nothing yet");
  if (size < 0) return fail(Errc::io, "receiving from the data plane failed", errno);
  result.descriptor = take_descriptor(message);
  if (size == 0) return fail(Errc::closed, "the data plane closed the connection");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return fail(Errc::malformed, "the data plane sent a frame longer than 64 KiB");
  }
  result.bytes.resize(static_cast<std::size_t>(size));
  return result;
}

}  // namespace

base::Result<SeqpacketSocket> SeqpacketSocket::connect(const asio::any_io_executor& executor,
                                                       const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "the runtime directory's path is too long for a socket");
  }
  path.copy(address.sun_path, path.size());

  Descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Errc::io, "no socket could be made", errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(Errc::closed, "the data plane does not listen on its socket", errno);
  }
  // Room for a few whole frames, so that a large transaction does not stop at every one.
  const int buffer_bytes = 1 << 20;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
  asio::posix::stream_descriptor socket(executor);
  boost::system::error_code error;
  (void)socket.assign(fd.get(), error);  // Returns `error` once more.
  if (error)
    return fail(Errc::io, "the socket to the data plane cannot be waited for", error.value());
  (void)fd.release();
  return SeqpacketSocket(std::move(socket));
}

asio::awaitable<base::Status> SeqpacketSocket::send(std::span<const std::byte> frame) {
  for (;;) {
    const ssize_t sent =
        ::send(socket_.native_handle(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) co_return base::Status();
    if (errno != EAGAIN && errno != EINTR) {
      co_return fail(Errc::closed, "sending to the data plane failed", errno);
    }
    auto [error] = co_await socket_.async_wait(socket_.wait_write, as_result);
    if (error) co_return fail(Errc::closed, "the connection to the data plane was closed");
  }
}

asio::awaitable<base::Result<Message>> SeqpacketSocket::receive() {
  for (;;) {
    auto message = receive_now(socket_.native_handle());
    if (message || message.error().code != Errc::busy) co_return message;
    auto [error] = co_await socket_.async_wait(socket_.wait_read, as_result);
    if (error) co_return fail(Errc::closed, "the connection to the data plane was closed");
  }
}

void SeqpacketSocket::close() noexcept {
  boost::system::error_code ignored;  // There is nobody left to tell.
  (void)socket_.close(ignored);
}

}  // namespace cp
