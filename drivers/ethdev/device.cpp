// SPDX-License-Identifier: Apache-2.0
#include "drivers/ethdev/device.hpp"

#include "dataplane/base/log.hpp"
#include "drivers/ethdev/devargs.hpp"
#include "drivers/link.hpp"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <net/if.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;
using contract::DropReason;

namespace {

// What spreads flows over queues: addresses and ports, which a tunnel's outer header has both of.
constexpr std::uint64_t rss_wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
constexpr std::uint16_t ethernet_overhead_bytes = RTE_ETHER_HDR_LEN + 4;  // With a VLAN tag.
constexpr const char* beyond_one_buffer =
    "frames of this MTU do not fit one buffer and the device cannot use several: start with a "
    "larger --mbuf-bytes";

std::optional<std::uint16_t> find_port(const std::string& devargs) {
  std::uint16_t port = 0;
  const std::string name(device_name(devargs));
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port) == 0) return port;
  // Devices that are named otherwise than their devargs.
  rte_dev_iterator iterator;
  RTE_ETH_FOREACH_MATCHING_DEV(port, devargs.c_str(), &iterator) {
    rte_eth_iterator_cleanup(&iterator);
    return port;
  }
  return std::nullopt;
}

// The kernel interface that a device stands on: given, or found by the driver.
std::string kernel_interface(const std::string& devargs, const rte_eth_dev_info& info) {
  const std::string_view given = devargs_value(devargs, "iface");
  if (!given.empty()) return std::string(given);
  char name[IF_NAMESIZE] = {};
  return info.if_index != 0 && if_indextoname(info.if_index, name) != nullptr ? name : "";
}

// The kernel's MTU of an interface, 0 where it does not say.
std::uint16_t interface_mtu(std::string_view interface) noexcept {
  ifreq request{};
  if (interface.empty() || interface.size() >= sizeof request.ifr_name) return 0;
  interface.copy(request.ifr_name, interface.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return 0;
  const bool known = ::ioctl(descriptor, SIOCGIFMTU, &request) == 0;
  ::close(descriptor);
  return known ? static_cast<std::uint16_t>(std::min(request.ifr_mtu, 0xffff)) : 0;
}

void remove_device(std::uint16_t dpdk_port) noexcept {
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(dpdk_port, &info) == 0;
  if (int error = rte_eth_dev_close(dpdk_port); error != 0) {
    LOG(warning, "device_not_closed", {"errno", -error});
  }
  // Removing by device, not by name, also works for what was named otherwise than its devargs.
  if (known && info.device != nullptr) {
    if (int error = rte_dev_remove(info.device); error != 0) {
      LOG(warning, "device_not_removed", {"errno", -error});
    }
  }
}

}  // namespace

base::Result<std::unique_ptr<Device>> EthdevDevice::open(const DeviceRequest& request,
                                                         rte_mempool& pool, PortHelper& helper) {
  const std::uint16_t queues = std::max(request.worker_count, request.rx_queues);
  std::uint16_t mtu = request.mtu;
  if (mtu == 0) mtu = interface_mtu(devargs_value(request.device, "iface"));
  std::string devargs = complete_devargs(request.device, queues, mtu);
  if (request.again_as) keep_mac(devargs, *request.again_as);
  if (find_port(devargs)) {
    return fail(Errc::already_exists,
                "DPDK has a device of this name already; number it differently (net_tap1)");
  }

  remove_stale_socket(std::string(served_socket(devargs)));
  const std::vector<int> sockets_before = PacketSockets::held();
  if (int error = rte_dev_probe(devargs.c_str()); error < 0) {
    return fail(Errc::device_failed,
                "DPDK cannot create this device: check the devargs, that its interface or file "
                "exists, and that this process may use it (a NIC must be bound to vfio-pci)",
                error == -1 ? 0 : -error);  // Many drivers return -1, which is no errno.
  }
  const auto dpdk_port = find_port(devargs);
  if (!dpdk_port) {
    return fail(Errc::device_failed, "DPDK created no port for this device; is it a NIC?");
  }

  std::unique_ptr<EthdevDevice> device(new EthdevDevice(request, pool, *dpdk_port));
  if (auto status = device->set_up(); !status) return std::unexpected(status.error());

  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(*dpdk_port, &info) == 0) {
    device->know_interface(info, sockets_before, helper);
  }
  return std::unique_ptr<Device>(std::move(device));
}

