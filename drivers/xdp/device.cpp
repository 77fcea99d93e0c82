// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/device.hpp"

#include "dataplane/base/log.hpp"
#include "drivers/link.hpp"
#include "drivers/xdp/interface.hpp"

#include <rte_ether.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;
using contract::DropReason;
using contract::PortRole;

namespace {

constexpr std::uint32_t ethernet_overhead_bytes = RTE_ETHER_HDR_LEN + 4;  // With a VLAN tag.

weir_steer_what what_for(PortRole role) noexcept {
  switch (role) {
    case PortRole::none: return weir_steer_nothing;
    case PortRole::underlay: return weir_steer_vxlan;
    case PortRole::tenant: return weir_steer_all;
    case PortRole::transit: return weir_steer_roce;
    case PortRole::host: return weir_steer_all;
  }
  return weir_steer_nothing;
}

}  // namespace

XdpDevice::XdpDevice(XdpDeviceString name, const XdpMemory& memory, PortHelper& helper)
    : name_(std::move(name)), memory_(memory), helper_(helper) {}

XdpDevice::~XdpDevice() = default;

base::Result<std::unique_ptr<Device>> XdpDevice::open(const DeviceRequest& request,
                                                      rte_mempool& pool, PortHelper& helper) {
  auto name = parse_xdp_device(request.device);
  if (!name) return std::unexpected(name.error());
  const auto memory = XdpMemory::of(pool);
  if (!memory) return std::unexpected(memory.error());
  std::unique_ptr<XdpDevice> device(new XdpDevice(std::move(*name), *memory, helper));
  if (auto status = device->set_up(request); !status) return std::unexpected(status.error());
  return std::unique_ptr<Device>(std::move(device));
}

// The addresses for which Weir asks and answers in the kernel's place.
std::vector<base::IpAddress> XdpDevice::asked_for(const DeviceRequest& request) const {
  if (request.neighbours != contract::NeighbourKeeper::weir) return {};
  std::vector<base::IpAddress> addresses = request.own_addresses;
  addresses.push_back(base::link_local_address(facts_.mac));
  return addresses;
}

// What Weir answered for would be missing where the kernel had asked, for its ssh and BGP.
base::Status XdpDevice::check_addresses(const DeviceRequest& request) const {
  const auto kernels = kernel_addresses();
  for (const base::IpAddress& address : asked_for(request)) {
    if (std::ranges::find(kernels, address) == kernels.end()) continue;
    LOG(error, "address_of_the_kernel", {"interface", name_.interface},
        {"address", base::to_string(address)});
    return fail(Errc::already_exists,
                "with neighbours: weir the port's addresses and VTEPs are Weir's alone, but the "
                "kernel has one of them: take it from its interface (ip addr del), or say "
                "neighbours: kernel");
  }
  return {};
}

base::Status XdpDevice::overhear(const DeviceRequest& request) {
  const bool wanted =
      request.neighbours == contract::NeighbourKeeper::weir && request.role == PortRole::underlay;
  if (auto status = program_->overhear(wanted); !status) return status;
  facts_.announcements = wanted ? program_->announcements() : -1;
  return {};
}

XdpSteering XdpDevice::steering_for(const DeviceRequest& request) const {
  // Fail closed: a tenant's frames are for nobody but Weir.
  const XdpAbsent otherwise = request.role == PortRole::tenant ? XdpAbsent::drop : XdpAbsent::pass;
  return {.what = what_for(request.role),
          .local_vteps = request.local_vteps,
          .neighbours = asked_for(request),
          .drop_unread = name_.absent.value_or(otherwise) == XdpAbsent::drop};
}

base::Status XdpDevice::set_up(const DeviceRequest& request) {
  const auto interface = ask_interface(name_.interface);
  if (!interface) {
    return fail(Errc::not_found, "the interface of an xdp port does not exist in this namespace");
  }
  ifindex_ = interface->ifindex;
  // Whoever makes it anew gives it its MAC and MTU first.
  if (request.again_as && !ask_link(ifindex_).up) {
    return fail(Errc::not_found, "the interface of an xdp port has returned, but is not up yet");
  }
  facts_ = {.mac = interface->mac,
            .mtu = interface->mtu,
            .rx_queues = interface->rx_queues,
            .tx_queues = request.worker_count,
            .spreads_by_hash = false,
            .receives_segmented = false,
            .ifindex = ifindex_,
            .can_reopen = true,
            .kernel_shares = true,
            .kernel_keeps_neighbours = true,
            .socket = ask_socket(name_.interface)};
  if (auto status = check_mtu(request); !status) return status;
  if (auto status = check_addresses(request); !status) return status;

  const XdpSteering steering = steering_for(request);
  auto program = XdpProgram::load(
      helper_, {.interface = name_.interface, .ifindex = ifindex_, .mode = name_.mode}, steering);
  if (!program) return std::unexpected(program.error());
  program_ = std::move(*program);
  if (auto status = open_queues(request); !status) return status;
  if (auto status = program_->begin(steering); !status) return status;
  if (auto status = overhear(request); !status) return status;
  set_promiscuous(request.promiscuous);
  LOG(info, "device_opened", {"device", request.device}, {"rx_queues", facts_.rx_queues},
      {"tx_queues", facts_.tx_queues}, {"mtu", facts_.mtu}, {"mac", to_string(facts_.mac)},
      {"driver", contract::to_view(facts_.driver)});
  return {};
}

