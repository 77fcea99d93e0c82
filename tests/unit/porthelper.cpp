// SPDX-License-Identifier: Apache-2.0
// What weir-porthelper refuses: every wrong field of every verb, and every wrong sender. A real
// server at one end of a socket pair; nothing here gets as far as to need privilege.
#include "dataplane/base/channel.hpp"
#include "drivers/helper/client.hpp"
#include "drivers/helper/message.hpp"
#include "drivers/helper/server.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <net/if.h>
#include <optional>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dp {
namespace {

using base::Errc;

XdpProgramRequest program_request() {
  return {.ifindex = 1, .interface = to_interface_name("lo"), .mode = 0};
}
XdpSocketRequest socket_request() {
  return {.chunk_bytes = 2432, .headroom_bytes = 128, .offset = 4096, .bytes = 8192};
}
XdpPinRequest pin_request(bool pinned) {
  return {.ifindex = 1, .interface = to_interface_name("lo"), .pinned = pinned ? 1U : 0U};
}
TapRequest tap_request() {
  return {.queues = 2,
          .mtu = 1500,
          .queue_length = 512,
          .mac = {{2, 0, 0, 0, 0x11, 1}},
          .interface = to_interface_name("host0")};
}
TapRequest tap_tending() {
  return {.mtu = 9000};
}

template <class Request>
std::span<const std::byte> bytes_of(const Request& request) {
  return std::as_bytes(std::span(&request, 1));
}

template <class Request>
bool takes(const Request& request, std::size_t descriptors) {
  const auto parsed = parse_request(bytes_of(request), descriptors);
  EXPECT_TRUE(parsed || parsed.error().code == Errc::malformed);
  return parsed && std::holds_alternative<Request>(*parsed);
}

// The request with one thing changed.
template <class Request>
bool takes_with(Request request, std::size_t descriptors,
                const std::function<void(Request&)>& change) {
  change(request);
  return takes(request, descriptors);
}

TEST(porthelper, takes_each_verb_as_the_data_plane_sends_it) {
  EXPECT_TRUE(takes(program_request(), 0));
  EXPECT_TRUE(takes(socket_request(), 1));
  EXPECT_TRUE(takes(pin_request(true), 2));
  EXPECT_TRUE(takes(pin_request(false), 0));
  EXPECT_TRUE(takes(tap_request(), 0));
  EXPECT_TRUE(takes(tap_tending(), 1));
  EXPECT_TRUE(takes(TapRequest{}, 1)) << "a mere question";
}

TEST(porthelper, refuses_each_other_number_of_descriptors) {
  EXPECT_FALSE(takes(program_request(), 1));
  EXPECT_FALSE(takes(socket_request(), 0));
  EXPECT_FALSE(takes(socket_request(), 2));
  EXPECT_FALSE(takes(pin_request(true), 0));
  EXPECT_FALSE(takes(pin_request(true), 1));
  EXPECT_FALSE(takes(pin_request(false), 2));
  EXPECT_FALSE(takes(tap_request(), 1));
  EXPECT_FALSE(takes(tap_tending(), 0));
  EXPECT_FALSE(takes(tap_tending(), 2));
}

TEST(porthelper, refuses_other_sizes_and_unknown_verbs) {
  const auto request = program_request();
  const auto whole = bytes_of(request);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_request(whole.first(size), 0)) << size;
  }
  std::array<std::byte, sizeof request + 1> longer{};
  std::memcpy(longer.data(), &request, sizeof request);
  EXPECT_FALSE(parse_request(longer, 0));
  for (const std::uint32_t verb : {0U, 5U, 6U, 0x01000000U, 0xffffffffU}) {
    EXPECT_FALSE(takes_with<XdpProgramRequest>(
        request, 0, [verb](auto& r) { r.verb = static_cast<HelperVerb>(verb); }));
  }
}