void EthdevDevice::know_interface(const rte_eth_dev_info& info,
                                  const std::vector<int>& sockets_before, PortHelper& helper) {
  const std::string_view driver = driver_name(request_.device);
  // Drivers that leave the interface to the kernel (mlx5) or stand on it say which one it is; at
  // the kernel's end of a TAP is the neighbour itself.
  facts_.kernel_shares = info.if_index != 0 && driver != "net_tap";
  facts_.ifindex = facts_.kernel_shares ? info.if_index : 0;
  if (driver != "net_tap" && driver != "net_af_packet") return;
  const std::string interface = kernel_interface(request_.device, info);
  facts_.ifindex = if_nametoindex(interface.c_str());
  if (driver == "net_tap") {
    tap_ = TapInterface::find(interface, helper);
    facts_.can_reopen = tap_.has_value();
  } else {
    packet_sockets_ = PacketSockets::since(sockets_before);
  }
}

EthdevDevice::EthdevDevice(const DeviceRequest& request, rte_mempool& pool, std::uint16_t dpdk_port)
    : request_(request), pool_(pool), dpdk_port_(dpdk_port), port_(EthdevPort(dpdk_port)) {}

EthdevDevice::~EthdevDevice() {
  return_frames();
  // A device that never started cannot be stopped; closing is what counts.
  (void)rte_eth_dev_stop(dpdk_port_);
  remove_device(dpdk_port_);
}

// net_ring keeps frames that nobody received; closing would lose their buffers.
void EthdevDevice::return_frames() noexcept {
  if (driver_name(request_.device) != "net_ring") return;
  for (std::uint16_t queue = 0; queue < rx_configured_; ++queue) {
    Batch batch;
    do {
      batch = Batch();
      std::get<EthdevPort>(port_).receive(base::QueueId{queue}, batch);
    } while (!batch.empty());
  }
}

base::Status EthdevDevice::set_up() {
  rte_eth_dev_info info{};
  if (int error = rte_eth_dev_info_get(dpdk_port_, &info); error != 0) {
    return fail(Errc::device_failed, "the device does not describe itself", -error);
  }
  facts_.driver = contract::to_text<contract::name_bytes>(info.driver_name);
  facts_.socket = rte_eth_dev_socket_id(dpdk_port_);
  std::uint16_t mtu = request_.mtu;
  if (mtu == 0) mtu = interface_mtu(kernel_interface(request_.device, info));
  if (auto status = choose_queues(info); !status) return status;
  if (auto status = configure(info, mtu); !status) return status;
  if (auto status = set_up_queues(info); !status) return status;

  (void)rte_eth_dev_get_mtu(dpdk_port_, &mtu_at_open_);  // It has none: 0, and set_mtu decides.
  if (mtu != 0) {
    if (auto status = set_mtu(mtu); !status) return status;
  }
  facts_.mtu = mtu != 0 ? mtu : mtu_at_open_;
  mtu_at_open_ = facts_.mtu;

  if (int error = rte_eth_dev_start(dpdk_port_); error != 0) {
    return fail(Errc::device_failed, "the device does not start", -error);
  }
  discard_early_frames();
  set_promiscuous(request_.promiscuous);
  set_all_multicast(request_.all_multicast);
  rte_ether_addr mac{};
  if (int error = rte_eth_macaddr_get(dpdk_port_, &mac); error != 0) {
    return fail(Errc::device_failed, "the device has no MAC address", -error);
  }
  std::copy_n(mac.addr_bytes, facts_.mac.bytes.size(), facts_.mac.bytes.begin());
  LOG(info, "device_opened", {"device", request_.device}, {"rx_queues", facts_.rx_queues},
      {"tx_queues", facts_.tx_queues}, {"mtu", facts_.mtu}, {"mac", to_string(facts_.mac)});
  return {};
}

// net_af_packet opens its sockets for all interfaces of the namespace and binds them afterwards:
// what they caught before that is another port's, and would enter a tenant's network here.
void EthdevDevice::discard_early_frames() noexcept {
  if (driver_name(request_.device) != "net_af_packet") return;
  constexpr int bursts_max = 1024;  // More than any ring holds: frames of our own flow in already.
  for (std::uint16_t queue = 0; queue < facts_.rx_queues; ++queue) {
    for (int burst = 0; burst < bursts_max; ++burst) {
      Batch batch;
      std::get<EthdevPort>(port_).receive(base::QueueId{queue}, batch);
      if (batch.empty()) break;
    }
  }
}

