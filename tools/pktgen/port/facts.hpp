// SPDX-License-Identifier: Apache-2.0
// What operators want to know of a port in the result.
#pragma once

#include <cstdint>
#include <string>

namespace pktgen {

struct PortFacts {
  std::string device;
  std::string driver;
  std::string mac;
  std::uint16_t mtu;
};

}  // namespace pktgen
