// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/eal.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/transport_checksum.hpp"

#include <rte_eal.h>

#include <array>
#include <cstring>

namespace fuzz {
namespace {

constexpr std::size_t ip_offset = sizeof(dp::EthernetHeader);

}  // namespace

void start_eal() {
  std::array<const char*, 9> arguments{
      "fuzz", "--no-huge",        "-m", "128", "--no-shconf", "--no-pci", "--no-telemetry",
      "-c1",  "--log-level=error"};
  CHECK(rte_eal_init(arguments.size(), const_cast<char**>(arguments.data())) >= 0);
}

namespace {

// UDP's length, where the frame has a UDP header.
void repair_udp_length(test::Bytes& frame, std::size_t udp_offset) {
  if (frame.size() < udp_offset + sizeof(dp::UdpHeader)) return;
  auto& udp = *reinterpret_cast<dp::UdpHeader*>(frame.data() + udp_offset);
  udp.length = base::be16(static_cast<std::uint16_t>(frame.size() - udp_offset));
}

void repair_ipv4(test::Bytes& frame, std::uint8_t choice) {
  constexpr std::size_t udp_offset = ip_offset + sizeof(dp::Ipv4Header);
  auto& ip = *reinterpret_cast<dp::Ipv4Header*>(frame.data() + ip_offset);
  if ((choice & 4) != 0) {
    ip.total_length = base::be16(static_cast<std::uint16_t>(frame.size() - ip_offset));
    repair_udp_length(frame, udp_offset);
  }
  if ((choice & 2) != 0) {
    ip.checksum = base::be16(0);
    ip.checksum =
        base::be16::from_raw(static_cast<std::uint16_t>(~dp::fold(dp::sum_words(&ip, sizeof ip))));
  }
}

void repair_ipv6(test::Bytes& frame, std::uint8_t choice) {
  constexpr std::size_t udp_offset = ip_offset + sizeof(dp::Ipv6Header);
  if (frame.size() < udp_offset) return;
  auto& ip = *reinterpret_cast<dp::Ipv6Header*>(frame.data() + ip_offset);
  if ((choice & 4) != 0) {
    ip.payload_length = base::be16(static_cast<std::uint16_t>(frame.size() - udp_offset));
    repair_udp_length(frame, udp_offset);
  }
  if ((choice & 2) != 0 && frame.size() >= udp_offset + sizeof(dp::UdpHeader)) {
    auto& udp = *reinterpret_cast<dp::UdpHeader*>(frame.data() + udp_offset);
    const std::uint16_t bytes = udp.length.host();
    if (bytes > frame.size() - udp_offset) return;
    udp.checksum = base::be16(0);
    const std::uint64_t sum = dp::sum_words(&ip.source, 2 * sizeof ip.source) +
                              dp::sum_words(&udp, bytes) + udp.length.raw() +
                              base::be16(dp::ip_protocol::udp).raw();
    udp.checksum = dp::transport_checksum(dp::fold(sum));
  }
}

}  // namespace

void repair(test::Bytes& frame, std::uint8_t choice) {
  if (frame.size() < ip_offset + sizeof(dp::Ipv4Header)) return;
  if ((choice & 1) != 0) {
    const auto mac = test::mac("02:70:63:61:70:00");
    std::copy(mac.bytes.begin(), mac.bytes.end(), frame.begin());
  }
  const auto& ethernet = *reinterpret_cast<const dp::EthernetHeader*>(frame.data());
  if (ethernet.type == base::be16(dp::ethertype::ipv6)) return repair_ipv6(frame, choice);
  repair_ipv4(frame, choice);
}

Layout read_layout(Input& input, std::uint8_t choice) {
  Layout layout{.sizes = {}, .held = (choice & 32) != 0, .cloned = (choice & 64) != 0};
  const std::uint8_t first = input.byte();
  if ((choice & 8) != 0) layout.sizes.push_back(first);
  if ((choice & 16) != 0) {
    for (int more = input.byte() % 16; more > 0; --more) layout.sizes.push_back(input.byte());
  }
  return layout;
}

rte_mbuf* HeldFrames::lay_out(rte_mempool& pool, const test::Bytes& frame, const Layout& layout) {
  rte_mbuf* mbuf = test::make_mbuf(pool, frame, layout.sizes);
  if (layout.cloned) {
    frames_.push_back({.mbuf = mbuf, .frame = frame});
    return rte_pktmbuf_clone(mbuf, &pool);
  }
  if (layout.held) {
    for (rte_mbuf* next = mbuf; next != nullptr; next = next->next) {
      rte_mbuf_refcnt_update(next, 1);
    }
    frames_.push_back({.mbuf = mbuf, .frame = frame});
  }
  return mbuf;
}

void HeldFrames::expect_untouched() {
  for (const Held& held : frames_) {
    CHECK(held.mbuf->pkt_len == held.frame.size());
    test::Bytes copy(held.frame.size());
    const void* data = rte_pktmbuf_read(held.mbuf, 0, held.mbuf->pkt_len, copy.data());
    CHECK(copy.empty() || std::memcmp(data, held.frame.data(), copy.size()) == 0);
    rte_pktmbuf_free(held.mbuf);
  }
  frames_.clear();
}

void expect_sound(test::Gateway& gateway, std::uint16_t port_count) {
  for (std::uint16_t port = 0; port < port_count; ++port) (void)gateway.take_sent(port);
  (void)gateway.take_punted();
  CHECK(gateway.mismatch() == 0);
  CHECK(gateway.mbufs_in_use() == 0);
}

}  // namespace fuzz
