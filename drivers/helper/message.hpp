// SPDX-License-Identifier: Apache-2.0
// What the data plane may ask weir-porthelper for: three verbs, one message each, one reply each.
// Plain structs on a SOCK_SEQPACKET socket pair; descriptors travel beside them. Both programs are
// of one build. A new verb is a struct here, a line in parse_request() and one in serve().
#pragma once

#include "dataplane/base/error.hpp"

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
};

using InterfaceName = std::array<char, 16>;  // IFNAMSIZ; zeros behind the name.

// The name that fits, or nothing: what the kernel takes as one, and no path.
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
  std::uint32_t zero = 0;
  std::uint64_t offset;  // Of the pool in the memfd.
  std::uint64_t bytes;
};

// With the descriptors of link and counts where `pinned` is 1, with none where it is 0.
struct XdpPinRequest {
  HelperVerb verb = HelperVerb::xdp_pin;
  std::uint32_t ifindex;
  InterfaceName interface;
  std::uint32_t pinned;
};

struct HelperReply {
  std::uint16_t code;  // base::Errc.
  std::uint16_t zero;
  std::uint32_t flags;
  std::int32_t error_number;
  std::array<char, 244> text;  // Of an error; ends with a NUL.
};

static_assert(sizeof(XdpProgramRequest) == 28 && sizeof(XdpSocketRequest) == 32 &&
              sizeof(XdpPinRequest) == 28 && sizeof(HelperReply) == 256);
static_assert(offsetof(XdpProgramRequest, mode) == 24 && offsetof(XdpSocketRequest, offset) == 16 &&
              offsetof(XdpPinRequest, pinned) == 24);

inline constexpr std::size_t request_bytes_max = sizeof(XdpSocketRequest);
inline constexpr std::size_t request_descriptors_max = 2;
inline constexpr std::size_t reply_descriptors_max = xdp_program_parts;

using HelperRequest = std::variant<XdpProgramRequest, XdpSocketRequest, XdpPinRequest>;

// A message that came with so many descriptors, judged: right in every field, or an error.
base::Result<HelperRequest> parse_request(std::span<const std::byte> message,
                                          std::size_t descriptors);

}  // namespace dp
