// SPDX-License-Identifier: Apache-2.0
#include "drivers/helper/server.hpp"

#include "dataplane/base/log.hpp"
#include "drivers/helper/message.hpp"

#include <array>
#include <cstring>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <variant>

namespace dp {

using base::Errc;
using base::fail;

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

HelperServer::HelperServer(base::Descriptor socket, Config config)
    : socket_(std::move(socket)), config_(std::move(config)) {}

bool HelperServer::serve_one() {
  // A longer message shows as truncated.
  std::array<std::byte, request_bytes_max> buffer;
  const auto message = base::receive_message(socket_.get(), buffer);
  if (!message) return false;
  if (message->sender != config_.client) {
    // Not even a refusal, which the data plane would take for the answer to a question of its own.
    LOG(warning, "stranger_ignored", {"pid", message->sender});
    return true;
  }
  return reply(answer(*message, std::span(buffer).first(message->bytes)));
}

base::Result<HelperAnswer> HelperServer::answer(const base::ChannelMessage& message,
                                                std::span<const std::byte> bytes) {
  if (message.truncated) return fail(Errc::malformed, "a request to weir-porthelper is too long");
  const auto request = parse_request(bytes, message.descriptors.size());
  if (!request) return std::unexpected(request.error());
  return std::visit(
      Overloaded{[&](const XdpProgramRequest& program) {
                   return open_xdp_program(program, config_.bpffs);
                 },
                 [&](const XdpSocketRequest& socket) -> base::Result<HelperAnswer> {
                   const int memory = message.descriptors[0].get();
                   if (!is_known_memory(memory)) {
                     return fail(Errc::invalid_argument, "XDP sockets have another memory");
                   }
                   return open_xdp_socket(socket, memory);
                 },
                 [&](const XdpPinRequest& pin) {
                   return pin_xdp(pin, message.descriptors, config_.bpffs);
                 },
                 [&](const TapRequest& tap) {
                   return tap.queues != 0 ? make_tap(tap)
                                          : tend_tap(tap, message.descriptors[0].get());
                 }},
      *request);
}

bool HelperServer::is_known_memory(int memory) noexcept {
  struct stat status{};
  if (::fstat(memory, &status) != 0) return false;
  const std::pair identity{status.st_dev, status.st_ino};
  if (!memory_) memory_ = identity;
  return *memory_ == identity;
}

bool HelperServer::reply(const base::Result<HelperAnswer>& result) {
  HelperReply reply{};
  std::vector<int> descriptors;
  if (result) {
    reply.flags = result->flags;
    reply.dropped = result->dropped;
    for (const base::Descriptor& descriptor : result->descriptors) {
      descriptors.push_back(descriptor.get());
    }
  } else {
    const base::Error& error = result.error();
    reply.code = static_cast<std::uint16_t>(error.code);
    reply.error_number = error.error_number;
    std::string_view(error.text).copy(reply.text.data(), reply.text.size() - 1);
  }
  const auto sent =
      base::send_message(socket_.get(), std::as_bytes(std::span(&reply, 1)), descriptors);
  return sent || sent.error().code != Errc::closed;
}

}  // namespace dp