base::Status XdpDevice::open_queues(const DeviceRequest& request) {
  std::uint16_t wanted = name_.queues != 0 ? name_.queues : request.rx_queues;
  if (wanted == 0) wanted = std::min<std::uint16_t>(facts_.rx_queues, WEIR_QUEUES_MAX);
  if (wanted > facts_.rx_queues) {
    return fail(Errc::unsupported,
                "the interface has fewer queues than asked for: ethtool -L gives it more");
  }
  // What comes on a queue that nobody reads would be lost, or the kernel's.
  if (wanted < facts_.rx_queues) {
    LOG(warning, "xdp_queues_unread", {"interface", name_.interface}, {"read", wanted},
        {"queues", facts_.rx_queues},
        {"effect", "frames of the other queues are treated as without a data plane"});
  }
  // Sockets of the generic mode see no frame in the driver's own buffers.
  const XdpCopy copy = program_->is_native() ? name_.copy : XdpCopy::copy;
  for (std::uint16_t queue = 0; queue < wanted; ++queue) {
    auto socket = open_socket();
    if (!socket) return std::unexpected(socket.error());
    auto opened = XdpQueue::open(memory_,
                                 {.ifindex = ifindex_,
                                  .queue = queue,
                                  .rx_descriptors = request.rx_descriptors,
                                  .tx_descriptors = request.tx_descriptors,
                                  .copy = copy,
                                  .several_senders = request.worker_count > wanted,
                                  .busy_poll = name_.busy_poll},
                                 std::move(*socket));
    if (!opened) return std::unexpected(opened.error());
    if (auto status = program_->put_socket(queue, (*opened)->socket()); !status) return status;
    queues_.push_back(std::move(*opened));
  }
  facts_.rx_queues = wanted;
  facts_.rx_descriptors = std::bit_ceil(request.rx_descriptors);
  facts_.tx_descriptors = std::bit_ceil(request.tx_descriptors);
  facts_.tx_queues = std::min(wanted, request.worker_count);
  facts_.spreads_by_hash = wanted > 1;
  facts_.driver = contract::to_text<contract::name_bytes>(
      std::string("xdp ") + (program_->is_native() ? "native" : "generic") +
      (queues_.front()->is_zero_copy() ? " zerocopy" : " copy") +
      (name_.busy_poll ? " busy-poll" : ""));
  port_.emplace<XdpPort>(std::span<const std::unique_ptr<XdpQueue>>(queues_));
  return {};
}

base::Status XdpDevice::check_mtu(const DeviceRequest& request) {
  const std::uint32_t mtu = std::max(request.mtu, facts_.mtu);
  if (request.mtu > facts_.mtu) {
    return fail(Errc::invalid_argument,
                "the interface of an xdp port has a smaller MTU: ip link set IFACE mtu N");
  }
  if (mtu + ethernet_overhead_bytes > memory_.frame_bytes_max) {
    return fail(Errc::unsupported,
                "frames of the interface's MTU do not fit a buffer: start with a larger "
                "--mbuf-bytes; an xdp port carries an MTU of at most 3,690");
  }
  return {};
}

base::Result<base::Descriptor> XdpDevice::open_socket() {
  return helper_.open_xdp_socket({.chunk_bytes = memory_.chunk_bytes,
                                  .headroom_bytes = memory_.headroom_bytes,
                                  .busy_poll = name_.busy_poll ? 1U : 0U,
                                  .offset = memory_.file_offset,
                                  .bytes = memory_.bytes},
                                 memory_.file);
}

void XdpDevice::set_promiscuous(bool promiscuous) noexcept {
  if (promiscuous == promiscuous_) return;
  promiscuous_ = promiscuous && program_->set_promiscuous(true);
  if (!promiscuous) (void)program_->set_promiscuous(false);  // It was taken, so it can be left.
  if (promiscuous && !promiscuous_) {
    LOG(warning, "promiscuous_mode_refused", {"device", name_.interface});
  }
}

base::Status XdpDevice::adjust(const DeviceRequest& request) {
  // The kernel's to change, which is asked for how it is now.
  if (const auto interface = ask_interface(name_.interface)) facts_.mtu = interface->mtu;
  if (auto status = check_mtu(request); !status) return status;
  if (auto status = check_addresses(request); !status) return status;
  if (auto status = keep_own_mac(request, facts_); !status) return status;
  if (auto status = program_->steer_by(steering_for(request)); !status) return status;
  if (auto status = overhear(request); !status) return status;
  set_promiscuous(request.promiscuous);
  return {};
}

Observation XdpDevice::observe() noexcept {
  Observation seen{};
  const KernelLink link = ask_link(ifindex_);
  seen.link = {.up = link.up, .speed_mbps = 0, .gone = !link.exists};
  const auto add = [&seen](DropReason reason, std::uint64_t frames) {
    seen.drops[static_cast<std::size_t>(reason)] += frames;
  };
  for (const auto& queue : queues_) {
    const XdpQueue::Losses losses = queue->losses();
    add(DropReason::rx_ring_full, losses.rx_ring_full);
    add(DropReason::rx_fill_empty, losses.rx_fill_empty);
    add(DropReason::rx_too_long, losses.rx_too_long);
    add(DropReason::rx_device_error, losses.rx_invalid);
    add(DropReason::tx_device_error, losses.tx_refused);
    add(DropReason::checksum_unfinished, losses.unfinished);
  }
  add(DropReason::port_unread, program_->unread());
  return seen;
}

void XdpDevice::leave() noexcept {
  program_->unpin();
}

}  // namespace dp
