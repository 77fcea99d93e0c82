// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/receive/receiver.hpp"

#include <algorithm>

namespace pktgen {

Receiver::Receiver(const Profile& profile)
    : first_qp_(profile.flows.first_qp),
      pmtu_(profile.pmtu),
      flows_(profile.flows.count),
      series_(profile.flows.count) {
  for (auto& of_flow : series_) {
    for (PsnSeries& series : of_flow) series.start(profile.flows.first_psn);
  }
}

void Receiver::take(std::span<const std::uint8_t> frame, Time now) noexcept {
  ++counters_.frames;
  counters_.bytes += frame.size();
  if (const auto tunnel = parse_tunnel(frame)) {
    ++counters_.tunnelled;
    take_inner(tunnel->inner, frame.size(), now);
  } else {
    take_inner(frame, frame.size(), now);
  }
}

void Receiver::take_inner(std::span<const std::uint8_t> frame, std::size_t wire_bytes,
                          Time now) noexcept {
  const auto parsed = parse_frame(frame);
  if (!parsed) {
    ++counters_.not_roce[static_cast<std::size_t>(parsed.error())];
    return;
  }
  if (!icrc_holds(*parsed)) {
    ++counters_.icrc_errors;
    return;
  }
  const RocePacket& packet = parsed->packet;
  const std::uint32_t index = packet.destination_qp - first_qp_;  // Wraps below the first.
  if (index >= flows_.size()) {
    ++counters_.unknown_qps;
    return;
  }
  const unsigned ecn = parsed->path.tos & 3u;
  FlowCounters& flow = flows_[index];
  ++counters_.roce;
  counters_.roce_bytes += wire_bytes;
  ++counters_.ecn[ecn];
  ++flow.frames;
  flow.bytes += wire_bytes;
  flow.ce += ecn == static_cast<unsigned>(EcnField::ce) ? 1 : 0;
  const Series series = series_of(packet.opcode);
  switch (series) {
    case Series::requests: ++counters_.requests; break;
    case Series::answers: ++counters_.acks; break;
    case Series::none: ++counters_.cnps; return;
  }
  take_sequence(flow, series_[index][static_cast<std::size_t>(series)], packet);
  take_stamp(packet.payload, now);
}

void Receiver::take_sequence(FlowCounters& flow, PsnSeries& series,
                             const RocePacket& packet) noexcept {
  const std::uint32_t psns = std::min<std::uint32_t>(psns_of(packet, pmtu_), PsnSeries::window);
  std::uint32_t skipped = 0;
  switch (series.see(packet.psn, psns, skipped)) {
    case PsnSeries::Finding::in_order:
      counters_.lost += skipped;
      flow.lost += skipped;
      break;
    case PsnSeries::Finding::late:
      ++counters_.late;
      ++flow.late;
      counters_.lost -= psns;
      flow.lost -= psns;
      break;
    case PsnSeries::Finding::duplicate:
      ++counters_.duplicates;
      ++flow.duplicates;
      break;
    case PsnSeries::Finding::too_old: ++counters_.too_old; break;
  }
}

void Receiver::take_stamp(std::span<const std::uint8_t> payload, Time now) noexcept {
  const auto stamp = read_stamp(payload);
  if (!stamp) return;
  const Time took = now - stamp->sent_at.host();
  if (static_cast<std::int64_t>(took) < 0) {
    ++counters_.wrong_clocks;
    return;
  }
  const std::uint64_t ns = took / ps_per_ns;
  latency_ns_.add(ns);
  recent_latency_ns_.add(ns);
}

void Receiver::expect_ends(
    const std::vector<std::array<std::uint32_t, counted_series>>& ends) noexcept {
  for (std::size_t i = 0; i < ends.size() && i < flows_.size(); ++i) {
    for (std::size_t series = 0; series < counted_series; ++series) {
      const std::int32_t missing = psn_distance(series_[i][series].next(), ends[i][series]);
      if (missing <= 0) continue;
      counters_.lost += static_cast<std::uint32_t>(missing);
      flows_[i].lost += static_cast<std::uint32_t>(missing);
    }
  }
}

Histogram Receiver::take_recent_latency_ns() noexcept {
  const Histogram recent = recent_latency_ns_;
  recent_latency_ns_.clear();
  return recent;
}

}  // namespace pktgen
