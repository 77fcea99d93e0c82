// SPDX-License-Identifier: Apache-2.0
// The decoder of weir-porthelper's requests: the only bytes from outside that a privileged process
// of Weir reads. What it lets through is within the bounds that the verbs rely on.
#include "dataplane/base/check.hpp"
#include "drivers/helper/message.hpp"
#include "tests/fuzz/input.hpp"

#include <type_traits>
#include <variant>

namespace {

void check_name(const dp::InterfaceName& name) {
  const std::string_view text = dp::to_view(name);
  CHECK(!text.empty() && text.size() < name.size());
  CHECK(text.find('/') == std::string_view::npos && text != "." && text != "..");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t descriptors = input.byte() % 4;
  const auto bytes = input.take_all();
  const auto request = dp::parse_request(std::as_bytes(std::span(bytes)), descriptors);
  if (!request) {
    CHECK(request.error().code == base::Errc::malformed);
    return 0;
  }
  std::visit(
      [descriptors](const auto& known) {
        using Request = std::decay_t<decltype(known)>;
        if constexpr (std::is_same_v<Request, dp::XdpSocketRequest>) {
          CHECK(descriptors == 1 && known.bytes > 0 && known.offset + known.bytes > known.offset);
          CHECK(known.headroom_bytes < known.chunk_bytes);
        } else if constexpr (std::is_same_v<Request, dp::TapRequest>) {
          CHECK(known.mtu == 0 || (known.mtu >= dp::tap_mtu_min && known.mtu <= dp::tap_mtu_max));
          CHECK(known.queues <= dp::tap_queues_max && descriptors == (known.queues == 0 ? 1U : 0U));
          if (known.queues != 0) check_name(known.interface);
          CHECK(dp::to_view(known.interface).find('%') == std::string_view::npos);
        } else {
          check_name(known.interface);
          CHECK(known.ifindex != 0);
          CHECK(descriptors == 0 || descriptors == 2);
        }
      },
      *request);
  return 0;
}
