// SPDX-License-Identifier: Apache-2.0
#include "drivers/ethdev/devargs.hpp"

#include <rte_version.h>

#include <bit>

namespace dp {
namespace {

// net_af_packet's own defaults, and what a slot holds besides the frame: the header that the kernel
// writes before it (TPACKET2_HDRLEN and alignment), an Ethernet header and a VLAN tag.
constexpr std::uint32_t af_packet_frame_bytes = 2048;
constexpr std::uint32_t af_packet_overhead_bytes = 128;

// net_memif's own default, and what its buffers get for a larger MTU: an Ethernet header and two
// VLAN tags, rounded up to whole cache lines.
constexpr std::uint32_t memif_buffer_bytes = 2048;
constexpr std::uint32_t ethernet_bytes = 14 + 2 * 4;

void append(std::string& devargs, std::string_view key, std::uint32_t value) {
  if (!devargs_value(devargs, key).empty()) return;
  devargs += ',';
  devargs += key;
  devargs += '=';
  devargs += std::to_string(value);
}

// "0000:3b:00.0", "3b:00.0" or either behind "pci:".
bool is_pci_address(std::string_view name) noexcept {
  if (name.starts_with("pci:")) return true;
  return name.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos &&
         name.contains(':');
}

}  // namespace

std::string_view device_name(std::string_view devargs) noexcept {
  return devargs.substr(0, devargs.find(','));
}

std::string_view driver_name(std::string_view devargs) noexcept {
  const std::string_view name = device_name(devargs);
  if (!name.starts_with("net_")) return {};
  return name.substr(0, name.find_last_not_of("0123456789") + 1);
}

std::string_view devargs_value(std::string_view devargs, std::string_view key) noexcept {
  while (true) {
    const std::size_t comma = devargs.find(',');
    if (comma == std::string_view::npos) return {};
    devargs.remove_prefix(comma + 1);
    const std::string_view pair = devargs.substr(0, devargs.find(','));
    if (pair.starts_with(key) && pair.substr(key.size()).starts_with('=')) {
      return pair.substr(key.size() + 1);
    }
  }
}

bool has_paired_queues(std::string_view devargs) noexcept {
  const std::string_view driver = driver_name(devargs);
  return driver == "net_tap" || driver == "net_af_packet";
}

bool counts_refused_frames(std::string_view devargs) noexcept {
  const std::string_view driver = driver_name(devargs);
  return driver == "net_tap" || driver == "net_vhost";
}

bool damages_chains(std::string_view devargs) noexcept {
  // Seen with 24.11.3, and not with 22.11, where bsize= below is enough.
  constexpr bool is_concerned = RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0);
  return is_concerned && driver_name(devargs) == "net_memif";
}

bool scatters_silently(std::string_view devargs) noexcept {
  const std::string_view driver = driver_name(devargs);
  return driver == "net_memif" || driver == "net_vhost" || driver == "net_pcap";
}

bool takes_privilege(std::string_view devargs) noexcept {
  const std::string_view driver = driver_name(devargs);
  if (driver == "net_pcap") {
    return !devargs_value(devargs, "iface").empty() ||
           !devargs_value(devargs, "rx_iface").empty() ||
           !devargs_value(devargs, "rx_iface_in").empty() ||
           !devargs_value(devargs, "tx_iface").empty();
  }
  if (driver == "net_virtio_user") return devargs_value(devargs, "path").starts_with("/dev/");
  if (is_pci_address(device_name(devargs))) return true;  // VFIO pins the packet pool.
  return driver == "net_tap" || driver == "net_tun" || driver == "net_af_packet" ||
         driver == "net_af_xdp";
}

std::string_view served_socket(std::string_view devargs) noexcept {
  const std::string_view driver = driver_name(devargs);
  if (driver == "net_vhost" && devargs_value(devargs, "client") != "1") {
    return devargs_value(devargs, "iface");
  }
  if (driver == "net_virtio_user" && devargs_value(devargs, "server") == "1") {
    return devargs_value(devargs, "path");
  }
  return {};
}

std::string complete_devargs(std::string_view devargs, std::uint16_t queues, std::uint16_t mtu) {
  std::string result(devargs);
  const std::string_view driver = driver_name(devargs);
  if (driver == "net_vhost" || driver == "net_virtio_user") append(result, "queues", queues);
  if (driver == "net_vhost") append(result, "tso", 1);  // The pipeline cuts what comes.
  if (driver == "net_memif" && mtu + ethernet_bytes > memif_buffer_bytes) {
    // One buffer for a frame: chains of them are told apart by a flag that 22.11 leaves behind.
    append(result, "bsize", (mtu + ethernet_bytes + 63) / 64 * 64);
  }
  if (driver != "net_af_packet") return result;

  append(result, "qpairs", queues);
  if (mtu + af_packet_overhead_bytes > af_packet_frame_bytes) {
    // Slots must divide blocks, so both are the next power of two.
    const std::uint32_t frame_bytes = std::bit_ceil(mtu + af_packet_overhead_bytes);
    append(result, "framesz", frame_bytes);
    append(result, "blocksz", frame_bytes < 4096 ? 4096 : frame_bytes);
  }
  return result;
}

void keep_mac(std::string& devargs, const base::MacAddress& mac) {
  if (driver_name(devargs) != "net_tap" || !devargs_value(devargs, "mac").empty()) return;
  devargs += ",mac=" + to_string(mac);
}

}  // namespace dp