base::Status EthdevDevice::choose_queues(const rte_eth_dev_info& info) {
  const std::uint16_t workers = request_.worker_count;
  facts_.tx_queues = workers;
  facts_.rx_queues = request_.rx_queues != 0 ? request_.rx_queues : workers;
  if (driver_name(request_.device) == "net_af_packet") {
    // The kernel fills every queue that the device was made with.
    facts_.rx_queues = facts_.tx_queues = info.max_rx_queues;
  } else if (has_paired_queues(request_.device)) {
    facts_.rx_queues = facts_.tx_queues = std::max(workers, facts_.rx_queues);
  }
  if (info.max_tx_queues < workers || facts_.tx_queues < workers) {
    return fail(Errc::unsupported,
                "the device has fewer tx queues than there are workers: give it more (qpairs= of "
                "net_af_packet, queues= of net_vhost, a tx_pcap= per worker) or start fewer "
                "workers");
  }
  if (facts_.rx_queues > info.max_rx_queues) {
    // Nobody asked for so many by hand: what the device has is enough.
    if (request_.rx_queues != 0) {
      return fail(Errc::unsupported,
                  "the device has fewer rx queues than asked for: lower "
                  "rx_queues, or give the device more");
    }
    facts_.rx_queues = info.max_rx_queues;
  }
  // DPDK 22.11 frees only those rings of a net_ring that are configured, and loses the others.
  const bool is_ring = driver_name(request_.device) == "net_ring";
  rx_configured_ = is_ring ? info.max_rx_queues : facts_.rx_queues;
  tx_configured_ = is_ring ? info.max_tx_queues : facts_.tx_queues;
  return {};
}

// What does not fit one buffer takes several, on the way in and on the way out.
base::Status EthdevDevice::choose_segments(const rte_eth_dev_info& info, std::uint16_t mtu,
                                           rte_eth_conf& conf) {
  const std::uint32_t buffer_bytes =
      rte_pktmbuf_data_room_size(&pool_) - std::uint32_t{RTE_PKTMBUF_HEADROOM};
  const bool sends_segments = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0 &&
                              !damages_chains(request_.device);
  const bool says_so = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
  if ((!says_so && !scatters_silently(request_.device)) || !sends_segments) {
    mtu_max_ = buffer_bytes - ethernet_overhead_bytes;
  }
  if (mtu > mtu_max_) return fail(Errc::unsupported, beyond_one_buffer);
  if (mtu + ethernet_overhead_bytes > static_cast<int>(buffer_bytes)) {
    if (says_so) conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
    facts_.receives_segmented = true;
  }
  conf.txmode.offloads |= info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  // Frames of other ports come in as many buffers as those like.
  const std::uint16_t limit = info.tx_desc_lim.nb_mtu_seg_max;
  auto& port = std::get<EthdevPort>(port_);
  if (!sends_segments) {
    port.limit_segments(1, pool_);
  } else if (limit != 0 && limit != EthdevPort::any_segments) {
    port.limit_segments(limit, pool_);
  }
  return {};
}

base::Status EthdevDevice::configure(const rte_eth_dev_info& info, std::uint16_t mtu) {
  rte_eth_conf conf{};
  const std::uint64_t rss = info.flow_type_rss_offloads & rss_wanted;
  facts_.spreads_by_hash = facts_.rx_queues > 1 && (rss != 0 || has_paired_queues(request_.device));
  if (facts_.rx_queues > 1 && rss != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = rss;
  }
  if (auto status = choose_segments(info, mtu, conf); !status) return status;
  // NICs tell of their link by interrupt; everything else is quick to ask.
  const bool is_nic = driver_name(request_.device).empty();
  conf.intr_conf.lsc = is_nic && (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0 ? 1 : 0;
  if (int error = rte_eth_dev_configure(dpdk_port_, rx_configured_, tx_configured_, &conf);
      error != 0) {
    return fail(Errc::device_failed, "the device does not take this number of queues", -error);
  }
  forbid_fragments();
  return {};
}

// A virtual machine may leave TCP to be cut (tso=1), but not UDP into IP fragments (UFO), which
// net_vhost of 22.11 offers whatever it is told, and marks as it marks TCP.
void EthdevDevice::forbid_fragments() noexcept {
  if (driver_name(request_.device) != "net_vhost") return;
  constexpr std::uint64_t host_ufo = 1 << 14;  // VIRTIO_NET_F_HOST_UFO.
  const std::string socket(devargs_value(request_.device, "iface"));
  if (rte_vhost_driver_disable_features(socket.c_str(), host_ufo) != 0) {
    LOG(warning, "udp_fragments_not_forbidden", {"device", request_.device});
  }
}

base::Status EthdevDevice::set_up_queues(const rte_eth_dev_info& info) {
  std::uint16_t rx = request_.rx_descriptors;
  std::uint16_t tx = request_.tx_descriptors;
  if (int error = rte_eth_dev_adjust_nb_rx_tx_desc(dpdk_port_, &rx, &tx); error != 0) {
    return fail(Errc::device_failed, "the device does not take this number of descriptors", -error);
  }
  facts_.rx_descriptors = rx;
  facts_.tx_descriptors = tx;
  const int socket = rte_eth_dev_socket_id(dpdk_port_);
  const auto node =
      socket < 0 ? static_cast<unsigned>(SOCKET_ID_ANY) : static_cast<unsigned>(socket);
  for (std::uint16_t queue = 0; queue < rx_configured_; ++queue) {
    if (int error =
            rte_eth_rx_queue_setup(dpdk_port_, queue, rx, node, &info.default_rxconf, &pool_);
        error != 0) {
      return fail(Errc::device_failed,
                  "an rx queue cannot be set up: fewer rx_descriptors, or more --mbufs or "
                  "--mbuf-bytes, may help",
                  -error);
    }
  }
  for (std::uint16_t queue = 0; queue < tx_configured_; ++queue) {
    if (int error = rte_eth_tx_queue_setup(dpdk_port_, queue, tx, node, &info.default_txconf);
        error != 0) {
      return fail(Errc::device_failed, "a tx queue cannot be set up: try fewer tx_descriptors",
                  -error);
    }
  }
  return {};
}

base::Status EthdevDevice::set_mtu(std::uint16_t mtu) {
  // net_af_packet of DPDK 22.11 refuses more than 1500, though it carries what its interface does.
  if (mtu == interface_mtu(devargs_value(request_.device, "iface"))) return {};
  const int error = rte_eth_dev_set_mtu(dpdk_port_, mtu);
  // Rings, files and shared memory have no MTU of their own: ours is the limit.
  if (error == 0 || error == -ENOTSUP) return {};
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(dpdk_port_, &info) == 0 &&
      mtu + std::uint32_t{RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN} > info.max_rx_pktlen) {
    return fail(Errc::unsupported,
                "the device takes no frames of this MTU (net_tap of DPDK 22.11: 1504 at most); "
                "net_af_packet, net_vhost and net_memif carry larger ones",
                -error);
  }
  return fail(Errc::device_failed,
              "the device does not take this MTU; a kernel interface may want it set by ip link",
              -error);
}

