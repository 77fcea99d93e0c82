// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/eal.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/packet/checksum.hpp"

#include <rte_eal.h>

#include <array>

namespace fuzz {

void start_eal() {
  std::array<const char*, 9> arguments{
      "fuzz", "--no-huge",        "-m", "128", "--no-shconf", "--no-pci", "--no-telemetry",
      "-c1",  "--log-level=error"};
  CHECK(rte_eal_init(arguments.size(), const_cast<char**>(arguments.data())) >= 0);
}

void repair(test::Bytes& frame, std::uint8_t choice) {
  constexpr std::size_t ip_offset = sizeof(dp::EthernetHeader);
  constexpr std::size_t udp_offset = ip_offset + sizeof(dp::Ipv4Header);
  if (frame.size() < udp_offset) return;
  if ((choice & 1) != 0) {
    const auto mac = test::mac("02:70:63:61:70:00");
    std::copy(mac.bytes.begin(), mac.bytes.end(), frame.begin());
  }
  auto& ip = *reinterpret_cast<dp::Ipv4Header*>(frame.data() + ip_offset);
  if ((choice & 4) != 0) {
    ip.total_length = base::be16(static_cast<std::uint16_t>(frame.size() - ip_offset));
    if (frame.size() >= udp_offset + sizeof(dp::UdpHeader)) {
      auto& udp = *reinterpret_cast<dp::UdpHeader*>(frame.data() + udp_offset);
      udp.length = base::be16(static_cast<std::uint16_t>(frame.size() - udp_offset));
    }
  }
  if ((choice & 2) != 0) {
    ip.checksum = base::be16(0);
    ip.checksum =
        base::be16::from_raw(static_cast<std::uint16_t>(~dp::fold(dp::sum_words(&ip, sizeof ip))));
  }
}

void expect_sound(test::Gateway& gateway, std::uint16_t port_count) {
  for (std::uint16_t port = 0; port < port_count; ++port) (void)gateway.take_sent(port);
  CHECK(gateway.mismatch() == 0);
  CHECK(gateway.mbufs_in_use() == 0);
}

}  // namespace fuzz
