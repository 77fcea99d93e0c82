// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/predecessor.hpp"

#include "dataplane/base/channel.hpp"
#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;
using contract::HandOver;
using contract::HandOverType;

namespace {

// It answers within a turn, or when a commit is done.
constexpr timeval patience{.tv_sec = 10, .tv_usec = 0};
// A control plane that lives connects within a second and sends a million endpoints in another.
constexpr std::uint64_t programming_ns = 30'000'000'000;
// Closing takes 30 ms a port; there are 64 at most.
constexpr std::uint64_t closing_ns = 10'000'000'000;

constexpr const char* commands_name = "/dataplane.sock";
constexpr const char* successors_name = "/handover.sock";

constexpr const char* silent =
    "the data plane to be replaced does not answer: it stands still, or its control plane never "
    "ends a transaction; restart it instead";

template <class Part>
constexpr std::size_t place_of(Part part) noexcept {
  return static_cast<std::size_t>(part);
}

}  // namespace

base::Result<Names> Names::claim(const std::string& directory) {
  auto commands = CommandSocket::listen(directory + commands_name);
  if (!commands) return std::unexpected(commands.error());
  // Its user's alone: who comes there gets everything.
  auto successors = Listener::listen(directory + successors_name, 0600);
  if (!successors) return std::unexpected(successors.error());
  return Names{.commands = std::move(*commands), .successors = std::move(*successors)};
}

base::Result<Predecessor> Predecessor::find(const std::string& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory + successors_name;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "the runtime directory's path is too long for a socket");
  }
  path.copy(address.sun_path, path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(Errc::not_found,
                "--take-over: no weir-dataplane that could be replaced runs in this runtime "
                "directory; leave the option away",
                errno);
  }
  Predecessor found(directory, std::move(socket));
  if (auto asked = found.ask(HandOverType::announce); !asked) {
    return std::unexpected(asked.error());
  }
  const auto answer = found.receive(HandOverType::announce);
  if (!answer) return std::unexpected(answer.error());
  found.pid_ = answer->record.pid;
  found.release_ = contract::to_view(answer->record.release);
  found.hugepages_ = (answer->record.flags & contract::hand_over_hugepages) != 0;
  LOG(info, "predecessor_found", {"pid", found.pid_}, {"release", found.release_});
  return found;
}

base::Result<Claim> Predecessor::take_control() {
  if (auto asked = ask(HandOverType::give_control); !asked) return std::unexpected(asked.error());
  auto answer = receive(HandOverType::give_control);
  if (!answer) return std::unexpected(answer.error());
  auto& given = answer->descriptors;
  using enum contract::HandOverDescriptor;
  if (given.size() < place_of(table_file)) {
    return fail(Errc::malformed, "the data plane to be replaced gave less than was asked for");
  }
  auto heard = Listener::borrow(directory_ + commands_name, std::move(given[place_of(commands)]));
  if (!heard) return std::unexpected(heard.error());
  auto next =
      Listener::borrow(directory_ + successors_name, std::move(given[place_of(successors)]));
  if (!next) return std::unexpected(next.error());
  std::optional<TableFile> file;
  if (given.size() > place_of(table_file)) {
    file =
        TableFile::borrow(directory_ + "/endpoints.table", std::move(given[place_of(table_file)]));
  }
  (void)::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  late_ns_ = base::monotonic_ns() + programming_ns;
  LOG(info, "control_taken", {"pid", pid_});
  return Claim{
      .names = {.commands = CommandSocket(std::move(*heard)), .successors = std::move(*next)},
      .table_file = std::move(file)};
}

base::Status Predecessor::look(std::uint64_t now_ns) {
  if (has_ports()) return {};
  const auto answer = receive(HandOverType::give_ports);
  if (answer) {
    stopped_ns_ = answer->record.at_ns;
    return {};
  }
  const Errc code = answer.error().code;
  if (code == Errc::closed) {
    gone_ = true;
    LOG(warning, "predecessor_died", {"pid", pid_}, {"effect", "as after any crash"});
    return {};
  }
  if (code != Errc::timed_out) return std::unexpected(answer.error());
  if (now_ns < late_ns_) return {};
  if (asked_) return fail(Errc::timed_out, silent);
  return fail(Errc::timed_out,
              "no control plane has told this data plane what is wanted within 30 s, so the one "
              "to be replaced goes on: is weir-controlplane running, and does `weir status` name "
              "an error?");
}

bool Predecessor::take_ports() {
  if (!asked_ && !gone_) {
    asked_ = true;
    late_ns_ = base::monotonic_ns() + closing_ns;
    (void)ask(HandOverType::give_ports);  // Its end shows in look().
  }
  return !has_ports();
}

void Predecessor::in_force() noexcept {
  // Who waited may have gone: SIGPIPE is blocked.
  if (waiting_) (void)!::write(waiting_.get(), "1", 1);
  waiting_.reset();
}

base::Status Predecessor::ask(HandOverType type) {
  const HandOver record{.flags = 0,
                        .pid = static_cast<std::uint32_t>(::getpid()),
                        .at_ns = 0,
                        .release = contract::to_text<contract::name_bytes>(WEIR_VERSION)};
  return base::send_message(socket_.get(),
                            contract::make_frame<HandOver>(static_cast<std::uint16_t>(type), 0, 0,
                                                           std::span<const HandOver>(&record, 1)),
                            {});
}

base::Result<Predecessor::Answer> Predecessor::receive(HandOverType type) {
  std::array<std::byte, contract::frame_bytes_max> buffer;
  auto message = base::receive_message(socket_.get(), buffer);
  if (!message) {
    const base::Error& error = message.error();
    if (error.code == Errc::closed) {
      return fail(Errc::closed,
                  "the data plane to be replaced has ended or refuses: its log says why");
    }
    return fail(error.code, silent, error.error_number);
  }
  const auto frame = contract::FrameView::parse(std::span(buffer).first(message->bytes));
  if (!frame || frame->record_count() != 1) {
    return fail(Errc::version_skew,
                "the data plane to be replaced answers otherwise than this release knows: restart "
                "it instead");
  }
  if (static_cast<HandOverType>(frame->header().type) == HandOverType::cancel) {
    return fail(Errc::wrong_state,
                "the data plane to be replaced took its control back, as this one was too late");
  }
  if (static_cast<HandOverType>(frame->header().type) != type) {
    return fail(Errc::malformed, "the data plane to be replaced answers another question");
  }
  return Answer{.record = frame->record<HandOver>(0),
                .descriptors = std::move(message->descriptors)};
}

}  // namespace dp
