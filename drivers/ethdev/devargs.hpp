// SPDX-License-Identifier: Apache-2.0
// What an operator writes as a device ("net_tap0,iface=host0"), read and completed: some drivers
// must be told of queues and frame sizes in words of their own, which nobody should have to know.
#pragma once

#include "dataplane/base/address.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dp {

// "net_tap0": DPDK's name of the device.
std::string_view device_name(std::string_view devargs) noexcept;
// "net_tap": the name without its number; empty for a PCI address.
std::string_view driver_name(std::string_view devargs) noexcept;
// The value of `key` ("iface"), empty where it is not given.
std::string_view devargs_value(std::string_view devargs, std::string_view key) noexcept;

// Drivers whose queues are filled by the kernel whether we read them or not, and which have as many
// rx as tx queues: each queue must be read.
bool has_paired_queues(std::string_view devargs) noexcept;

// Drivers that count as errors of sending what they did not take. The worker still has such a frame
// and counts it, so it must not count here again.
bool counts_refused_frames(std::string_view devargs) noexcept;

// Drivers that spread a frame over several buffers and do not say so.
bool scatters_silently(std::string_view devargs) noexcept;

// Drivers that send a frame of several buffers in pieces that are later read once more.
bool damages_chains(std::string_view devargs) noexcept;

// Drivers that open sockets or interfaces for which the kernel wants a capability.
bool takes_privilege(std::string_view devargs) noexcept;

// The Unix socket that the device makes itself and others connect to; empty: none.
std::string_view served_socket(std::string_view devargs) noexcept;

// Adds the number of queues (net_af_packet: qpairs, net_vhost and net_virtio_user: queues) and the
// frame size (net_af_packet) where the operator did not.
std::string complete_devargs(std::string_view devargs, std::uint16_t queues, std::uint16_t mtu);
// A device that makes up its MAC gets this one, unless the operator chose.
void keep_mac(std::string& devargs, const base::MacAddress& mac);

}  // namespace dp
