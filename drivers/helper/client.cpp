// SPDX-License-Identifier: Apache-2.0
#include "drivers/helper/client.hpp"

#include "dataplane/base/channel.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;

namespace {

// Loading a program takes some ms; under an emulator or a debugger it may take a while.
constexpr timeval patience{.tv_sec = 30, .tv_usec = 0};
constexpr int child_socket = 3;

// In the child: between fork and exec, other than in the parent, only system calls.
[[noreturn]] void become_helper(int socket, char* const* arguments) noexcept {
  if (socket == child_socket) {
    (void)::fcntl(socket, F_SETFD, 0);  // Else exec would close it.
  } else {
    (void)::dup2(socket, child_socket);
  }
  (void)::close_range(child_socket + 1, ~0U, 0);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

void set_patience(int socket) noexcept {
  (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  (void)::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

bool is_there(const std::string& program) noexcept {
  return ::access(program.c_str(), X_OK) == 0;
}

}  // namespace

std::string port_helper_path() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "weir-porthelper").string();
}

base::Result<PortHelper> PortHelper::start(const Config& config) {
  if (!is_there(config.program)) {
    return fail(Errc::not_found, "weir-porthelper is missing: it belongs beside weir-dataplane",
                errno);
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(Errc::io, "no socket for weir-porthelper", errno);
  }
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  set_patience(ours.get());

  const auto name_of = [](const auto& names, auto value) {
    return std::string(names[static_cast<std::size_t>(value)]);
  };
  std::vector<std::string> words{
      config.program, "--socket=" + std::to_string(child_socket), "--bpffs=" + config.bpffs,
      "--log-level=" + name_of(base::log_level_names, config.log_level),
      "--log-format=" + name_of(base::log_format_names, config.log_format)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Errc::io, "weir-porthelper cannot be started", errno);
  if (pid == 0) become_helper(theirs.get(), arguments.data());
  return PortHelper(std::move(ours), pid);
}

base::Result<PortHelper> PortHelper::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "the path of --port-helper is too long for a socket");
  }
  path.copy(address.sun_path, path.size());
  Descriptor ours(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  set_patience(ours.get());
  if (::connect(ours.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(Errc::not_found, "nobody listens at the socket of --port-helper that serves us",
                errno);
  }
  return PortHelper(std::move(ours), 0);
}

PortHelper::~PortHelper() {
  socket_.reset();
  // It ends by that; what it did for us last may take it some milliseconds.
  if (pid_ > 0) (void)::waitpid(pid_, nullptr, 0);
}

base::Result<PortHelper::XdpProgramParts> PortHelper::open_xdp_program(
    const XdpProgramRequest& request) {
  auto answer = ask(std::as_bytes(std::span(&request, 1)), {}, xdp_program_parts);
  if (!answer) return std::unexpected(answer.error());
  XdpProgramParts parts{.descriptors = {}, .flags = answer->flags};
  std::ranges::move(answer->descriptors, parts.descriptors.begin());
  return parts;
}

base::Result<Descriptor> PortHelper::open_xdp_socket(const XdpSocketRequest& request, int memory) {
  auto answer = ask(std::as_bytes(std::span(&request, 1)), std::span(&memory, 1), 1);
  if (!answer) return std::unexpected(answer.error());
  return std::move(answer->descriptors.front());
}

base::Status PortHelper::pin_xdp(const XdpPinRequest& request,
                                 std::span<const int> link_and_counts) {
  const auto answer = ask(std::as_bytes(std::span(&request, 1)), link_and_counts, 0);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

base::Result<std::vector<Descriptor>> PortHelper::make_tap(const TapRequest& request) {
  auto answer = ask(std::as_bytes(std::span(&request, 1)), {}, request.queues);
  if (!answer) return std::unexpected(answer.error());
  return std::move(answer->descriptors);
}

base::Result<std::uint64_t> PortHelper::tend_tap(const TapRequest& request, int tap) {
  const auto answer = ask(std::as_bytes(std::span(&request, 1)), std::span(&tap, 1), 0);
  if (!answer) return std::unexpected(answer.error());
  return answer->dropped;
}

base::Result<PortHelper::Answer> PortHelper::ask(std::span<const std::byte> request,
                                                 std::span<const int> passed, std::size_t wanted) {
  HelperReply reply{};
  base::Result<base::ChannelMessage> message = base::ChannelMessage{};
  if (socket_) {
    const auto sent = base::send_message(socket_.get(), request, passed);
    message = base::receive_message(socket_.get(), std::as_writable_bytes(std::span(&reply, 1)));
    // No second question after a missing answer: it would get the first one's.
    if (!sent || !message || message->bytes != sizeof reply || message->truncated) socket_.reset();
  }
  if (!socket_) {
    return fail(Errc::device_failed,
                "weir-porthelper has ended: ports that need it can be opened again after a restart "
                "of weir-dataplane; those that are open go on");
  }
  const auto code = static_cast<Errc>(reply.code);
  if (code != Errc::ok) return fail(code, keep(reply), reply.error_number);
  if (message->descriptors.size() != wanted) {
    return fail(Errc::io, "weir-porthelper did not hand over what it was asked for");
  }
  return Answer{.descriptors = std::move(message->descriptors),
                .flags = reply.flags,
                .dropped = reply.dropped};
}

const char* PortHelper::keep(const HelperReply& reply) {
  const auto end = std::ranges::find(reply.text, '\0');
  return texts_.emplace(reply.text.begin(), end).first->c_str();
}

}  // namespace dp
