// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/supervisor.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace base {
namespace {

std::uint64_t number_of(const char* name) noexcept {
  const char* text = std::getenv(name);
  std::uint64_t number = 0;
  if (text != nullptr) (void)std::from_chars(text, text + std::strlen(text), number);
  return number;
}

}  // namespace

Supervisor Supervisor::from_environment() noexcept {
  Supervisor made;
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return made;
  const std::size_t length = std::strlen(name);
  if (length >= sizeof address.sun_path) return made;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';  // No file, but a name of the kernel's.
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);

  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Connected now: who has given up its rights may not reach it later.
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0) return made;
  made.socket_ = std::move(socket);
  const std::uint64_t watcher = number_of("WATCHDOG_PID");
  if (watcher == 0 || watcher == static_cast<std::uint64_t>(::getpid())) {
    made.interval_ns_ = number_of("WATCHDOG_USEC") * 1000 / 4;
  }
  return made;
}

bool Supervisor::ready(std::string_view status) noexcept {
  return say("READY=1\nSTATUS=" + std::string(status));
}

bool Supervisor::status(std::string_view text) noexcept {
  return say("STATUS=" + std::string(text));
}

bool Supervisor::stopping() noexcept {
  return say("STOPPING=1");
}

bool Supervisor::replaced_by(std::uint64_t pid) noexcept {
  return say("MAINPID=" + std::to_string(pid));
}

void Supervisor::alive(std::uint64_t now_ns) noexcept {
  if (interval_ns_ == 0 || now_ns < next_ns_) return;
  if (say("WATCHDOG=1")) next_ns_ = now_ns + interval_ns_;
}

bool Supervisor::say(std::string_view text) noexcept {
  if (!socket_) return true;
  return ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) >= 0;
}

}  // namespace base
