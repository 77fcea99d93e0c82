// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/endpoint_setup.hpp"

#include "tools/pktgen/profile/messages.hpp"
#include "tools/pktgen/roce/cm.hpp"
#include "tools/pktgen/run/pace.hpp"

#include <algorithm>
#include <utility>

namespace pktgen {
namespace {

std::uint8_t tos_of(const MarkingProfile& marking, std::uint8_t dscp) noexcept {
  return static_cast<std::uint8_t>(dscp << 2 | static_cast<unsigned>(marking.ecn));
}

// What the profile says of DCQCN, in the preset's place where it says something.
std::optional<DcqcnParameters> dcqcn_of(const EndpointsProfile& profile) {
  if (profile.dcqcn == Reaction::off) return std::nullopt;
  const auto line = static_cast<double>(profile.line_bits_per_second);
  auto preset = dcqcn_preset(reaction_words[static_cast<std::size_t>(profile.dcqcn)], line);
  if (!preset) return std::nullopt;
  if (profile.least_bits_per_second != 0) {
    preset->rate_bps_min = static_cast<double>(profile.least_bits_per_second);
  }
  // A preset for NICs of 25 Gb/s has a least rate that a slower line may not even have.
  preset->rate_bps_min = std::min(preset->rate_bps_min, line);
  if (profile.additive_bits_per_second != 0) {
    preset->additive_bps = static_cast<double>(profile.additive_bits_per_second);
    preset->hyper_bps = 10 * preset->additive_bps;
  }
  return scaled(*preset, profile.time_scale);
}

Work work_of(const MixEntry& entry) {
  Work work{.bytes = entry.bytes};
  switch (entry.operation) {
    case MessageKind::write:
    case MessageKind::uc_write: work.kind = WorkKind::write; break;
    case MessageKind::write_imm:
    case MessageKind::uc_write_imm:
      work.kind = WorkKind::write;
      work.has_immediate = true;
      break;
    case MessageKind::send_imm:
    case MessageKind::uc_send_imm:
    case MessageKind::ud_send_imm:
      work.kind = WorkKind::send;
      work.has_immediate = true;
      break;
    case MessageKind::read: work.kind = WorkKind::read; break;
    case MessageKind::compare_swap:
      return {.kind = WorkKind::compare_swap,
              .bytes = 8,
              .remote_address = swapped_word,
              .swap_or_add = 1};
    case MessageKind::fetch_add:
      return {.kind = WorkKind::fetch_add,
              .bytes = 8,
              .remote_address = counted_word,
              .swap_or_add = 1};
    default: work.kind = WorkKind::send; break;  // The others are not asked for: check.cpp.
  }
  return work;
}

void turn_round(QpConfig& config) {
  std::swap(config.path.source_mac, config.path.destination_mac);
  std::swap(config.path.source, config.path.destination);
  if (!config.tunnel) return;
  std::swap(config.tunnel->source_mac, config.tunnel->destination_mac);
  std::swap(config.tunnel->source, config.tunnel->destination);
}

void set_reliability(QpConfig& config, const EndpointsProfile& endpoints) {
  config.window_packets = endpoints.window_packets;
  config.reads_max = endpoints.reads_max;
  config.ack_request_packets = config.ack_every_packets = endpoints.ack_every;
  config.timeout_exponent = endpoints.timeout_exponent;
  config.retries = endpoints.retries;
  config.rnr_retries = endpoints.rnr_retries;
  config.rnr_timer = endpoints.rnr_timer;
  if (endpoints.receives != 0) config.receives = endpoints.receives;
}

}  // namespace

EndpointConfig endpoint_config_of(const Profile& profile) {
  const EndpointsProfile& endpoints = profile.endpoints;
  EndpointConfig config;
  config.line_bps = static_cast<double>(endpoints.line_bits_per_second);
  config.dcqcn = dcqcn_of(endpoints);
  // The preset's is scaled already.
  const Time alone = config.cnp_interval * endpoints.time_scale;
  config.cnp_interval = endpoints.cnp_interval_us != 0
                            ? endpoints.cnp_interval_us * ps_per_us * endpoints.time_scale
                        : config.dcqcn ? config.dcqcn->cnp_interval
                                       : alone;
  config.cnp_tos = tos_of(profile.marking, profile.marking.cnp_dscp);
  config.catch_up = Pace::catch_up;
  config.cm_repeat_after = endpoints.cm_timeout_ms * ps_per_ms;
  config.cm_repeats = endpoints.cm_retries;
  return config;
}

QpConfig qp_config_of(const Profile& profile, Side side, std::uint32_t flow, Transport transport) {
  const AddressesProfile& addresses = profile.addresses;
  QpConfig config;
  config.transport = transport;
  config.qp = config.peer_qp = profile.flows.first_qp + flow;
  config.path = {.source_mac = addresses.source_mac,
                 .destination_mac = addresses.destination_mac,
                 .source = addresses.source,
                 .destination = addresses.destination,
                 .tos = tos_of(profile.marking, profile.marking.dscp)};
  config.path.source_port = static_cast<std::uint16_t>(profile.flows.first_source_port +
                                                       flow % profile.flows.source_ports);
  if (profile.tunnel.present) {
    const TunnelProfile& tunnel = profile.tunnel;
    config.tunnel =
        Tunnel{.source_mac = tunnel.source_mac,
               .destination_mac = tunnel.destination_mac,
               .source = tunnel.source,
               .destination = tunnel.destination,
               .tos = config.path.tos,
               .source_port = static_cast<std::uint16_t>(config.path.source_port | 0xc000),
               .vni = tunnel.vni};
  }
  if (side == Side::right) turn_round(config);
  config.path_mtu = profile.pmtu;
  config.starting_psn = config.expected_psn = profile.flows.first_psn;
  set_reliability(config, profile.endpoints);
  return config;
}

std::vector<Work> works_of(const Profile& profile, Transport transport) {
  std::vector<Work> works;
  std::vector<std::uint32_t> shares;
  for (const MixEntry& entry : profile.mix) {
    if (transport_of(entry.operation) != transport) continue;
    works.push_back(work_of(entry));
    shares.push_back(entry.share);
  }
  std::vector<Work> in_turn;
  if (works.empty()) return in_turn;
  for (const std::uint16_t turn : turns_of(shares)) in_turn.push_back(works[turn]);
  return in_turn;
}

std::uint16_t longest_frame(const Profile& profile) noexcept {
  // A WRITE Only with immediate data has the longest header of what is sent here.
  RocePacket packet{.opcode = opcode_of(Transport::rc, Operation::write_only_immediate)};
  const std::vector<std::uint8_t> payload(std::max<std::size_t>(profile.pmtu, CmMessage::bytes));
  packet.payload = payload;
  const Path path{.source = profile.addresses.source, .destination = profile.addresses.destination};
  std::size_t bytes = frame_bytes(path, packet);
  if (profile.tunnel.present) {
    bytes += tunnel_bytes(
        Tunnel{.source = profile.tunnel.source, .destination = profile.tunnel.destination});
  }
  return static_cast<std::uint16_t>(bytes);
}

}  // namespace pktgen
