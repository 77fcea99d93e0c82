// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/system_calls.hpp"

#include <array>
#include <linux/bpf.h>
#include <sys/socket.h>

namespace dp {
namespace {

using base::CallRule;
using base::if_bits;
using base::if_equal;
using enum CallRule::Answer;

// weir-porthelper's end, memory by NUMA node, shared memory of memif and virtio_user, and whatever
// a device's file, a TAP or a socket is asked for.
constexpr std::string_view plain = R"(
  wait4 waitid
  mbind set_mempolicy get_mempolicy mlockall munlockall memfd_create ioctl
  sched_setscheduler sched_setparam sched_getscheduler sched_getparam
  sched_get_priority_max sched_get_priority_min
)";

constexpr CallRule datagrams(std::uint64_t family) {
  return {.name = "socket",
          .answer = allowed,
          .arguments = {{{0, 0xffff'ffff, family}, {1, 0xf, SOCK_DGRAM}}}};
}

constexpr CallRule no_stream(std::uint64_t family, std::uint64_t mask, std::uint64_t value) {
  return {.name = "socket",
          .answer = not_permitted,
          .arguments = {{{0, 0xffff'ffff, family}, {1, mask, value}}}};
}

// What weir-porthelper has made, and that only; other commands by their bits, as there is no
// "not equal" for more than one value.
constexpr CallRule bpf(std::uint64_t command) {
  return if_equal("bpf", 0, command);
}
constexpr CallRule no_bpf(std::uint64_t mask, std::uint64_t value) {
  return if_bits(not_permitted, "bpf", 0, 0xffff'ffff & mask, value);
}
static_assert(BPF_MAP_LOOKUP_ELEM == 1 && BPF_MAP_UPDATE_ELEM == 2 && BPF_MAP_DELETE_ELEM == 3 &&
              BPF_LINK_UPDATE == 29);

constexpr std::array rules{
    if_equal("socket", 0, AF_NETLINK),
    // The kernel is made to ask for a neighbour; drivers ask for links by them.
    datagrams(AF_INET), datagrams(AF_INET6),
    // Drivers that were not to be opened any more are told so.
    no_stream(AF_INET, 0xf, SOCK_STREAM), no_stream(AF_INET, 0xf, SOCK_RAW),
    no_stream(AF_INET6, 0xf, SOCK_STREAM), no_stream(AF_INET6, 0xf, SOCK_RAW),
    if_bits(not_permitted, "socket", 0, 0xffff'ffff, AF_PACKET),
    if_bits(not_permitted, "socket", 0, 0xffff'ffff, AF_XDP),
    CallRule{.name = "mount", .answer = not_permitted},
    CallRule{.name = "unshare", .answer = not_permitted}, bpf(BPF_MAP_LOOKUP_ELEM),
    bpf(BPF_MAP_UPDATE_ELEM), bpf(BPF_MAP_DELETE_ELEM), bpf(BPF_LINK_UPDATE), no_bpf(~0ull, 0),
    no_bpf(~3ull, 4), no_bpf(~7ull, 8), no_bpf(~7ull, 16), no_bpf(~3ull, 24), no_bpf(~0ull, 28),
    no_bpf(~1ull, 30), no_bpf(~31ull, 32)};

// Of drivers that open devices with the rights of root: packet sockets, XDP programs, libraries of
// a NIC, ports of the processor.
constexpr std::string_view plain_with_rights = "socket bpf mmap mprotect iopl ioperm capget";

}  // namespace

std::vector<base::CallList> system_calls(bool with_rights) {
  std::vector<base::CallList> lists{base::calls_of_both(), {.plain = plain, .rules = rules}};
  if (with_rights) lists.push_back({.plain = plain_with_rights, .rules = {}});
  return lists;
}

}  // namespace dp
