// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/endpoints.hpp"

#include "tools/pktgen/measure/jain.hpp"
#include "tools/pktgen/run/pace.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace pktgen {
namespace {

constexpr std::array<std::string_view, 4> state_words{"connecting", "ready", "failed", "closed"};
constexpr Time completion_asked_every = 10 * ps_per_ms;

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

EndpointConfig endpoint_config_of(const Profile& profile) {
  const EndpointsProfile& endpoints = profile.endpoints;
  EndpointConfig config;
  config.line_bps = static_cast<double>(endpoints.line_bits_per_second);
  config.dcqcn = dcqcn_of(endpoints);
  config.cnp_interval = endpoints.cnp_interval_us * ps_per_us * endpoints.time_scale;
  config.cnp_tos = tos_of(profile.marking, profile.marking.cnp_dscp);
  config.catch_up = Pace::catch_up;
  return config;
}

Work work_of(const EndpointsProfile& profile) {
  Work work;
  switch (profile.operation) {
    case RequestKind::send: work.kind = WorkKind::send; break;
    case RequestKind::write: work.kind = WorkKind::write; break;
    case RequestKind::read: work.kind = WorkKind::read; break;
  }
  work.bytes = profile.message_bytes;
  work.repeat = profile.messages == 0 ? Work::for_ever : profile.messages;
  return work;
}

double us_of(Time time) noexcept {
  return static_cast<double>(time) / static_cast<double>(ps_per_us);
}

}  // namespace

std::uint16_t longest_frame(const Profile& profile) noexcept {
  // A WRITE Only has the longest header of what is sent here.
  RocePacket packet{.opcode = opcode_of(Transport::rc, Operation::write_only)};
  const std::vector<std::uint8_t> payload(profile.pmtu);
  packet.payload = payload;
  const Path path{.source = profile.addresses.source, .destination = profile.addresses.destination};
  std::size_t bytes = frame_bytes(path, packet);
  if (profile.tunnel.present) {
    bytes += tunnel_bytes(
        Tunnel{.source = profile.tunnel.source, .destination = profile.tunnel.destination});
  }
  return static_cast<std::uint16_t>(bytes);
}

PortSink::~PortSink() {
  rte_pktmbuf_free(begun_);
  for (std::uint16_t i = 0; i < count_; ++i) rte_pktmbuf_free(burst_[i]);
}

std::uint8_t* PortSink::begin(std::size_t bytes) {
  if (count_ == burst_.size()) flush();
  if (count_ == burst_.size()) return nullptr;
  if (begun_ == nullptr) begun_ = rte_pktmbuf_alloc(&pool_);
  if (begun_ == nullptr || rte_pktmbuf_tailroom(begun_) < bytes) return nullptr;
  return rte_pktmbuf_mtod(begun_, std::uint8_t*);
}

void PortSink::send(std::uint8_t*, std::size_t bytes, Time) {
  rte_mbuf* mbuf = std::exchange(begun_, nullptr);
  mbuf->data_len = static_cast<std::uint16_t>(bytes);
  mbuf->pkt_len = static_cast<std::uint32_t>(bytes);
  burst_[count_++] = mbuf;
  ++frames_;
  bytes_ += bytes;
}

void PortSink::flush() noexcept {
  if (count_ == 0) return;
  const std::uint16_t taken = dp::send(port_, base::QueueId{0}, std::span(burst_).first(count_));
  std::copy(burst_.begin() + taken, burst_.begin() + count_, burst_.begin());
  count_ = static_cast<std::uint16_t>(count_ - taken);
  if (count_ > 0) ++refused_;
}

EndpointTraffic::EndpointTraffic(const Profile& profile, const Parts& parts)
    : profile_(profile),
      parts_(parts),
      config_(endpoint_config_of(profile)),
      endpoint_(config_, parts.clock.now(), this),
      sink_(parts.port, parts.pool) {
  const Time now = parts.clock.now();
  for (std::uint32_t flow = 0; flow < profile.flows.count; ++flow) {
    const QpIndex qp = endpoint_.add_qp(config_of(flow), now);
    if (asks()) endpoint_.post(qp, work_of(profile.endpoints));
  }
  before_.resize(std::min<std::size_t>(profile.flows.count, series_flows_max));
}

bool EndpointTraffic::asks() const noexcept {
  return parts_.side == Side::left || profile_.endpoints.both_ways;
}