TEST(porthelper, refuses_what_is_no_name_of_an_interface) {
  for (const char* name : {"", ".", "..", ".lo", "a/b", "../x", "a b", "a\tb", "a:1", "\x7f",
                           "\xc3\xa4", "sixteen-letters-"}) {
    EXPECT_FALSE(is_interface_name(name)) << name;
    InterfaceName raw{};
    std::memcpy(raw.data(), name, strnlen(name, raw.size()));
    EXPECT_FALSE(takes_with<XdpProgramRequest>(program_request(), 0,
                                               [&raw](auto& r) { r.interface = raw; }));
    EXPECT_FALSE(
        takes_with<XdpPinRequest>(pin_request(false), 0, [&raw](auto& r) { r.interface = raw; }));
    EXPECT_FALSE(takes_with<TapRequest>(tap_request(), 0, [&raw](auto& r) { r.interface = raw; }));
  }
  EXPECT_TRUE(is_interface_name("enp3s0f1np1.409"));
  EXPECT_FALSE(takes_with<XdpProgramRequest>(program_request(), 0, [](auto& r) {
    r.interface[8] = 'x';
  })) << "something behind the end of the name";
}

TEST(porthelper, refuses_each_other_value_out_of_its_range) {
  const auto program = [](const std::function<void(XdpProgramRequest&)>& change) {
    return takes_with<XdpProgramRequest>(program_request(), 0, change);
  };
  EXPECT_FALSE(program([](auto& r) { r.ifindex = 0; }));
  EXPECT_FALSE(program([](auto& r) { r.mode = 3; }));
  EXPECT_FALSE(takes_with<XdpPinRequest>(pin_request(false), 0, [](auto& r) { r.ifindex = 0; }));
  EXPECT_FALSE(takes_with<XdpPinRequest>(pin_request(true), 2, [](auto& r) { r.pinned = 2; }));

  const auto socket = [](const std::function<void(XdpSocketRequest&)>& change) {
    return takes_with<XdpSocketRequest>(socket_request(), 1, change);
  };
  EXPECT_FALSE(socket([](auto& r) { r.chunk_bytes = 2047; }));
  EXPECT_FALSE(socket([](auto& r) { r.chunk_bytes = 65537; }));
  EXPECT_FALSE(socket([](auto& r) { r.headroom_bytes = r.chunk_bytes; }));
  EXPECT_FALSE(socket([](auto& r) { r.busy_poll = 2; }));
  EXPECT_FALSE(socket([](auto& r) { r.bytes = 0; }));
  EXPECT_FALSE(socket([](auto& r) { r.bytes = 4097; }));
  EXPECT_FALSE(socket([](auto& r) { r.bytes = (1ULL << 40) + 4096; }));
  EXPECT_FALSE(socket([](auto& r) { r.offset = 1; }));
  EXPECT_FALSE(socket([](auto& r) { r.offset = ~std::uint64_t{4095}; }));
}

TEST(porthelper, refuses_each_value_of_a_tap_out_of_its_range) {
  const auto tap = [](const std::function<void(TapRequest&)>& change) {
    return takes_with<TapRequest>(tap_request(), 0, change);
  };
  EXPECT_TRUE(tap([](auto& r) { r.queues = 64; }));
  EXPECT_FALSE(tap([](auto& r) { r.queues = 65; }));
  EXPECT_FALSE(tap([](auto& r) { r.queues = 0; }));
  EXPECT_TRUE(tap([](auto& r) { r.mtu = 68; }));
  EXPECT_TRUE(tap([](auto& r) { r.mtu = 65521; }));
  EXPECT_FALSE(tap([](auto& r) { r.mtu = 67; }));
  EXPECT_FALSE(tap([](auto& r) { r.mtu = 65522; }));
  EXPECT_TRUE(tap([](auto& r) { r.mac = {}; }));
  EXPECT_FALSE(tap([](auto& r) { r.mac.bytes[0] = 1; })) << "the address of a group";
  EXPECT_TRUE(tap([](auto& r) { r.take_over = 1; }));
  EXPECT_FALSE(tap([](auto& r) { r.take_over = 2; }));
  EXPECT_FALSE(tap([](auto& r) { r.interface = to_interface_name("tap%d"); }))
      << "a pattern, which the kernel would fill in";

  const auto tending = [](const std::function<void(TapRequest&)>& change) {
    return takes_with<TapRequest>(tap_tending(), 1, change);
  };
  EXPECT_FALSE(tending([](auto& r) { r.mtu = 67; }));
  EXPECT_FALSE(tending([](auto& r) { r.queues = 1; }));
  EXPECT_FALSE(tending([](auto& r) { r.take_over = 1; }));
  EXPECT_FALSE(tending([](auto& r) { r.mac.bytes[5] = 1; }));
  EXPECT_FALSE(tending([](auto& r) { r.interface = to_interface_name("lo"); }));
}

