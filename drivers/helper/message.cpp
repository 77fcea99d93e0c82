// SPDX-License-Identifier: Apache-2.0
#include "drivers/helper/message.hpp"

#include "drivers/xdp/device_string.hpp"

#include <algorithm>
#include <cstring>

namespace dp {

using base::Errc;
using base::fail;

namespace {

// The kernel's bounds of a chunk (XDP_UMEM_MIN_CHUNK_SIZE, and the largest page of any machine).
constexpr std::uint32_t chunk_bytes_min = 2048;
constexpr std::uint32_t chunk_bytes_max = 64 * 1024;
constexpr std::uint64_t page_bytes = 4096;              // The smallest: mmap knows the real one.
constexpr std::uint64_t pool_bytes_max = 1ULL << 40;    // 16M mbufs of 32 KB and then some.
constexpr std::uint64_t memory_bytes_max = 1ULL << 46;  // Neither sum nor mapping overflows.

// The struct that the message is, if it has its size.
template <class Request>
base::Result<Request> read(std::span<const std::byte> message) {
  Request request;
  if (message.size() != sizeof request) {
    return fail(Errc::malformed, "a request to weir-porthelper has not the size of its verb");
  }
  std::memcpy(&request, message.data(), sizeof request);
  return request;
}

base::Status check_interface(const InterfaceName& name) noexcept {
  const std::string_view text = to_view(name);
  const bool zeros = std::all_of(name.begin() + static_cast<std::ptrdiff_t>(text.size()),
                                 name.end(), [](char c) { return c == '\0'; });
  if (is_interface_name(text) && zeros) return {};
  return fail(Errc::malformed, "weir-porthelper was not given the name of an interface");
}

base::Status check(const XdpProgramRequest& request, std::size_t descriptors) {
  if (auto status = check_interface(request.interface); !status) return status;
  if (request.ifindex == 0 || request.mode > static_cast<std::uint32_t>(XdpMode::generic) ||
      descriptors != 0) {
    return fail(Errc::malformed, "the request for an XDP program is wrong");
  }
  return {};
}

base::Status check(const XdpSocketRequest& request, std::size_t descriptors) {
  const bool chunk_fits = request.chunk_bytes >= chunk_bytes_min &&
                          request.chunk_bytes <= chunk_bytes_max &&
                          request.headroom_bytes < request.chunk_bytes;
  const bool memory_fits = request.bytes > 0 && request.bytes <= pool_bytes_max &&
                           request.offset <= memory_bytes_max && request.bytes % page_bytes == 0 &&
                           request.offset % page_bytes == 0;
  if (chunk_fits && memory_fits && request.busy_poll <= 1 && descriptors == 1) return {};
  return fail(Errc::malformed, "the request for an XDP socket is wrong");
}

base::Status check(const XdpPinRequest& request, std::size_t descriptors) {
  if (auto status = check_interface(request.interface); !status) return status;
  const bool right =
      (request.pinned == 1 && descriptors == 2) || (request.pinned == 0 && descriptors == 0);
  if (right && request.ifindex != 0) return {};
  return fail(Errc::malformed, "the request for a pin is wrong");
}

base::Status check(const TapRequest& request, std::size_t descriptors) {
  const bool mtu_fits =
      request.mtu == 0 || (request.mtu >= tap_mtu_min && request.mtu <= tap_mtu_max);
  const bool makes = request.queues > 0 && request.queues <= tap_queues_max && descriptors == 0;
  const bool tends = request.queues == 0 && descriptors == 1 && request.mac == base::MacAddress{} &&
                     request.interface == InterfaceName{} && request.take_over == 0;
  if (makes) {
    if (auto status = check_interface(request.interface); !status) return status;
  }
  // The kernel would fill in a pattern.
  const bool named = to_view(request.interface).find('%') == std::string_view::npos;
  if ((makes || tends) && mtu_fits && named && !request.mac.is_group() && request.take_over <= 1) {
    return {};
  }
  return fail(Errc::malformed, "the request for a TAP is wrong");
}

template <class Request>
base::Result<HelperRequest> parse_as(std::span<const std::byte> message, std::size_t descriptors) {
  auto request = read<Request>(message);
  if (!request) return std::unexpected(request.error());
  if (auto status = check(*request, descriptors); !status) return std::unexpected(status.error());
  return *request;
}

}  // namespace

bool is_interface_name(std::string_view name) noexcept {
  return !name.empty() && name.size() < sizeof(InterfaceName) && !name.starts_with('.') &&
         std::ranges::all_of(
             name, [](char c) { return c > ' ' && c <= '~' && c != '/' && c != ':'; });
}

InterfaceName to_interface_name(std::string_view name) noexcept {
  InterfaceName result{};
  name.copy(result.data(), result.size() - 1);
  return result;
}

std::string_view to_view(const InterfaceName& name) noexcept {
  return {name.begin(), std::ranges::find(name, '\0')};
}

base::Result<HelperRequest> parse_request(std::span<const std::byte> message,
                                          std::size_t descriptors) {
  std::uint32_t verb = 0;
  if (message.size() >= sizeof verb) std::memcpy(&verb, message.data(), sizeof verb);
  // Not yet known to be one of them.
  if (verb == static_cast<std::uint32_t>(HelperVerb::xdp_program)) {
    return parse_as<XdpProgramRequest>(message, descriptors);
  }
  if (verb == static_cast<std::uint32_t>(HelperVerb::xdp_socket)) {
    return parse_as<XdpSocketRequest>(message, descriptors);
  }
  if (verb == static_cast<std::uint32_t>(HelperVerb::xdp_pin)) {
    return parse_as<XdpPinRequest>(message, descriptors);
  }
  if (verb == static_cast<std::uint32_t>(HelperVerb::tap)) {
    return parse_as<TapRequest>(message, descriptors);
  }
  return fail(Errc::malformed, "weir-porthelper knows no such verb");
}

}  // namespace dp
