// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/encapsulate.hpp"

#include "dataplane/packet/transport_checksum.hpp"

namespace dp {
namespace {

template <class Ip>
void write_udp_checksum(Packet packet) noexcept {
  auto& outer = packet.header<UdpTunnelHeader<Ip>>(0);
  constexpr std::uint16_t udp_offset = offsetof(UdpTunnelHeader<Ip>, udp);
  outer.udp.checksum = transport_checksum(transport_sum(
      *packet.mbuf(), outer.ip,
      {.protocol = ip_protocol::udp, .offset = udp_offset, .bytes = outer.udp.length.host()}));
}

}  // namespace

bool Encapsulate::begin_run(const PacketMeta& meta) noexcept {
  end_run();
  const Tables& tables = environment_.tables;
  const NetworkRecord* network = tables.networks.find(meta.network.value, environment_.generation);
  if (network == nullptr) return false;
  const bool second = (meta.next_hop & PacketMeta::by_second_path) != 0;
  const VtepRecord& vtep = tables.vteps.at(meta.next_hop & ~PacketMeta::by_second_path);
  run_.key = Run::key_of(meta);
  run_.vtep_id = meta.vtep;
  run_.vtep = &vtep;
  Vxlan::write(reinterpret_cast<std::uint8_t*>(&run_.vxlan), network->vni);

  // The MAC of a next hop is in the prepared header, or in its word where it was resolved.
  std::memcpy(&run_.front, vtep.outer_bytes.data(), sizeof run_.front);
  if (second) std::memcpy(&run_.front, &vtep.second_ethernet, sizeof vtep.second_ethernet);
  run_.front[0] |= tables.next_hops.read(second ? vtep.second.place : vtep.first.place).mac_bytes();
  return true;
}

void Encapsulate::end_run() noexcept {
  if (run_.key == Run::no_key) return;
  const Run& run = run_;
  std::uint64_t packets = 0;
  contract::NetworkCounters& network = environment_.counters.networks[run.network().value];
  for (unsigned ecn = 0; ecn < network.ecn_encap.size(); ++ecn) {
    const std::uint64_t count = run.ecn_counts >> (ecn * 16) & 0xffff;
    contract::add(network.ecn_encap[ecn], count);
    packets += count;
  }
  contract::VtepCounters& vtep = environment_.counters.vteps[run.vtep_id.value];
  contract::add(network.encap_packets, packets);
  contract::add(network.encap_bytes, run.bytes);
  contract::add(vtep.encap_packets, packets);
  contract::add(vtep.encap_bytes, run.bytes);
  run_ = {};
}

// Out of line and with all that it calls in it: a loop with the registers to itself.
template <class Ip>
[[gnu::noinline, gnu::flatten]] std::size_t Encapsulate::push_each(Batch& batch,
                                                                   std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const Packet packet = batch[i];
    if (push<Ip>(packet, plain_flow_hash(packet)) != keep) [[unlikely]]
      return i;
  }
  return count;
}

std::size_t Encapsulate::push_plain(Batch& batch, std::size_t count) noexcept {
  const PacketMeta& first = batch.meta(0);
  if (Run::key_of(first) != run_.key && !begin_run(first)) return 0;
  switch (run_.vtep->form) {
    case OuterForm::ipv4: return push_each<Ipv4Header>(batch, count);
    case OuterForm::ipv6: return push_each<Ipv6Header>(batch, count);
    default: return 0;
  }
}

Verdict Encapsulate::push_other(Packet packet) noexcept {
  Verdict verdict = keep;
  switch (run_.vtep->form) {
    case OuterForm::none: return DropReason::endpoint_target_missing;
    case OuterForm::ipv4: return push<Ipv4Header>(packet, flow_hash(packet));
    case OuterForm::ipv6: return push<Ipv6Header>(packet, flow_hash(packet));
    case OuterForm::ipv4_summed:
      verdict = push<Ipv4Header>(packet, flow_hash(packet));
      if (verdict == keep) write_udp_checksum<Ipv4Header>(packet);
      return verdict;
    case OuterForm::ipv6_summed:
      verdict = push<Ipv6Header>(packet, flow_hash(packet));
      if (verdict == keep) write_udp_checksum<Ipv6Header>(packet);
      return verdict;
  }
  __builtin_unreachable();
}

}  // namespace dp
