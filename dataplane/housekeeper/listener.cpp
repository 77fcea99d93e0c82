// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/listener.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;

namespace {

constexpr int waiting_max = 8;

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

base::Result<Listener> Listener::listen(std::string path, mode_t mode) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  if (somebody_listens(*address)) {
    return fail(Errc::already_exists,
                "another weir-dataplane runs in this runtime directory; give --runtime-dir");
  }
  // What is left of one that was killed.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(Errc::io, "cannot remove a stale socket in the runtime directory", errno);
  }
  Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Errc::io, "cannot make a socket in the runtime directory", errno);
  // The mode must be right from the first moment on, so it is masked, not changed afterwards.
  const mode_t mask = ::umask(0777 & ~mode);
  const int bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int bind_error = errno;
  ::umask(mask);
  if (bound != 0) {
    return fail(Errc::io,
                "cannot bind a socket in the runtime directory; may this process write "
                "there?",
                bind_error);
  }
  Listener result(std::move(socket), std::move(path), false);
  if (::listen(result.socket_.get(), waiting_max) != 0) {
    return fail(Errc::io, "cannot listen on a socket in the runtime directory", errno);
  }
  return result;
}

base::Result<Listener> Listener::borrow(std::string path, Descriptor socket) {
  // Once more, so that who connects is told of this process, not of the one before (SO_PEERCRED).
  if (::listen(socket.get(), waiting_max) != 0) {
    return fail(Errc::io, "what was handed over is no listening socket", errno);
  }
  return Listener(std::move(socket), std::move(path), true);
}

Listener::~Listener() {
  if (socket_ && !lent_ && !borrowed_) ::unlink(path_.c_str());
}

Descriptor Listener::accept() noexcept {
  return Descriptor(::accept4(get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

int Listener::lend() noexcept {
  lent_ = true;
  return socket_.get();
}

}  // namespace dp
