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
  end_vtep();
  // Where only the VTEP is another one, what is known of the network stays.
  if (run_.key == Run::no_key || run_.network() != meta.network) {
    end_run();
    if (!begin_network(meta.network)) return false;
  }
  const Tables& tables = environment_.tables;
  const bool second = (meta.next_hop & PacketMeta::by_second_path) != 0;
  const VtepRecord& vtep = tables.vteps.at(meta.next_hop & ~PacketMeta::by_second_path);
  run_.key = Run::key_of(meta);
  run_.vtep_id = meta.vtep;
  run_.vtep = &vtep;

  // The MAC of a next hop is in the prepared header, or in its word where it was resolved.
  std::memcpy(&run_.front, vtep.outer_bytes.data(), sizeof run_.front);
  if (second) std::memcpy(&run_.front, &vtep.second_ethernet, sizeof vtep.second_ethernet);
  run_.front[0] |= tables.next_hops.read(second ? vtep.second.place : vtep.first.place).mac_bytes();
  return true;
}

bool Encapsulate::begin_network(NetworkId id) noexcept {
  const NetworkRecord* network =
      environment_.tables.networks.find(id.value, environment_.generation);
  if (network == nullptr) return false;
  Vxlan::write(reinterpret_cast<std::uint8_t*>(&run_.vxlan), network->vni);
  return true;
}

void Encapsulate::end_vtep() noexcept {
  if (run_.key == Run::no_key) return;
  contract::VtepCounters& vtep = environment_.counters.vteps[run_.vtep_id.value];
  const std::uint64_t packets = run_.packets();
  contract::add(vtep.encap_packets, packets - run_.packets_before);
  contract::add(vtep.encap_bytes, run_.bytes);
  run_.packets_before = packets;
  run_.bytes_before += run_.bytes;
  run_.bytes = 0;
}

void Encapsulate::end_run() noexcept {
  if (run_.key == Run::no_key) return;
  end_vtep();
  contract::NetworkCounters& network = environment_.counters.networks[run_.network().value];
  for (unsigned ecn = 0; ecn < network.ecn_encap.size(); ++ecn) {
    contract::add(network.ecn_encap[ecn], run_.ecn_counts >> (ecn * 16) & 0xffff);
  }
  contract::add(network.encap_packets, run_.packets_before);
  contract::add(network.encap_bytes, run_.bytes_before);
  run_ = {};
}

// Out of line and with all that it calls in it: a loop with the registers to itself.
template <class Ip, bool one_vtep>
[[gnu::noinline, gnu::flatten]] std::size_t Encapsulate::push_each(Batch& batch,
                                                                   std::size_t count) noexcept {
  constexpr OuterForm form = std::is_same_v<Ip, Ipv4Header> ? OuterForm::ipv4 : OuterForm::ipv6;
  for (std::size_t i = 0; i < count; ++i) {
    const Packet packet = batch[i];
    if constexpr (!one_vtep) {
      const PacketMeta& meta = packet.meta();
      if (Run::key_of(meta) != run_.key && !begin_run(meta)) return i;
      if (run_.vtep->form != form) return i;
    }
    if (push<Ip>(packet, plain_flow_hash(packet)) != keep) [[unlikely]]
      return i;
  }
  return count;
}

std::size_t Encapsulate::push_plain(Batch& batch, std::size_t count) noexcept {
  const PacketMeta& first = batch.meta(0);
  if (Run::key_of(first) != run_.key && !begin_run(first)) return 0;
  const bool one_vtep = batch.has_one_vtep();
  switch (run_.vtep->form) {
    case OuterForm::ipv4:
      return one_vtep ? push_each<Ipv4Header, true>(batch, count)
                      : push_each<Ipv4Header, false>(batch, count);
    case OuterForm::ipv6:
      return one_vtep ? push_each<Ipv6Header, true>(batch, count)
                      : push_each<Ipv6Header, false>(batch, count);
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
