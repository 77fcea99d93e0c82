// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/endpoints.hpp"

#include "tools/pktgen/measure/jain.hpp"
#include "tools/pktgen/profile/messages.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace pktgen {
namespace {

constexpr std::array<std::string_view, 4> state_words{"connecting", "ready", "failed", "closed"};
constexpr std::array<std::pair<Transport, std::string_view>, 3> transport_words{
    {{Transport::rc, "RC"}, {Transport::uc, "UC"}, {Transport::ud, "UD"}}};
constexpr Time looks_every = 10 * ps_per_ms;

std::string_view word_of(Transport transport) noexcept {
  return std::ranges::find(transport_words, transport,
                           &decltype(transport_words)::value_type::first)
      ->second;
}

double us_of(Time time) noexcept {
  return static_cast<double>(time) / static_cast<double>(ps_per_us);
}

}  // namespace

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
      works_{works_of(profile, Transport::rc), works_of(profile, Transport::uc),
             works_of(profile, Transport::ud)},
      endpoint_(config_, parts.clock.now(), this),
      sink_(parts.port, parts.pool) {
  const Time now = parts.clock.now();
  last_taken_ = receives_renewed_ = now;
  make_qps(now);
  before_.resize(std::min<std::size_t>(profile.flows.count, series_flows_max));
}

// Where RDMA-CM makes them, the right side's come when they are asked for.
void EndpointTraffic::make_qps(Time now) {
  const auto turns = transports_in_turn(profile_);
  std::map<Transport, std::uint32_t> counts;
  for (std::uint32_t flow = 0; flow < profile_.flows.count; ++flow) {
    const Transport transport = turns[flow % turns.size()];
    const QpConfig config = qp_config_of(profile_, parts_.side, flow, transport);
    ++counts[transport];
    if (!is_connected_by_cm()) {
      const QpIndex qp = endpoint_.add_qp(config, now);
      if (parts_.side == Side::right) endpoint_.wait_for_peer(qp);
      post(qp);
    } else if (parts_.side == Side::left) {
      post(endpoint_.connect(config, cm_port_of(transport), now));
    }
  }
  if (!is_connected_by_cm() || parts_.side == Side::left) return;
  std::uint32_t first = 0;
  for (const auto& [transport, count] : counts) {
    const QpConfig like = qp_config_of(profile_, parts_.side, first, transport);
    endpoint_.listen(cm_port_of(transport), like, count);
    first += count;
  }
}

bool EndpointTraffic::asks() const noexcept {
  return parts_.side == Side::left || profile_.endpoints.both_ways;
}

const std::vector<Work>& EndpointTraffic::works(Transport transport) const noexcept {
  return works_[transport == Transport::rc ? 0 : transport == Transport::uc ? 1 : 2];
}

// Not all at once at the same message.
std::size_t EndpointTraffic::first_work(QpIndex qp) const noexcept {
  return qp % works(endpoint_.config(qp).transport).size();
}

void EndpointTraffic::post(QpIndex qp) {
  if (!asks()) return;
  const std::uint64_t messages = profile_.endpoints.messages;
  endpoint_.post_in_turn(qp, works(endpoint_.config(qp).transport), first_work(qp),
                         messages == 0 ? Work::for_ever : messages);
}

void EndpointTraffic::qp_accepted(QpIndex qp) {
  post(qp);
}

// Each queue pair has done what it was asked to do, or cannot.
bool EndpointTraffic::all_completed() const noexcept {
  if (endpoint_.qp_count() < profile_.flows.count) return false;
  for (QpIndex qp = 0; qp < endpoint_.qp_count(); ++qp) {
    const QpState state = endpoint_.state(qp);
    const bool is_over = state == QpState::failed || state == QpState::closed ||
                         endpoint_.facts(qp).sent.messages_completed >= profile_.endpoints.messages;
    if (!is_over) return false;
  }
  return true;
}

std::uint64_t EndpointTraffic::open_connections() const noexcept {
  const CmFacts& facts = endpoint_.connections();
  return facts.made - facts.closed - facts.failed;
}

void EndpointTraffic::stop() {
  if (!is_connected_by_cm() || open_connections() == 0) {
    stopped_ = true;
    return;
  }
  closes_ = true;
  const Time now = parts_.clock.now();
  for (QpIndex qp = 0; qp < endpoint_.qp_count(); ++qp) endpoint_.disconnect(qp, now);
}

