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
#include <linux/if_packet.h>
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
  return pin(steering);
}

base::Status XdpProgram::steer_by(const XdpSteering& steering) {
  if (auto status = pin(steering); !status) return status;
  return write(steering);
}

base::Status XdpProgram::write(const XdpSteering& steering) {
  const int map = part(XdpProgramPart::addresses);
  const std::uint8_t present = 1;
  // New ones before what is steered by them, old ones after: no frame falls between.
  for (const base::IpAddress& address : steering.local_addresses) {
    const weir_address key = as_key(address);
    if (const int error = bpf_map_update_elem(map, &key, &present, 0); error != 0) {
      return fail(Errc::table_full, "an xdp port takes 1,024 local VTEPs", -error);
    }
  }
  // Relaxed: the program reads each once per frame, and no order between them matters.
  const unsigned action = steering.drop_unread ? XDP_DROP : XDP_PASS;
  std::atomic_ref(settings_->unread_action).store(action, std::memory_order_relaxed);
  std::atomic_ref(settings_->what).store(steering.what, std::memory_order_relaxed);
  for (const base::IpAddress& address : addresses_) {
    if (std::ranges::find(steering.local_addresses, address) != steering.local_addresses.end()) {
      continue;
    }
    const weir_address key = as_key(address);
    (void)bpf_map_delete_elem(map, &key);  // It is in there: we put it.
  }
  addresses_ = steering.local_addresses;
  return {};
}

std::uint64_t XdpProgram::unread_dropped() const noexcept {
  const __u32 key = weir_unread_dropped;
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(part(XdpProgramPart::counts), &key, per_cpu.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t count : per_cpu) sum += count;
  return sum;
}

bool XdpProgram::set_promiscuous(bool promiscuous) noexcept {
  packet_mreq membership{};
  membership.mr_ifindex = static_cast<int>(config_.ifindex);
  membership.mr_type = PACKET_MR_PROMISC;
  return ::setsockopt(part(XdpProgramPart::packet_socket), SOL_PACKET,
                      promiscuous ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &membership,
                      sizeof membership) == 0;
}

}  // namespace dp
