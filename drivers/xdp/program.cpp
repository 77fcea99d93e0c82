// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/program.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstring>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

namespace {

weir_address as_key(const base::IpAddress& address) noexcept {
  weir_address key;
  static_assert(sizeof key == sizeof address);
  std::memcpy(&key, &address, sizeof key);
  return key;
}

constexpr sock_filter statement(unsigned code, unsigned value) noexcept {
  return {static_cast<std::uint16_t>(code), 0, 0, value};
}
constexpr sock_filter unless_equal(unsigned value, std::uint8_t skip) noexcept {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value};
}

// ARP whose sender asks for, or answers about, itself (RFC 5227 §3); neighbour advertisements to a
// group (RFC 4861 §7.2.6). Frames that this host sends are not for us.
constexpr std::array<sock_filter, 18> announcement_filter{
    statement(BPF_LD | BPF_B | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
    sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 15, 0, PACKET_OUTGOING},  // Skips count to the end.
    statement(BPF_LD | BPF_H | BPF_ABS, 12),                         // The EtherType.
    unless_equal(ETH_P_ARP, 5),
    statement(BPF_LD | BPF_W | BPF_ABS, 28),  // ARP's sender.
    statement(BPF_MISC | BPF_TAX, 0),
    statement(BPF_LD | BPF_W | BPF_ABS, 38),  // ARP's target.
    sock_filter{BPF_JMP | BPF_JEQ | BPF_X, 0, 9, 0},
    statement(BPF_RET | BPF_K, UINT32_MAX),
    unless_equal(ETH_P_IPV6, 7),
    statement(BPF_LD | BPF_B | BPF_ABS, 20),  // The next header.
    unless_equal(IPPROTO_ICMPV6, 5),
    statement(BPF_LD | BPF_B | BPF_ABS, 54),  // ICMPv6's type.
    unless_equal(136, 3),
    statement(BPF_LD | BPF_B | BPF_ABS, 38),  // The first byte of the destination.
    unless_equal(0xff, 1),
    statement(BPF_RET | BPF_K, UINT32_MAX),
    statement(BPF_RET | BPF_K, 0),
};

// The kernel maps whole pages.
std::size_t settings_bytes() noexcept {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

XdpPinRequest pin_request(const XdpProgram::Config& config, bool pinned) {
  return {.ifindex = config.ifindex,
          .interface = to_interface_name(config.interface),
          .pinned = pinned ? 1U : 0U};
}

}  // namespace

XdpProgram::XdpProgram(PortHelper& helper, const Config& config, PortHelper::XdpProgramParts parts)
    : helper_(helper),
      config_(config),
      parts_(std::move(parts)),
      predecessor_((parts_.flags & xdp_program_taken_over) != 0) {}