// Both ends of a queue pair have the same number; only their addresses tell them apart.
QpConfig EndpointTraffic::config_of(std::uint32_t flow) const {
  const AddressesProfile& addresses = profile_.addresses;
  const EndpointsProfile& endpoints = profile_.endpoints;
  QpConfig config;
  config.qp = config.peer_qp = profile_.flows.first_qp + flow;
  config.path = {.source_mac = addresses.source_mac,
                 .destination_mac = addresses.destination_mac,
                 .source = addresses.source,
                 .destination = addresses.destination,
                 .tos = tos_of(profile_.marking, profile_.marking.dscp)};
  config.path.source_port = static_cast<std::uint16_t>(profile_.flows.first_source_port +
                                                       flow % profile_.flows.source_ports);
  if (profile_.tunnel.present) {
    const TunnelProfile& tunnel = profile_.tunnel;
    config.tunnel =
        Tunnel{.source_mac = tunnel.source_mac,
               .destination_mac = tunnel.destination_mac,
               .source = tunnel.source,
               .destination = tunnel.destination,
               .tos = config.path.tos,
               .source_port = static_cast<std::uint16_t>(config.path.source_port | 0xc000),
               .vni = tunnel.vni};
  }
  if (parts_.side == Side::right) {
    std::swap(config.path.source_mac, config.path.destination_mac);
    std::swap(config.path.source, config.path.destination);
    if (config.tunnel) {
      std::swap(config.tunnel->source_mac, config.tunnel->destination_mac);
      std::swap(config.tunnel->source, config.tunnel->destination);
    }
  }
  config.path_mtu = profile_.pmtu;
  config.starting_psn = config.expected_psn = profile_.flows.first_psn;
  config.window_packets = endpoints.window_packets;
  config.ack_request_packets = config.ack_every_packets = endpoints.ack_every;
  config.timeout_exponent = endpoints.timeout_exponent;
  return config;
}

bool EndpointTraffic::all_completed() const noexcept {
  for (QpIndex qp = 0; qp < endpoint_.qp_count(); ++qp) {
    const bool is_over = endpoint_.state(qp) == QpState::failed ||
                         endpoint_.facts(qp).sent.messages_completed >= profile_.endpoints.messages;
    if (!is_over) return false;
  }
  return true;
}

bool EndpointTraffic::poll(Time now) {
  if (stopped_) return false;
  const std::uint64_t before = sink_.frames();
  endpoint_.poll(sink_, now);
  sink_.flush();
  const bool may_complete = profile_.endpoints.messages != 0 && parts_.side == Side::left;
  if (may_complete && now - asked_for_completion_ >= completion_asked_every) {
    asked_for_completion_ = now;
    if (all_completed()) stopped_ = true;
  }
  return sink_.frames() != before;
}

void EndpointTraffic::take(std::span<const std::uint8_t> frame, Time now) {
  ++frames_taken_;
  bytes_taken_ += frame.size();
  endpoint_.receive(frame, now);
}

void EndpointTraffic::data_arrived(const DataArrival& arrival) {
  if (!arrival.stamp) return;
  const Time took = arrival.now - arrival.stamp->sent_at.host();
  if (static_cast<std::int64_t>(took) < 0) {
    ++wrong_clocks_;
    return;
  }
  latency_ns_.add(took / ps_per_ns);
  recent_latency_ns_.add(took / ps_per_ns);
}

Time EndpointTraffic::next_due() const {
  if (stopped_) return never;
  return sink_.is_empty() ? endpoint_.next_due() : parts_.clock.now();
}

Sums EndpointTraffic::sums() const {
  Sums sums;
  SendCounters& out = sums.sent;
  ReceiveCounters& in = sums.received;
  out.frames = sink_.frames();
  out.bytes = sink_.bytes();
  out.refused = sink_.refused();
  in.frames = frames_taken_;
  in.bytes = bytes_taken_;
  in.wrong_clocks = wrong_clocks_;
  const StrayFacts& strays = endpoint_.strays();
  in.icrc_errors = strays.icrc_failures;
  in.unknown_qps = strays.unknown_qp + strays.wrong_peer;
  in.not_roce[static_cast<std::size_t>(ParseError::not_roce)] = strays.not_roce;
  for (QpIndex qp = 0; qp < endpoint_.qp_count(); ++qp) {
    const QpFacts& facts = endpoint_.facts(qp);
    out.requests += facts.sent.frames;
    out.acks += facts.sent.control_frames;
    out.cnps += facts.sent.cnps;
    out.repeated += facts.sent.repeated;
    in.roce += facts.received.frames + facts.sent.cnps_received;
    in.roce_bytes += facts.received.payload_bytes;
    in.requests += facts.received.data_frames;
    in.acks += facts.sent.acks_received;
    in.cnps += facts.sent.cnps_received;
    in.ecn[0] += facts.received.data_frames - facts.received.ect_frames;
    in.ecn[2] += facts.received.ect_frames - facts.received.ce_frames;
    in.ecn[3] += facts.received.ce_frames;
    in.icrc_errors += facts.received.icrc_failures;
    in.lost += facts.received.sequence.lost();
    in.late += facts.received.sequence.late();
    in.duplicates += facts.received.sequence.duplicates();
    in.too_old += facts.received.sequence.stale();
  }
  return sums;
}

