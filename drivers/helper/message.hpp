// SPDX-License-Identifier: Apache-2.0
// What the data plane may ask weir-porthelper for: four verbs, one message each, one reply each.
// Plain structs on a SOCK_SEQPACKET socket pair; descriptors travel beside them. Both programs are
// of one build. A new verb is a struct here, a line in parse_request() and one in serve().
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/channel.hpp"
#include "dataplane/base/error.hpp"
#include "drivers/tap/device_string.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace dp {

enum class HelperVerb : std::uint32_t {
  xdp_program = 1,  // Loads steer.bpf.c and attaches it.
  xdp_socket = 2,   // Opens an XDP socket on the packet pool.
  xdp_pin = 3,      // Lets an attachment outlive the data plane, or no longer.
  tap = 4,          // Makes a TAP, or does for one of ours what takes privilege.
};

using InterfaceName = std::array<char, 16>;  // IFNAMSIZ; zeros behind the name.

// What the kernel takes as one, and no path.
bool is_interface_name(std::string_view name) noexcept;
InterfaceName to_interface_name(std::string_view name) noexcept;  // Of one that is.
std::string_view to_view(const InterfaceName& name) noexcept;

// Answered with the descriptors of XdpProgramPart, and XdpProgramFlags.
struct XdpProgramRequest {
  HelperVerb verb = HelperVerb::xdp_program;
  std::uint32_t ifindex;
  InterfaceName interface;
  std::uint32_t mode;  // XdpMode.
};
enum class XdpProgramPart : std::uint8_t {
  link,
  program,
  sockets,  // Maps of steer.bpf.c.
  addresses,
  settings,
  counts,
  packet_socket,  // Receives nothing; may ask for promiscuous mode.
};
inline constexpr std::size_t xdp_program_parts = 7;
// The link is that of the data plane before, which runs its program until it is told another.
inline constexpr std::uint32_t xdp_program_taken_over = 1;
inline constexpr std::uint32_t xdp_program_native = 2;

// With one descriptor, a memfd: the packet pool. Answered with the socket, nothing but its memory
// registered.
struct XdpSocketRequest {
  HelperVerb verb = HelperVerb::xdp_socket;
  std::uint32_t chunk_bytes;
  std::uint32_t headroom_bytes;
  std::uint32_t busy_poll = 0;  // 1: frames are looked for by whoever asks for them.
  std::uint64_t offset;         // Of the pool in the memfd.
  std::uint64_t bytes;
};

// With the descriptors of link and counts where `pinned` is 1, with none where it is 0.
struct XdpPinRequest {
  HelperVerb verb = HelperVerb::xdp_pin;
  std::uint32_t ifindex;
  InterfaceName interface;
  std::uint32_t pinned;
};

// Without a descriptor: a new interface, set up; answered with one descriptor for each queue, which
// it lives as long as any of. With that of a queue, wherever its interface was moved to: the sizes
// are changed, nothing else is said; answered with the frames that the kernel has dropped there.
struct TapRequest {
  HelperVerb verb = HelperVerb::tap;
  std::uint16_t queues = 0;
  std::uint16_t mtu = 0;           // 0: as it is.
  std::uint16_t queue_length = 0;  // Best effort; 0: as it is.
  base::MacAddress mac{};          // All zero: the kernel chooses.
  InterfaceName interface{};
  std::uint32_t take_over = 0;  // 1: also a persistent one of this name that nobody reads.
};
inline constexpr std::uint16_t tap_mtu_min = 68;
inline constexpr std::uint16_t tap_mtu_max = 65521;  // Of the kernel: with a header, 65,535.

struct HelperReply {
  std::uint16_t code;  // base::Errc.
  std::uint16_t zero;
  std::uint32_t flags;
  std::uint64_t dropped;  // Of a TAP.
  std::int32_t error_number;
  std::array<char, 236> text;  // Of an error; ends with a NUL.
};

static_assert(sizeof(XdpProgramRequest) == 28 && sizeof(XdpSocketRequest) == 32 &&
              sizeof(XdpPinRequest) == 28 && sizeof(TapRequest) == 36 &&
              sizeof(HelperReply) == 256);
static_assert(offsetof(XdpProgramRequest, mode) == 24 && offsetof(XdpSocketRequest, offset) == 16 &&
              offsetof(XdpPinRequest, pinned) == 24 && offsetof(TapRequest, interface) == 16);

inline constexpr std::size_t request_bytes_max = sizeof(TapRequest);
inline constexpr std::size_t request_descriptors_max = 2;
inline constexpr std::size_t reply_descriptors_max =
    std::max<std::size_t>(xdp_program_parts, tap_queues_max);
static_assert(reply_descriptors_max <= base::channel_descriptors_max);

using HelperRequest = std::variant<XdpProgramRequest, XdpSocketRequest, XdpPinRequest, TapRequest>;

// A message that came with so many descriptors, judged: right in every field, or an error.
base::Result<HelperRequest> parse_request(std::span<const std::byte> message,
                                          std::size_t descriptors);

}  // namespace dp
