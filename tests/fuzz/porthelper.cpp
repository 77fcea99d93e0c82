// SPDX-License-Identifier: Apache-2.0
// The requests of weir-porthelper: the only bytes from outside that a privileged process of Weir
// reads. What the decoder lets through is within the bounds that the verbs rely on; and the server
// itself, with all its rights but in a network that is its own, answers once and keeps nothing.
#include "dataplane/base/channel.hpp"
#include "dataplane/base/check.hpp"
#include "drivers/helper/message.hpp"
#include "drivers/helper/server.hpp"
#include "tests/fuzz/input.hpp"

#include <array>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <type_traits>
#include <unistd.h>
#include <variant>

namespace {

void check_name(const dp::InterfaceName& name) {
  const std::string_view text = dp::to_view(name);
  CHECK(!text.empty() && text.size() < name.size());
  CHECK(text.find('/') == std::string_view::npos && text != "." && text != "..");
}

// A network without any interface but a loopback that is down. Who may not have one has no right
// to do harm in this one either.
void leave_network() {
  (void)::unshare(CLONE_NEWNET);
}

int lowest_free_descriptor() {
  const base::Descriptor probe(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return probe.get();
}

// Of each kind that a data plane could send, and of others.
std::array<base::Descriptor, 3> make_descriptors() {
  std::array made{base::Descriptor(::memfd_create("fuzz", MFD_CLOEXEC)),
                  base::Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)),
                  base::Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))};
  CHECK(::ftruncate(made[0].get(), 1 << 16) == 0);
  return made;
}

void serve(std::span<const std::byte> request, std::size_t descriptors, std::size_t first) {
  const int free_before = lowest_free_descriptor();
  {
    std::array<int, 2> ends{};
    CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const base::Descriptor client(ends[0]);
    base::Descriptor served(ends[1]);
    const int yes = 1;
    CHECK(::setsockopt(served.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0);
    dp::HelperServer server(std::move(served), {.client = ::getpid(), .bpffs = ""});

    const std::array made = make_descriptors();
    std::array<int, 3> sent{};
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = made[(first + i) % made.size()].get();
    // An empty message is the end of the client.
    if (!base::send_message(client.get(), request, std::span(sent).first(descriptors))) return;
    const bool goes_on = server.serve_one();
    CHECK(goes_on || request.empty());
    dp::HelperReply reply{};
    const auto bytes = std::as_writable_bytes(std::span(&reply, 1));
    if (goes_on) {
      const auto answer = base::receive_message(client.get(), bytes);
      CHECK(answer && answer->bytes == sizeof reply && !answer->truncated);
      CHECK(reply.code == 0 || answer->descriptors.empty());
      CHECK(reply.text.back() == '\0');
    }
  }
  CHECK(lowest_free_descriptor() == free_before);
}

void decode(std::span<const std::byte> bytes, std::size_t descriptors) {
  const auto request = dp::parse_request(bytes, descriptors);
  if (!request) {
    CHECK(request.error().code == base::Errc::malformed);
    return;
  }
  std::visit(
      [descriptors](const auto& known) {
        using Request = std::decay_t<decltype(known)>;
        if constexpr (std::is_same_v<Request, dp::XdpSocketRequest>) {
          CHECK(descriptors == 1 && known.bytes > 0 && known.offset + known.bytes > known.offset);
          CHECK(known.headroom_bytes < known.chunk_bytes);
        } else if constexpr (std::is_same_v<Request, dp::TapRequest>) {
          CHECK(known.mtu == 0 || (known.mtu >= dp::tap_mtu_min && known.mtu <= dp::tap_mtu_max));
          CHECK(known.queues <= dp::tap_queues_max && descriptors == (known.queues == 0 ? 1U : 0U));
          if (known.queues != 0) check_name(known.interface);
          CHECK(dp::to_view(known.interface).find('%') == std::string_view::npos);
        } else {
          check_name(known.interface);
          CHECK(known.ifindex != 0);
          CHECK(descriptors == 0 || descriptors == 2);
        }
      },
      *request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool apart = (leave_network(), true);
  (void)apart;
  fuzz::Input input(data, size);
  const unsigned choice = input.byte();
  const std::size_t descriptors = choice % 4;
  const auto bytes = input.take_all();
  const auto request = std::as_bytes(std::span(bytes));
  decode(request, descriptors);
  serve(request, descriptors, choice / 4);
  return 0;
}
