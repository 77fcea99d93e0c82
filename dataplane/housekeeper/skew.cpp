// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/skew.hpp"

#include <array>
#include <cstdio>

namespace dp {
namespace {

constexpr const char* this_data_plane = "this data plane (release " WEIR_VERSION ")";

std::string versions(std::uint16_t min, std::uint16_t max) {
  return std::to_string(min) + ".." + std::to_string(max);
}

std::string controller(std::string_view release) {
  return "the control plane (release " + std::string(release) + ")";
}

}  // namespace

std::string why_no_session(const contract::Hello& hello) {
  const std::string peer = controller(contract::to_view(hello.release));
  const bool is_newer = hello.version_min > contract::version_now;
  if (is_newer || hello.version_max < contract::version_min) {
    return peer + " speaks contract versions " + versions(hello.version_min, hello.version_max) +
           ", " + this_data_plane + " " + versions(contract::version_min, contract::version_now) +
           "; upgrade " + (is_newer ? "weir-dataplane" : "weir-controlplane");
  }
  if (hello.features != 0) {
    std::array<char, 17> bits{};
    std::snprintf(bits.data(), bits.size(), "%llx",
                  static_cast<unsigned long long>(hello.features));
    return peer + " needs features 0x" + bits.data() + " that " + this_data_plane +
           " lacks; upgrade weir-dataplane";
  }
  return {};
}

std::string unknown_verb(std::uint16_t verb, std::string_view controller_release) {
  return std::string(this_data_plane) + " does not know verb " + std::to_string(verb) + " of " +
         controller(controller_release) + "; upgrade weir-dataplane";
}

}  // namespace dp
