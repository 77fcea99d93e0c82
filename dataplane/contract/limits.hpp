// SPDX-License-Identifier: Apache-2.0
// Numbers that both processes must agree on. What an operator may size (endpoints, networks,
// VTEPs, workers, mbufs) is told in the hello; these are the hard bounds around it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace contract {

inline constexpr std::size_t port_count_max = 64;  // One bit each in a network's port set.
inline constexpr std::size_t worker_count_max = 64;
inline constexpr std::size_t traffic_class_count = 8;
inline constexpr std::size_t stage_count_max = 64;  // All pipelines together.
inline constexpr std::size_t network_count_max = 65535;
inline constexpr std::size_t vtep_count_max = 65535;
// Each has two words in the data plane, and those have numbers of 16 bits.
inline constexpr std::size_t next_hop_count_max = 32767;
inline constexpr std::size_t vtep_next_hops_max = 2;  // The first usable one is taken.
inline constexpr std::size_t port_addresses_max = 8;  // Weir's own at one port.
// Addresses of ours that the counter region has room to tell of, besides the next hops.
inline constexpr std::size_t own_addresses_listed_max = 1024;
inline constexpr std::size_t flood_vteps_max = 128;  // Remote VTEPs in one network's flood list.
inline constexpr std::size_t frame_bytes_max = 64 * 1024;
inline constexpr std::size_t name_bytes = 32;        // Names in records, NUL included.
inline constexpr std::size_t device_bytes = 256;     // DPDK devargs, NUL included.
inline constexpr std::uint32_t vni_max = 0xff'ffff;  // RFC 7348 §5: 24 bits.

}  // namespace contract
