// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/generate.hpp"

#include "tools/pktgen/measure/jain.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace pktgen {

GeneratedTraffic::GeneratedTraffic(const Profile& profile, const Parts& parts)
    : profile_(profile),
      parts_(parts),
      mix_(make_mix(profile)),
      generator_(profile_, mix_),
      pace_(profile.rate, parts.clock.now()) {
  if (parts.listens) receiver_.emplace(profile);
  if (profile.flows.count <= series_flows_max) bytes_before_.resize(profile.flows.count);
}

GeneratedTraffic::~GeneratedTraffic() {
  for (std::uint16_t i = 0; i < waiting_; ++i) rte_pktmbuf_free(burst_[first_waiting_ + i]);
}

void GeneratedTraffic::count(std::uint8_t opcode, std::uint16_t bytes) noexcept {
  ++sent_.frames;
  sent_.bytes += bytes;
  switch (series_of(opcode)) {
    case Series::requests: ++sent_.requests; break;
    case Series::answers: ++sent_.acks; break;
    case Series::none: ++sent_.cnps; break;
  }
}

void GeneratedTraffic::make_burst(Time now) noexcept {
  std::uint64_t wanted = profile_.rate.burst;
  if (profile_.frames != 0) wanted = std::min(wanted, profile_.frames - sent_.frames);
  const auto frames = static_cast<unsigned>(wanted);
  // The port or the receiver has the buffers: they come back.
  if (rte_pktmbuf_alloc_bulk(&parts_.pool, burst_.data(), frames) != 0) return;
  std::uint64_t bytes = 0;
  for (unsigned i = 0; i < frames; ++i) {
    NextFrame next = generator_.next();
    next.fields.sent_at = now;
    const std::uint16_t length = next.frame->bytes();
    rte_mbuf& mbuf = *burst_[i];
    mbuf.data_len = length;
    mbuf.pkt_len = length;
    next.frame->write(rte_pktmbuf_mtod(&mbuf, std::uint8_t*), next.fields);
    count(next.opcode, length);
    bytes += length;
  }
  first_waiting_ = 0;
  waiting_ = static_cast<std::uint16_t>(frames);
  pace_.sent(frames, bytes, now);
  if (profile_.frames != 0 && sent_.frames >= profile_.frames) stopped_ = true;
}

bool GeneratedTraffic::poll(Time now) {
  if (waiting_ == 0) {
    if (stopped_ || parts_.out == nullptr || !pace_.is_due(now)) return false;
    make_burst(now);
    if (waiting_ == 0) return false;
  }
  const std::uint16_t taken =
      dp::send(*parts_.out, base::QueueId{0}, std::span(burst_).subspan(first_waiting_, waiting_));
  first_waiting_ = static_cast<std::uint16_t>(first_waiting_ + taken);
  waiting_ = static_cast<std::uint16_t>(waiting_ - taken);
  if (waiting_ > 0) ++sent_.refused;
  return taken > 0;
}

void GeneratedTraffic::take(std::span<const std::uint8_t> frame, std::size_t, Time now) {
  if (receiver_) receiver_->take(frame, now);
}

Time GeneratedTraffic::next_due() const {
  if (waiting_ > 0) return parts_.clock.now();
  return stopped_ || parts_.out == nullptr ? never : pace_.due();
}

Sums GeneratedTraffic::sums() const {
  Sums sums{.sent = sent_, .received = {}};
  sums.sent.late_ns = pace_.late() / ps_per_ns;
  if (receiver_) sums.received = receiver_->counters();
  return sums;
}

void GeneratedTraffic::close_second(Second& second) {
  if (!receiver_) return;
  const Histogram recent = receiver_->take_recent_latency_ns();
  second.latency_p50_ns = recent.quantile(0.5);
  second.latency_p99_ns = recent.quantile(0.99);
  for (std::size_t i = 0; i < bytes_before_.size(); ++i) {
    const std::uint64_t bytes = receiver_->flows()[i].bytes;
    second.received_bits_per_second.push_back(
        static_cast<double>(8 * (bytes - std::exchange(bytes_before_[i], bytes))) /
        second.length_s);
  }
  second.jain_index = jain_index(second.received_bits_per_second);
}

void GeneratedTraffic::list_flows(Result& result) const {
  std::vector<double> shares;
  for (std::uint32_t i = 0; i < receiver_->flows().size(); ++i) {
    const FlowCounters& flow = receiver_->flows()[i];
    shares.push_back(static_cast<double>(flow.bytes));
    result.flows.push_back({.qp = profile_.flows.first_qp + i, .received = flow});
  }
  result.jain_index = jain_index(shares);
  if (result.flows.size() <= flows_listed_max) return;
  const auto end = result.flows.begin() + flows_listed_max;
  std::ranges::partial_sort(result.flows, end, std::ranges::greater{},
                            [](const FlowResult& flow) { return flow.received.lost; });
  result.flows.resize(flows_listed_max);
}

void GeneratedTraffic::conclude(Result& result) {
  if (receiver_ && parts_.out != nullptr) {
    // What was made and is still waiting was never sent.
    // Nor do frames come back where only another process listens.
    if (waiting_ == 0 && receiver_->counters().roce > 0) {
      receiver_->expect_ends(generator_.ends());
    }
    const ReceiveCounters& in = receiver_->counters();
    result.unaccounted =
        sent_.frames + in.duplicates - std::min(sent_.frames + in.duplicates, in.roce);
  }
  result.mode = "generate";
  result.sums = sums();
  result.flow_count = profile_.flows.count;
  if (!receiver_) return;
  result.latency_ns = receiver_->latency_ns();
  list_flows(result);
}

}  // namespace pktgen
