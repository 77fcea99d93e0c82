// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/report/json.hpp"

#include <boost/json.hpp>

namespace pktgen {
namespace {

namespace json = boost::json;

double share(std::uint64_t part, std::uint64_t whole) noexcept {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Of the frames whose ECN field was looked at.
double ce_fraction(const ReceiveCounters& in) noexcept {
  return share(in.ecn[3], in.ecn[0] + in.ecn[1] + in.ecn[2] + in.ecn[3]);
}

json::object sent(const SendCounters& out, double seconds) {
  const double per_second = seconds > 0 ? 1 / seconds : 0;
  return {{"frames", out.frames},
          {"bytes", out.bytes},
          {"requests", out.requests},
          {"acks", out.acks},
          {"cnps", out.cnps},
          {"frames_per_second", static_cast<double>(out.frames) * per_second},
          {"bits_per_second", 8 * static_cast<double>(out.bytes) * per_second},
          {"repeated", out.repeated},
          {"refused", out.refused},
          {"late_ms", static_cast<double>(out.late_ns) / 1e6}};
}

json::object received(const ReceiveCounters& in, double seconds) {
  const double per_second = seconds > 0 ? 1 / seconds : 0;
  json::object other;
  for (std::size_t i = 0; i < in.not_roce.size(); ++i) {
    if (in.not_roce[i] != 0) other[name(static_cast<ParseError>(i))] = in.not_roce[i];
  }
  return {
      {"frames", in.frames},
      {"bytes", in.bytes},
      {"roce", in.roce},
      {"roce_bytes", in.roce_bytes},
      {"requests", in.requests},
      {"acks", in.acks},
      {"cnps", in.cnps},
      {"tunnelled", in.tunnelled},
      {"frames_per_second", static_cast<double>(in.roce) * per_second},
      {"bits_per_second", 8 * static_cast<double>(in.roce_bytes) * per_second},
      {"lost", in.lost},
      {"late", in.late},
      {"duplicates", in.duplicates},
      {"too_old", in.too_old},
      {"icrc_errors", in.icrc_errors},
      {"unknown_queue_pairs", in.unknown_qps},
      {"not_roce", std::move(other)},
      {"ecn",
       json::object{
           {"not_ect", in.ecn[0]}, {"ect1", in.ecn[1]}, {"ect0", in.ecn[2]}, {"ce", in.ecn[3]}}},
      {"ce_fraction", ce_fraction(in)},
      {"wrong_clocks", in.wrong_clocks}};
}

json::object latency(const Histogram& all) {
  return {{"count", all.count()},
          {"min", all.least()},
          {"mean", all.mean()},
          {"p50", all.quantile(0.5)},
          {"p90", all.quantile(0.9)},
          {"p99", all.quantile(0.99)},
          {"p99_9", all.quantile(0.999)},
          {"p99_99", all.quantile(0.9999)},
          {"max", all.most()}};
}

json::array array_of(const std::vector<double>& values) {
  json::array all;
  for (const double value : values) all.push_back(value);
  return all;
}

json::object second_of(const Second& second) {
  const ReceiveCounters& in = second.sums.received;
  return {{"at_s", second.at_s},
          {"length_s", second.length_s},
          {"sent_frames", second.sums.sent.frames},
          {"sent_bytes", second.sums.sent.bytes},
          {"received_frames", in.roce},
          {"received_bytes", in.roce_bytes},
          {"lost", static_cast<std::int64_t>(in.lost)},
          {"late", in.late},
          {"duplicates", in.duplicates},
          {"icrc_errors", in.icrc_errors},
          {"ce", in.ecn[3]},
          {"ce_fraction", ce_fraction(in)},
          {"cnps_sent", second.sums.sent.cnps},
          {"cnps_received", in.cnps},
          {"latency_p50_ns", second.latency_p50_ns},
          {"latency_p99_ns", second.latency_p99_ns},
          {"repeated", second.sums.sent.repeated},
          {"jain_index", second.jain_index},
          {"received_bits_per_second", array_of(second.received_bits_per_second)},
          {"sent_bits_per_second", array_of(second.sent_bits_per_second)},
          {"allowed_bits_per_second", array_of(second.allowed_bits_per_second)}};
}

json::object endpoint_of(const EndpointFlow& flow) {
  const SendFacts& sent = flow.sent;
  return {{"side", flow.side},
          {"transport", flow.transport},
          {"state", flow.state},
          {"peer_qp", flow.peer_qp},
          {"sent_frames", sent.frames},
          {"sent_payload_bytes", sent.payload_bytes},
          {"repeated", sent.repeated},
          {"control_frames", sent.control_frames},
          {"cnps_sent", sent.cnps},
          {"cnps_received", sent.cnps_received},
          {"acks_received", sent.acks_received},
          {"sequence_naks_received", sent.sequence_naks_received},
          {"rnr_naks_received", sent.rnr_naks_received},
          {"timeouts", sent.timeouts},
          {"messages_completed", sent.messages_completed},
          {"bytes_completed", sent.bytes_completed},
          {"received_messages", flow.messages},
          {"received_message_bytes", flow.message_bytes},
          {"rnr_naks_sent", flow.rnr_naks_sent},
          {"psn_gaps", flow.psn_gaps},
          {"psn_duplicates", flow.psn_duplicates},
          {"allowed_bits_per_second", flow.allowed_bits_per_second}};
}

json::value connections_of(const std::optional<CmFacts>& facts) {
  if (!facts) return nullptr;
  return {{"made", facts->made},
          {"ready", facts->ready},
          {"closed", facts->closed},
          {"failed", facts->failed},
          {"messages_sent", facts->sent},
          {"messages_repeated", facts->repeated},
          {"messages_received", facts->received}};
}

json::object endpoints_of(const EndpointsReport& report) {
  return {{"side", report.side},
          {"dcqcn", report.dcqcn},
          {"time_scale", report.time_scale},
          {"line_bits_per_second", report.line_bits_per_second},
          {"least_bits_per_second", report.least_bits_per_second},
          {"additive_bits_per_second", report.additive_bits_per_second},
          {"hyper_bits_per_second", report.hyper_bits_per_second},
          {"alpha_period_us", report.alpha_period_us},
          {"decrease_period_us", report.decrease_period_us},
          {"increase_period_us", report.increase_period_us},
          {"cnp_interval_us", report.cnp_interval_us},
          {"connections", connections_of(report.connections)}};
}

json::object flow_of(const FlowResult& flow) {
  json::object all{{"qp", flow.qp},
                   {"frames", flow.received.frames},
                   {"bytes", flow.received.bytes},
                   {"lost", flow.received.lost},
                   {"late", flow.received.late},
                   {"duplicates", flow.received.duplicates},
                   {"ce", flow.received.ce}};
  if (flow.endpoint) all["endpoint"] = endpoint_of(*flow.endpoint);
  return all;
}

json::object link_of(const LinkReport& link) {
  json::array disagreements;
  for (const std::string& text : link.disagreements) disagreements.emplace_back(text);
  return {{"lost", link.lost},
          {"repeated", link.repeated},
          {"delayed", link.delayed},
          {"damaged", link.damaged},
          {"marked", link.marked},
          {"agrees", link.disagreements.empty()},
          {"disagreements", std::move(disagreements)}};
}

}  // namespace

std::string to_json(const Second& second) {
  return json::serialize(second_of(second)) + "\n";
}

std::string to_json(const Result& result) {
  json::array ports;
  for (const PortFacts& port : result.ports) {
    ports.push_back(json::object{
        {"device", port.device}, {"driver", port.driver}, {"mac", port.mac}, {"mtu", port.mtu}});
  }
  json::object drops;
  for (const auto& [what, frames] : result.port_drops) drops[what] = frames;
  json::array flows;
  for (const FlowResult& flow : result.flows) flows.push_back(flow_of(flow));
  json::array series;
  for (const Second& second : result.series) series.push_back(second_of(second));
  json::object all{{"program", "weir-pktgen"},
                   {"version", WEIR_VERSION},
                   {"profile", result.profile},
                   {"description", result.description},
                   {"mode", result.mode},
                   {"seed", result.seed},
                   {"clock", result.clock},
                   {"ended", result.ended},
                   {"seconds", result.seconds},
                   {"ports", std::move(ports)},
                   {"port_drops", std::move(drops)},
                   {"sent", sent(result.sums.sent, result.seconds)},
                   {"received", received(result.sums.received, result.seconds)},
                   {"latency_ns", latency(result.latency_ns)},
                   {"jain_index", result.jain_index},
                   {"queue_pair_count", result.flow_count},
                   {"queue_pairs", std::move(flows)},
                   {"series", std::move(series)}};
  all["unaccounted"] = nullptr;
  if (result.unaccounted) all["unaccounted"] = *result.unaccounted;
  if (result.link) all["self_test"] = link_of(*result.link);
  if (result.endpoints) all["endpoints"] = endpoints_of(*result.endpoints);
  return json::serialize(all) + "\n";
}

}  // namespace pktgen