// The server with this process as its client.
class Served : public testing::Test {
 protected:
  Served() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const int yes = 1;
    EXPECT_EQ(::setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes), 0);
    ours_ = base::Descriptor(ends[0]);
    server_.emplace(base::Descriptor(ends[1]),
                    HelperServer::Config{.client = ::getpid(), .bpffs = "/tmp"});
  }

  // The server's answer to one message; ok where it did what was asked.
  Errc ask(std::span<const std::byte> message, std::span<const int> descriptors = {}) {
    EXPECT_TRUE(base::send_message(ours_.get(), message, descriptors));
    return answer();
  }
  Errc answer() {
    EXPECT_TRUE(server_->serve_one());
    HelperReply reply{};
    const auto answer =
        base::receive_message(ours_.get(), std::as_writable_bytes(std::span(&reply, 1)));
    EXPECT_TRUE(answer && answer->bytes == sizeof reply && !answer->truncated);
    EXPECT_TRUE(reply.code == 0 || reply.text[0] != '\0') << "an error says why";
    EXPECT_TRUE(reply.code == 0 || answer->descriptors.empty()) << "something for nothing";
    return static_cast<Errc>(reply.code);
  }
  bool nothing_came() const {
    char byte = 0;
    return ::recv(ours_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  base::Descriptor ours_;
  std::optional<HelperServer> server_;
};

int memory_of(std::uint64_t bytes) {
  const int memory = ::memfd_create("pool", MFD_CLOEXEC);
  EXPECT_EQ(::ftruncate(memory, static_cast<off_t>(bytes)), 0);
  return memory;
}

int held_descriptors() {
  int held = 0;
  for (int descriptor = 0; descriptor < 256; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) ++held;
  }
  return held;
}

