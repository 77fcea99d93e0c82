// SPDX-License-Identifier: Apache-2.0
// What a run found out, as values; table.hpp and json.hpp print it.
#pragma once

#include "tools/pktgen/endpoint/connections.hpp"
#include "tools/pktgen/endpoint/facts.hpp"
#include "tools/pktgen/measure/histogram.hpp"
#include "tools/pktgen/port/facts.hpp"
#include "tools/pktgen/receive/counters.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pktgen {

struct SendCounters {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;  // Without FCS.
  std::uint64_t requests = 0;
  std::uint64_t acks = 0;
  std::uint64_t cnps = 0;
  std::uint64_t repeated = 0;  // Of requests: sent before (mode endpoints).
  std::uint64_t refused = 0;   // Times that the port took less than it was given.
  std::uint64_t late_ns = 0;   // Sending time that was lost to whatever else ran, and not made up.
};

struct Sums {
  SendCounters sent;
  ReceiveCounters received;
};

// One line of the series. What happened in that second.
struct Second {
  double at_s = 0;  // Its end.
  double length_s = 0;
  Sums sums;
  std::uint64_t latency_p50_ns = 0;
  std::uint64_t latency_p99_ns = 0;
  // Of each queue pair, where there are at most series_flows_max: data, as frames are received,
  // sent, and as DCQCN allows.
  std::vector<double> received_bits_per_second;
  std::vector<double> sent_bits_per_second;
  std::vector<double> allowed_bits_per_second;
  double jain_index = 1;  // Of what was received, or sent where nothing was.
};
inline constexpr std::size_t series_flows_max = 64;

// A queue pair of mode endpoints, beyond what was received.
struct EndpointFlow {
  std::string_view side;
  std::string_view transport;
  std::string_view state;
  std::uint32_t peer_qp = 0;
  SendFacts sent;
  std::uint64_t psn_gaps = 0;
  std::uint64_t psn_duplicates = 0;
  std::uint64_t messages = 0;  // Received whole; of RC and UC also in order. READs are none.
  std::uint64_t message_bytes = 0;
  std::uint64_t rnr_naks_sent = 0;
  double allowed_bits_per_second = 0;
};

// One queue pair.
struct FlowResult {
  std::uint32_t qp = 0;
  FlowCounters received;
  std::optional<EndpointFlow> endpoint = {};
};
inline constexpr std::size_t flows_listed_max = 1024;

// What mode endpoints did; times are those that were in force, after scaling.
struct EndpointsReport {
  std::string side;  // "left", "right" or "both".
  std::string dcqcn;
  std::uint32_t time_scale = 1;
  double line_bits_per_second = 0;
  double least_bits_per_second = 0;
  double additive_bits_per_second = 0;
  double hyper_bits_per_second = 0;
  double alpha_period_us = 0;
  double decrease_period_us = 0;
  double increase_period_us = 0;
  double cnp_interval_us = 0;
  std::optional<CmFacts> connections = {};  // Where RDMA-CM makes them.
};

// Self-test: what was done to frames, and whether exactly that was found.
struct LinkReport {
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t delayed = 0;
  std::uint64_t damaged = 0;
  std::uint64_t marked = 0;
  std::vector<std::string> disagreements;
};

struct Result {
  std::string profile;
  std::string description;
  std::string mode;
  std::uint64_t seed = 0;
  std::string clock;
  std::string ended;  // "time", "done" (all was sent), "interrupted".
  double seconds = 0;
  std::vector<PortFacts> ports;
  std::vector<std::pair<std::string, std::uint64_t>> port_drops;
  Sums sums;
  std::optional<std::uint64_t> unaccounted;  // Sent by us and not received by us, where both are.
  Histogram latency_ns;
  double jain_index = 1;  // Of the bytes received by queue pair.
  std::uint64_t flow_count = 0;
  std::vector<FlowResult> flows;  // All, or those with the most losses.
  std::vector<Second> series;
  std::optional<LinkReport> link;
  std::optional<EndpointsReport> endpoints;

  // What --check asks.
  bool is_clean() const noexcept {
    const ReceiveCounters& in = sums.received;
    return in.lost + in.late + in.duplicates + in.too_old + in.icrc_errors == 0 &&
           unaccounted.value_or(0) == 0;
  }
};

}  // namespace pktgen