void EndpointTraffic::close_second(Second& second) {
  const Time now = parts_.clock.now();
  const auto rate = [&second](std::uint64_t bytes) {
    return static_cast<double>(8 * bytes) / second.length_s;
  };
  for (QpIndex qp = 0; qp < before_.size(); ++qp) {
    const QpFacts& facts = endpoint_.facts(qp);
    Before& before = before_[qp];
    second.received_bits_per_second.push_back(
        rate(facts.received.payload_bytes - before.received_bytes));
    second.sent_bits_per_second.push_back(rate(facts.sent.payload_bytes - before.sent_bytes));
    second.allowed_bits_per_second.push_back(endpoint_.rate_bps(qp, now));
    before = {.received_bytes = facts.received.payload_bytes,
              .sent_bytes = facts.sent.payload_bytes};
  }
  const bool receives = second.sums.received.requests > 0;
  second.jain_index =
      jain_index(receives ? second.received_bits_per_second : second.sent_bits_per_second);
  second.latency_p50_ns = recent_latency_ns_.quantile(0.5);
  second.latency_p99_ns = recent_latency_ns_.quantile(0.99);
  recent_latency_ns_.clear();
}

FlowResult EndpointTraffic::flow_of(QpIndex qp) {
  const QpFacts& facts = endpoint_.facts(qp);
  const ReceiveFacts& in = facts.received;
  const auto narrow = [](std::uint64_t value) {
    return static_cast<std::uint32_t>(value);
  };
  FlowResult flow{.qp = endpoint_.config(qp).qp,
                  .received = {.bytes = in.payload_bytes,
                               .frames = narrow(in.data_frames),
                               .ce = narrow(in.ce_frames),
                               .lost = narrow(in.sequence.lost()),
                               .late = narrow(in.sequence.late()),
                               .duplicates = narrow(in.sequence.duplicates())}};
  flow.endpoint =
      EndpointFlow{.state = std::string(state_words[static_cast<std::size_t>(endpoint_.state(qp))]),
                   .peer_qp = endpoint_.config(qp).peer_qp,
                   .sent = facts.sent,
                   .psn_gaps = in.psn_gaps,
                   .psn_duplicates = in.psn_duplicates,
                   .message_bytes = in.message_bytes,
                   .allowed_bits_per_second = endpoint_.rate_bps(qp, parts_.clock.now())};
  return flow;
}

EndpointsReport EndpointTraffic::report() const {
  EndpointsReport report{.side = std::string(side_words[static_cast<std::size_t>(parts_.side)]),
                         .dcqcn = "off",
                         .time_scale = profile_.endpoints.time_scale,
                         .line_bits_per_second = config_.line_bps};
  report.cnp_interval_us = us_of(config_.cnp_interval);
  if (!config_.dcqcn) return report;
  const DcqcnParameters& dcqcn = *config_.dcqcn;
  report.dcqcn = dcqcn.name;
  report.least_bits_per_second = dcqcn.rate_bps_min;
  report.additive_bits_per_second = dcqcn.additive_bps;
  report.hyper_bits_per_second = dcqcn.hyper_bps;
  report.alpha_period_us = us_of(dcqcn.alpha_period);
  report.decrease_period_us = us_of(dcqcn.decrease_period);
  report.increase_period_us = us_of(dcqcn.increase_period);
  return report;
}

void EndpointTraffic::conclude(Result& result) {
  result.mode = "endpoints";
  result.sums = sums();
  result.flow_count = endpoint_.qp_count();
  result.latency_ns = latency_ns_;
  result.endpoints = report();
  const bool receives = result.sums.received.requests > 0;
  std::vector<double> shares;
  for (QpIndex qp = 0; qp < endpoint_.qp_count(); ++qp) {
    const QpFacts& facts = endpoint_.facts(qp);
    shares.push_back(
        static_cast<double>(receives ? facts.received.payload_bytes : facts.sent.payload_bytes));
    if (qp < flows_listed_max) result.flows.push_back(flow_of(qp));
  }
  result.jain_index = jain_index(shares);
}

}  // namespace pktgen