void EthdevDevice::set_all_multicast(bool all) noexcept {
  const int error =
      all ? rte_eth_allmulticast_enable(dpdk_port_) : rte_eth_allmulticast_disable(dpdk_port_);
  // As with the promiscuous mode.
  if (error != 0 && error != -ENOTSUP) {
    LOG(warning, "all_multicast_refused", {"device", request_.device}, {"errno", -error});
  }
}

void EthdevDevice::set_promiscuous(bool promiscuous) noexcept {
  const int error = promiscuous ? rte_eth_promiscuous_enable(dpdk_port_)
                                : rte_eth_promiscuous_disable(dpdk_port_);
  // Neighbour discovery comes to groups, at every port. Best effort, both: what has no address
  // filter has no such mode either.
  (void)rte_eth_allmulticast_enable(dpdk_port_);
  if (error != 0 && error != -ENOTSUP) {
    LOG(warning, "promiscuous_mode_refused", {"device", request_.device}, {"errno", -error});
  }
}

base::Status EthdevDevice::adjust(const DeviceRequest& request) {
  const std::uint16_t wanted = request.mtu != 0 ? request.mtu : mtu_at_open_;
  // A TAP that was moved to a host's namespace can no longer be asked for what it has already.
  if (wanted > mtu_max_) return fail(Errc::unsupported, beyond_one_buffer);
  if (wanted != facts_.mtu) {
    if (auto status = set_mtu(wanted); !status) return status;
  }
  facts_.mtu = wanted;
  set_promiscuous(request.promiscuous);
  set_all_multicast(request.all_multicast);
  return keep_own_mac(request, facts_);
}

Observation EthdevDevice::observe() noexcept {
  Observation seen{};
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(dpdk_port_, &link) == 0) {
    const bool speed_known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;
    seen.link = {.up = link.link_status == RTE_ETH_LINK_UP,
                 .speed_mbps = speed_known ? link.link_speed : 0};
  }
  const auto put = [&seen](DropReason reason, std::uint64_t frames) {
    seen.drops[static_cast<std::size_t>(reason)] = frames;
  };
  rte_eth_stats stats{};
  if (rte_eth_stats_get(dpdk_port_, &stats) == 0) {
    put(DropReason::rx_ring_full, stats.imissed);
    put(DropReason::rx_no_mbuf, stats.rx_nombuf);
    put(DropReason::rx_device_error, stats.ierrors);
    if (!counts_refused_frames(request_.device)) put(DropReason::tx_device_error, stats.oerrors);
  }
  if (tap_) {
    // DPDK cannot see a TAP that was moved to another namespace.
    const TapInterface::State state = tap_->state();
    seen.link.up = state.up;
    seen.link.gone = state.gone;
    kernel_drops_ = state.dropped;
  }
  if (packet_sockets_) {
    kernel_drops_ = packet_sockets_->dropped();
    // DPDK says that it is up, whatever becomes of the interface.
    const KernelLink kernels = ask_link(facts_.ifindex);
    seen.link.up = kernels.up;
    seen.link.gone = !kernels.exists;
  }
  put(DropReason::kernel_dropped, kernel_drops_);
  return seen;
}

}  // namespace dp