XdpProgram::~XdpProgram() {
  if (settings_ != nullptr) ::munmap(settings_, settings_bytes());
  if (predecessor_) return;
  // What it has told of so far is not to be told again by whoever takes over.
  const __u32 key = weir_unread_dropped;
  const std::vector<std::uint64_t> zeros(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  (void)bpf_map_update_elem(part(XdpProgramPart::counts), &key, zeros.data(), 0);
}

base::Result<std::unique_ptr<XdpProgram>> XdpProgram::load(PortHelper& helper, const Config& config,
                                                           const XdpSteering& steering) {
  auto parts = helper.open_xdp_program({.ifindex = config.ifindex,
                                        .interface = to_interface_name(config.interface),
                                        .mode = static_cast<std::uint32_t>(config.mode)});
  if (!parts) return std::unexpected(parts.error());
  std::unique_ptr<XdpProgram> program(new XdpProgram(helper, config, std::move(*parts)));
  if (auto status = program->map_settings(); !status) return std::unexpected(status.error());
  if (auto status = program->write(steering); !status) return std::unexpected(status.error());
  return program;
}

base::Status XdpProgram::map_settings() {
  void* map = ::mmap(nullptr, settings_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                     part(XdpProgramPart::settings), 0);
  if (map == MAP_FAILED) {
    return fail(Errc::io, "the XDP program's settings are out of reach", errno);
  }
  settings_ = static_cast<weir_steer_settings*>(map);
  return {};
}

base::Status XdpProgram::pin(const XdpSteering& steering) {
  if (!steering.drop_unread) {
    unpin();
    return {};
  }
  if (pinned_) return {};
  const std::array parts{part(XdpProgramPart::link), part(XdpProgramPart::counts)};
  if (auto status = helper_.pin_xdp(pin_request(config_, true), parts); !status) return status;
  pinned_ = true;
  return {};
}

void XdpProgram::unpin() noexcept {
  // Where the helper has ended a pin stays, and with it what it is there for: frames are dropped.
  (void)helper_.pin_xdp(pin_request(config_, false), {});
  pinned_ = false;
}

base::Status XdpProgram::put_socket(std::uint16_t queue, int socket) {
  const __u32 key = queue;
  const int error = bpf_map_update_elem(part(XdpProgramPart::sockets), &key, &socket, 0);
  if (error == 0) return {};
  return fail(Errc::io, "a socket cannot be given to the XDP program", -error);
}

base::Status XdpProgram::begin(const XdpSteering& steering) {
  if (predecessor_) {
    const int error =
        bpf_link_update(part(XdpProgramPart::link), part(XdpProgramPart::program), nullptr);
    if (error != 0) {
      return fail(Errc::io, "the XDP program of the data plane before cannot be replaced", -error);
    }
  }
  predecessor_ = false;
  passed_before_ = count_of(weir_unread_passed);
  return pin(steering);
}

base::Status XdpProgram::steer_by(const XdpSteering& steering) {
  if (auto status = pin(steering); !status) return status;
  return write(steering);
}

base::Status XdpProgram::write(const XdpSteering& steering) {
  std::map<base::IpAddress, std::uint8_t> wanted;
  for (const base::IpAddress& one : steering.local_vteps) wanted[one] |= weir_address_vxlan;
  for (const base::IpAddress& one : steering.neighbours) wanted[one] |= weir_address_neighbours;
  const int map = part(XdpProgramPart::addresses);
  // New ones before what is steered by them, old ones after: no frame falls between.
  for (const auto& [address, uses] : wanted) {
    const weir_address key = as_key(address);
    if (const int error = bpf_map_update_elem(map, &key, &uses, 0); error != 0) {
      return fail(Errc::table_full, "an xdp port takes 1,024 local VTEPs and addresses", -error);
    }
  }
  // Relaxed: the program reads each once per frame, and no order between them matters.
  const unsigned action = steering.drop_unread ? XDP_DROP : XDP_PASS;
  std::atomic_ref(settings_->unread_action).store(action, std::memory_order_relaxed);
  std::atomic_ref(settings_->what).store(steering.what, std::memory_order_relaxed);
  for (const auto& [address, uses] : addresses_) {
    if (wanted.contains(address)) continue;
    const weir_address key = as_key(address);
    (void)bpf_map_delete_elem(map, &key);  // It is in there: we put it.
  }
  addresses_ = std::move(wanted);
  return {};
}

std::uint64_t XdpProgram::unread() const noexcept {
  return count_of(weir_unread_dropped) + count_of(weir_unread_passed) - passed_before_;
}

std::uint64_t XdpProgram::count_of(weir_steer_count which) const noexcept {
  const __u32 key = which;
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(part(XdpProgramPart::counts), &key, per_cpu.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t count : per_cpu) sum += count;
  return sum;
}

bool XdpProgram::ask_membership(int type, bool wanted) noexcept {
  packet_mreq membership{};
  membership.mr_ifindex = static_cast<int>(config_.ifindex);
  membership.mr_type = static_cast<unsigned short>(type);
  return ::setsockopt(part(XdpProgramPart::packet_socket), SOL_PACKET,
                      wanted ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &membership,
                      sizeof membership) == 0;
}

bool XdpProgram::set_promiscuous(bool promiscuous) noexcept {
  return ask_membership(PACKET_MR_PROMISC, promiscuous);
}

base::Status XdpProgram::overhear(bool wanted) noexcept {
  if (wanted == overhears_) return {};
  const int socket = part(XdpProgramPart::packet_socket);
  sock_fprog filter{.len = announcement_filter.size(),
                    .filter = const_cast<sock_filter*>(announcement_filter.data())};
  sockaddr_ll place{};
  place.sll_family = AF_PACKET;
  if (wanted) place.sll_protocol = htons(ETH_P_ALL);
  place.sll_ifindex = static_cast<int>(config_.ifindex);
  // The filter first: nothing else ever comes. Best effort is the last: an interface without
  // address filters has no such mode.
  if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0 ||
      ::bind(socket, reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
    return fail(Errc::io, "announcements of an xdp port's neighbours cannot be overheard", errno);
  }
  (void)ask_membership(PACKET_MR_ALLMULTI, wanted);
  overhears_ = wanted;
  return {};
}

}  // namespace dp
