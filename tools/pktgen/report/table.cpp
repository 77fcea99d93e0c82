// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/report/table.hpp"

#include <array>
#include <cstdio>
#include <string_view>

namespace pktgen {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> text;
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

// "20,000".
std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

// "1.25 Gbit/s".
std::string scaled(double value, const char* unit) {
  constexpr std::array prefixes{"", "k", "M", "G", "T"};
  std::size_t prefix = 0;
  while (value >= 1000 && prefix + 1 < prefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return format("%.4g %s%s", value, prefixes[prefix], unit);
}

std::string time_of(double ns) {
  if (ns < 1000) return format("%.0f ns", ns);
  if (ns < 1e6) return format("%.4g us", ns / 1e3);
  if (ns < 1e9) return format("%.4g ms", ns / 1e6);
  return format("%.4g s", ns / 1e9);
}

double percent(std::uint64_t part, std::uint64_t whole) noexcept {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

class Table {
 public:
  void row(std::string_view name, const std::string& value, const std::string& remark = {}) {
    std::string line(name);
    line.resize(std::max<std::size_t>(line.size(), 16), ' ');
    std::string shown = value;
    if (shown.size() < 14) shown.insert(0, 14 - shown.size(), ' ');
    text_ += line + shown + (remark.empty() ? "" : "  " + remark) + "\n";
  }
  // Left out where nothing is to be told.
  void row_if(std::string_view name, std::uint64_t value, const std::string& remark = {}) {
    if (value != 0) row(name, with_commas(value), remark);
  }
  void line(const std::string& text) { text_ += text + "\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_received(Table& table, const Result& result) {
  const ReceiveCounters& in = result.sums.received;
  const double seconds = result.seconds > 0 ? result.seconds : 1;
  table.row("received", with_commas(in.roce),
            scaled(static_cast<double>(in.roce) / seconds, "frame/s") + ", " +
                scaled(8 * static_cast<double>(in.roce_bytes) / seconds, "bit/s"));
  table.row("lost", with_commas(in.lost), format("%.4f %%", percent(in.lost, in.roce + in.lost)));
  table.row("late", with_commas(in.late));
  table.row("duplicates", with_commas(in.duplicates));
  table.row("bad ICRC", with_commas(in.icrc_errors));
  table.row("CE", with_commas(in.ecn[3]), format("%.4f %%", percent(in.ecn[3], in.roce)));
  table.row_if("CNPs", in.cnps);
  table.row_if("too old", in.too_old, "late or twice, more than 64 behind");
  table.row_if("unknown QPs", in.unknown_qps, "of no queue pair of this profile");
  for (std::size_t i = 0; i < in.not_roce.size(); ++i) {
    table.row_if(name(static_cast<ParseError>(i)), in.not_roce[i], "not RoCE");
  }
  if (result.unaccounted) {
    table.row("unaccounted", with_commas(*result.unaccounted), "sent here and not received here");
  }
}

void add_latency(Table& table, const Result& result) {
  const Histogram& all = result.latency_ns;
  if (all.count() == 0) return;
  std::string line;
  for (const auto& [name, share] :
       {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}}) {
    line += std::string(name) + " " + time_of(static_cast<double>(all.quantile(share))) + "  ";
  }
  table.line("latency         " + line + "max " + time_of(static_cast<double>(all.most())) + "  (" +
             result.clock + ")");
  table.row_if("wrong clocks", result.sums.received.wrong_clocks, "stamps of the future");
}

void add_link(Table& table, const LinkReport& link) {
  table.line(format(
      "self-test       lost %llu, repeated %llu, delayed %llu, damaged %llu, marked "
      "%llu",
      static_cast<unsigned long long>(link.lost), static_cast<unsigned long long>(link.repeated),
      static_cast<unsigned long long>(link.delayed), static_cast<unsigned long long>(link.damaged),
      static_cast<unsigned long long>(link.marked)));
  for (const std::string& text : link.disagreements) table.line("  disagrees: " + text);
  if (link.disagreements.empty()) table.line("  exactly this was found");
}

void add_endpoints(Table& table, const Result& result) {
  const EndpointsReport& report = *result.endpoints;
  const SendCounters& out = result.sums.sent;
  table.row("repeated", with_commas(out.repeated),
            format("%.4f %% of what was sent", percent(out.repeated, out.requests)));
  table.row("CNPs sent", with_commas(out.cnps));
  table.row("CNPs received", with_commas(result.sums.received.cnps));
  table.line("dcqcn           " + report.dcqcn + ", times x " + std::to_string(report.time_scale) +
             (report.dcqcn == "off"
                  ? std::string()
                  : format(": alpha %g us, decrease %g us, increase %g us, CNPs %g us apart; ",
                           report.alpha_period_us, report.decrease_period_us,
                           report.increase_period_us, report.cnp_interval_us) +
                        "line " + scaled(report.line_bits_per_second, "bit/s") + ", least " +
                        scaled(report.least_bits_per_second, "bit/s") + ", steps " +
                        scaled(report.additive_bits_per_second, "bit/s") + " and " +
                        scaled(report.hyper_bits_per_second, "bit/s")));
  if (const auto& cm = report.connections) {
    table.row("connections", with_commas(cm->made),
              with_commas(cm->ready) + " became ready, " + with_commas(cm->closed) + " closed, " +
                  with_commas(cm->failed) + " failed; RDMA-CM sent " + with_commas(cm->sent) +
                  " messages, " + with_commas(cm->repeated) + " of them again");
  }
  table.line(
      "queue pair         state        sent       received   repeated   lost  CNPs in/out  "
      "allowed");
  constexpr std::size_t rows_max = 16;
  for (std::size_t i = 0; i < result.flows.size() && i < rows_max; ++i) {
    const FlowResult& flow = result.flows[i];
    const EndpointFlow& end = *flow.endpoint;
    const auto wide = [](std::uint64_t value) {
      return static_cast<unsigned long long>(value);
    };
    table.line(format("%-9u %-2s %-5s %-8s %10llu  %10llu  %8llu %6u  %5llu/%-5llu  %s", flow.qp,
                      std::string(end.transport).c_str(), std::string(end.side).c_str(),
                      std::string(end.state).c_str(), wide(end.sent.frames),
                      wide(flow.received.frames), wide(end.sent.repeated), flow.received.lost,
                      wide(end.sent.cnps_received), wide(end.sent.cnps),
                      scaled(end.allowed_bits_per_second, "bit/s").c_str()));
  }
  if (result.flows.size() > rows_max) {
    table.line("  and " + std::to_string(result.flows.size() - rows_max) + " more (-j)");
  }
}

}  // namespace

std::string to_table(const Result& result) {
  Table table;
  const SendCounters& out = result.sums.sent;
  const double seconds = result.seconds > 0 ? result.seconds : 1;
  table.line(result.profile + ": " + result.description);
  table.line(format("%.2f s, ended by %s, seed %llu, %llu queue pairs", result.seconds,
                    result.ended.c_str(), static_cast<unsigned long long>(result.seed),
                    static_cast<unsigned long long>(result.flow_count)));
  for (const PortFacts& port : result.ports) {
    table.line("port " + port.device + " (" + port.driver + ", " + port.mac + ", MTU " +
               std::to_string(port.mtu) + ")");
  }
  table.row("sent", with_commas(out.frames),
            scaled(static_cast<double>(out.frames) / seconds, "frame/s") + ", " +
                scaled(8 * static_cast<double>(out.bytes) / seconds, "bit/s"));
  table.row_if("refused", out.refused, "times the port took less than it was given");
  if (out.late_ns > 0) {
    table.row("late for", time_of(static_cast<double>(out.late_ns)), "lost to whatever else ran");
  }
  if (result.sums.received.frames > 0 || result.unaccounted) {
    add_received(table, result);
    add_latency(table, result);
    table.row("Jain index", format("%.4f", result.jain_index), "of the queue pairs' bytes");
  }
  for (const auto& [what, frames] : result.port_drops) table.row(what, with_commas(frames));
  if (result.endpoints) add_endpoints(table, result);
  if (result.link) add_link(table, *result.link);
  return table.take();
}

std::string progress_line(const Second& second) {
  const ReceiveCounters& in = second.sums.received;
  std::string line = format("%6.1f s  ", second.at_s);
  line += "sent " + with_commas(second.sums.sent.frames) + "  received " + with_commas(in.roce);
  line += "  " + scaled(8 * static_cast<double>(in.roce_bytes) / second.length_s, "bit/s");
  line += "  lost " + std::to_string(static_cast<std::int64_t>(in.lost));
  line += format("  CE %.2f %%", percent(in.ecn[3], in.roce));
  if (const std::uint64_t repeated = second.sums.sent.repeated; repeated != 0) {
    line += "  repeated " + with_commas(repeated);
  }
  if (in.cnps != 0) line += "  CNPs " + with_commas(in.cnps);
  line += "  p99 " + time_of(static_cast<double>(second.latency_p99_ns));
  return line;
}

}  // namespace pktgen
