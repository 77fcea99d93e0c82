// SPDX-License-Identifier: Apache-2.0
// The housekeeper's side of a port: opening it, asking how it is, closing it. What a worker does
// with its frames stands in port.hpp. All of it happens on the port thread: opening and closing
// take hundreds of milliseconds, and even a question may wait for a lock of the kernel or for
// firmware.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/drop_reason.hpp"
#include "drivers/port.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dp {

struct DeviceRequest {
  std::string device;            // DPDK devargs or a PCI address.
  std::uint16_t worker_count;    // Each worker sends on a tx queue of its own.
  std::uint16_t rx_queues;       // 0: one per worker.
  std::uint16_t rx_descriptors;  // Per queue.
  std::uint16_t tx_descriptors;
  std::uint16_t mtu;  // 0: as the device has it.
  bool promiscuous;   // Best effort.
  // What the port is for, and the local VTEPs whose packets arrive there: a device that shares an
  // interface with the kernel takes no more than that.
  contract::PortRole role = contract::PortRole::none;
  std::vector<base::IpAddress> local_vteps = {};
  // Those for which Weir asks and answers there: such a device gives it their neighbour messages.
  std::vector<base::IpAddress> own_addresses = {};
  contract::NeighbourKeeper neighbours = contract::NeighbourKeeper::by_device;
  // Opened anew, as its interface was removed: the MAC that it had. Refused as long as the
  // interface is not complete.
  std::optional<base::MacAddress> again_as = std::nullopt;
  // All zero: its own. A twin has its peer's, so that neighbours find the kernel by the same MAC.
  base::MacAddress mac = {};
  bool all_multicast = false;  // Best effort.
};

// What turned out: a device may have more queues or another MTU than asked for.
struct DeviceFacts {
  base::MacAddress mac;
  std::uint16_t mtu;
  std::uint16_t rx_queues;
  std::uint16_t tx_queues;
  std::uint16_t rx_descriptors;  // Of each queue; what the device made of the wish.
  std::uint16_t tx_descriptors;
  bool spreads_by_hash;     // RSS, or the kernel's like of it.
  bool receives_segmented;  // Frames may come in several buffers.
  // As operators know it: "net_tap", "xdp native copy".
  contract::Text<contract::name_bytes> driver{};
  unsigned ifindex = 0;     // Of the kernel's interface, in this namespace; 0: it has none.
  bool can_reopen = false;  // Once that was removed.
  // The interface is the kernel's too, which may ask and answer for neighbours on its link.
  bool kernel_shares = false;
  bool kernel_keeps_neighbours = false;  // It does where nothing else is said.
  int socket = -1;                       // NUMA node of the device; -1: none, or not known.
  // A packet socket of the device's that gets what neighbours announce to all, where that stays
  // with the kernel; -1: it comes like all other frames.
  int announcements = -1;
};

// For devices that cannot take another MAC.
inline base::Status keep_own_mac(const DeviceRequest& request, const DeviceFacts& facts) {
  if (request.mac.is_zero() || request.mac == facts.mac) return {};
  return base::fail(
      base::Errc::device_failed,
      "the device does not take the MAC of the port whose twin it shall be; a tap port "
      "does");
}

struct LinkState {
  bool up;
  std::uint32_t speed_mbps;  // 0: the device does not say.
  bool gone = false;         // The interface that it stands on was removed.

  friend bool operator==(const LinkState&, const LinkState&) = default;
};

// Whether the kernel asks and answers for the neighbours of a port.
inline bool kernel_keeps(const contract::PortSet& set, const DeviceFacts& facts) noexcept {
  if (set.neighbours == contract::NeighbourKeeper::kernel) return facts.kernel_shares;
  return set.neighbours == contract::NeighbourKeeper::by_device && facts.kernel_keeps_neighbours;
}

// Frames lost outside of the workers since the device was opened, by DropReason.
using DeviceDrops = std::array<std::uint64_t, contract::drop_reason_slots>;

struct Observation {
  LinkState link;
  DeviceDrops drops;
};

// An open device. Its destructor closes it, when no worker uses its port any more.
class Device {
 public:
  virtual ~Device() = default;

  // For the workers; lives as long as the device.
  virtual Port& port() noexcept = 0;
  virtual const DeviceFacts& facts() const noexcept = 0;

  // Another MTU (0: as opened), role or VTEPs, while it carries frames.
  virtual base::Status adjust(const DeviceRequest& request) = 0;

  virtual Observation observe() noexcept = 0;

  // Before it is closed for good: what would stay for the next data plane goes too.
  virtual void leave() noexcept {}
};

// The port thread's, but for what is said to be the housekeeper's.
class DeviceOpener {
 public:
  virtual ~DeviceOpener() = default;
  virtual base::Result<std::unique_ptr<Device>> open(const DeviceRequest& request) = 0;

  // The housekeeper's. An error where opening is bound to fail: nothing is closed in its favour.
  virtual base::Status may_open(const DeviceRequest&) const { return {}; }
  // What a commit opens is open and will carry frames next. Where that must not be, the process
  // ends here.
  virtual void before_traffic() {}
};

}  // namespace dp