void EndpointTraffic::renew_receives(Time now) {
  const EndpointsProfile& endpoints = profile_.endpoints;
  if (endpoints.receives == 0) return;
  if (now - receives_renewed_ < endpoints.receive_interval_us * ps_per_us) return;
  receives_renewed_ = now;
  for (QpIndex qp = 0; qp < endpoint_.qp_count(); ++qp) {
    endpoint_.post_receives(qp, endpoints.receives - endpoint_.responder(qp).receives());
  }
}

// After so long nobody asks us anything more: whoever lost an answer would have asked again.
Time EndpointTraffic::silence() const noexcept {
  const Time timeout = Time{4'096'000} << profile_.endpoints.timeout_exponent;
  return std::clamp<Time>(2 * timeout, 1 * ps_per_s, 20 * ps_per_s);
}

void EndpointTraffic::look_whether_it_is_over(Time now) {
  if (profile_.frames != 0 && sink_.frames() >= profile_.frames && !closes_) stop();
  if (now - looked_ < looks_every) return;
  looked_ = now;
  has_asked_all_ =
      has_asked_all_ || (asks() && profile_.endpoints.messages != 0 && all_completed());
  if (closes_) {
    stopped_ = stopped_ || open_connections() == 0;
    return;
  }
  if (parts_.side == Side::left) {
    // The other side asks, too: it is answered until it is silent.
    const bool waits = profile_.endpoints.both_ways && now - last_taken_ < silence();
    if (has_asked_all_ && !waits) stop();
    return;
  }
  // The left side closed all; it may ask once more, where our last answers were lost.
  const bool all_closed =
      endpoint_.connections().made >= profile_.flows.count && open_connections() == 0;
  if (!is_connected_by_cm() || !all_closed) return;
  if (all_closed_since_ == never) all_closed_since_ = now;
  if (now - all_closed_since_ >= 2 * config_.cm_repeat_after) stopped_ = true;
}

bool EndpointTraffic::poll(Time now) {
  if (stopped_) return false;
  const std::uint64_t before = sink_.frames();
  renew_receives(now);
  endpoint_.poll(sink_, now);
  sink_.flush();
  look_whether_it_is_over(now);
  return sink_.frames() != before;
}

void EndpointTraffic::take(std::span<const std::uint8_t> frame, std::size_t, Time now) {
  ++frames_taken_;
  bytes_taken_ += frame.size();
  last_taken_ = now;
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
  const std::size_t ect = profile_.marking.ecn == EcnField::ect1 ? 1 : 2;  // What both sides send.
  const StrayFacts& strays = endpoint_.strays();
  in.icrc_errors = strays.icrc_failures;  // Those whose queue pair can be told among them.
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
    in.ecn[ect] += facts.received.ect_frames - facts.received.ce_frames;
    in.ecn[3] += facts.received.ce_frames;
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
  const QpFacts none{.sent = {}, .received = {}};
  for (QpIndex qp = 0; qp < before_.size(); ++qp) {
    const bool is_there = qp < endpoint_.qp_count();
    const QpFacts& facts = is_there ? endpoint_.facts(qp) : none;
    Before& before = before_[qp];
    second.received_bits_per_second.push_back(
        rate(facts.received.payload_bytes - before.received_bytes));
    second.sent_bits_per_second.push_back(rate(facts.sent.payload_bytes - before.sent_bytes));
    second.allowed_bits_per_second.push_back(is_there ? endpoint_.rate_bps(qp, now) : 0);
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
      EndpointFlow{.side = side_words[static_cast<std::size_t>(parts_.side)],
                   .transport = word_of(endpoint_.config(qp).transport),
                   .state = state_words[static_cast<std::size_t>(endpoint_.state(qp))],
                   .peer_qp = endpoint_.config(qp).peer_qp,
                   .sent = facts.sent,
                   .psn_gaps = in.psn_gaps,
                   .psn_duplicates = in.psn_duplicates,
                   .messages = in.messages,
                   .message_bytes = in.message_bytes,
                   .rnr_naks_sent = in.rnr_naks_sent,
                   .allowed_bits_per_second = endpoint_.rate_bps(qp, parts_.clock.now())};
  return flow;
}

EndpointsReport EndpointTraffic::report() const {
  EndpointsReport report{.side = std::string(side_words[static_cast<std::size_t>(parts_.side)]),
                         .dcqcn = "off",
                         .time_scale = profile_.endpoints.time_scale,
                         .line_bits_per_second = config_.line_bps};
  report.cnp_interval_us = us_of(config_.cnp_interval);
  if (is_connected_by_cm()) report.connections = endpoint_.connections();
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