// With more descriptors than the server has room for.
void send_many(int socket, std::span<const std::byte> message) {
  constexpr std::size_t count = 200;
  iovec part{.iov_base = const_cast<std::byte*>(message.data()), .iov_len = message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(count * sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(count * sizeof(int));  // All of them standard input.
  EXPECT_EQ(::sendmsg(socket, &header, 0), static_cast<ssize_t>(message.size()));
}

TEST_F(Served, answers_garbage_with_an_error_and_goes_on) {
  const std::array<std::byte, 4> garbage{std::byte{7}, std::byte{7}, std::byte{7}, std::byte{7}};
  EXPECT_EQ(ask(garbage), Errc::malformed);
  EXPECT_EQ(ask({}), Errc::malformed) << "a message of no bytes is not the end";
  const std::vector<std::byte> huge(100'000, std::byte{1});
  EXPECT_EQ(ask(huge), Errc::malformed);
  EXPECT_EQ(ask(bytes_of(socket_request()), {}), Errc::malformed);
}

TEST_F(Served, closes_descriptors_that_it_did_not_ask_for) {
  const int before = held_descriptors();
  const std::vector<int> few(2, 0);
  EXPECT_EQ(ask(bytes_of(program_request()), few), Errc::malformed);
  EXPECT_EQ(held_descriptors(), before);
}

TEST_F(Served, closes_descriptors_that_it_has_no_room_for) {
  // qemu-user lends the kernel twice the room and never closes what it cannot pass on.
  const char* emulator = std::getenv("WEIR_EMULATOR");
  if (emulator != nullptr && *emulator != '\0') GTEST_SKIP() << "the emulator keeps them";
  const int before = held_descriptors();
  send_many(ours_.get(), bytes_of(program_request()));
  EXPECT_EQ(answer(), Errc::malformed);
  EXPECT_EQ(held_descriptors(), before);
}

TEST_F(Served, does_not_answer_another_process) {
  const auto request = pin_request(false);
  const pid_t stranger = ::fork();
  ASSERT_GE(stranger, 0);
  if (stranger == 0) ::_exit(base::send_message(ours_.get(), bytes_of(request), {}) ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(stranger, &status, 0), stranger);
  ASSERT_EQ(status, 0) << "it did send";

  EXPECT_TRUE(server_->serve_one()) << "and is not the end either";
  EXPECT_TRUE(nothing_came());
  EXPECT_EQ(ask(bytes_of(request)), Errc::ok) << "its client is still served";
}

TEST_F(Served, takes_no_interface_under_another_number) {
  XdpProgramRequest request = program_request();
  request.ifindex = 1'000'000;
  EXPECT_EQ(ask(bytes_of(request)), Errc::not_found);
  request = program_request();
  request.interface = to_interface_name("no-such-one");
  EXPECT_EQ(ask(bytes_of(request)), Errc::not_found);
}

TEST_F(Served, takes_nothing_but_memory_as_memory) {
  const std::array file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
  EXPECT_EQ(ask(bytes_of(socket_request()), file), Errc::invalid_argument);
  const std::array pipe_end{::dup(ours_.get())};
  EXPECT_EQ(ask(bytes_of(socket_request()), pipe_end), Errc::invalid_argument);
  ::close(file[0]);
  ::close(pipe_end[0]);
}

TEST_F(Served, takes_no_memory_shorter_than_it_is_said_to_be) {
  const std::array memory{memory_of(4096 + 8192 - 1)};
  EXPECT_EQ(ask(bytes_of(socket_request()), memory), Errc::invalid_argument);
  ::close(memory[0]);
}

TEST_F(Served, locks_no_other_memory_than_the_first) {
  const std::array first{memory_of(16)};
  const std::array second{memory_of(1 << 20)};
  EXPECT_EQ(ask(bytes_of(socket_request()), first), Errc::invalid_argument);
  EXPECT_EQ(ask(bytes_of(socket_request()), second), Errc::invalid_argument)
      << "it would do as memory, and as root the socket be opened";
  ::close(first[0]);
  ::close(second[0]);
}

TEST_F(Served, pins_nothing_outside_of_a_bpffs) {
  const std::array parts{0, 0};
  EXPECT_EQ(ask(bytes_of(pin_request(true)), parts), Errc::unsupported);
}

TEST_F(Served, takes_no_interface_that_exists_for_a_tap) {
  TapRequest request = tap_request();
  request.interface = to_interface_name("lo");
  const bool can_ask = ::access("/dev/net/tun", R_OK | W_OK) == 0;
  EXPECT_EQ(ask(bytes_of(request)), can_ask ? Errc::already_exists : Errc::unsupported);
}

TEST_F(Served, tends_nothing_but_a_tap) {
  const std::array others{::open("/dev/null", O_RDWR | O_CLOEXEC), memory_of(4096),
                          ::dup(ours_.get()), ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  for (const int other : others) {
    EXPECT_EQ(ask(bytes_of(tap_tending()), std::span(&other, 1)), Errc::invalid_argument);
    ::close(other);
  }
  const int none = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (none < 0) return;  // Not everybody may.
  EXPECT_EQ(ask(bytes_of(tap_tending()), std::span(&none, 1)), Errc::not_found)
      << "it has no interface";
  ::close(none);
}

TEST_F(Served, ends_when_the_data_plane_does) {
  ours_.reset();
  EXPECT_FALSE(server_->serve_one());
}

TEST(porthelper, says_so_where_its_program_is_missing) {
  const auto helper = PortHelper::start({.program = "/nowhere/weir-porthelper", .bpffs = "/tmp"});
  ASSERT_FALSE(helper);
  EXPECT_EQ(helper.error().code, Errc::not_found);
}

TEST(porthelper, that_has_ended_is_told_from_one_that_refuses) {
  // A program that ends at once takes its place.
  auto helper = PortHelper::start({.program = "/bin/true", .bpffs = "/tmp"});
  ASSERT_TRUE(helper);
  for (int i = 0; i < 2; ++i) {
    const auto program = helper->open_xdp_program(program_request());
    ASSERT_FALSE(program);
    EXPECT_EQ(program.error().code, Errc::device_failed);
    EXPECT_NE(std::strstr(program.error().text, "has ended"), nullptr);
  }
}

}  // namespace
}  // namespace dp
