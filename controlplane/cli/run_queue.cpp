// SPDX-License-Identifier: Apache-2.0
// weir queue show | watch: traffic classes as a table, or drawn while they fill and drain.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/chart.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/cli/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>

namespace cp {

namespace json = boost::json;

namespace {

constexpr std::size_t history_columns = 24;
constexpr std::size_t bar_columns_min = 10;
constexpr double scale_min = 10'000;  // Of a class in which hardly anything ever waited.

const json::array& classes_of(const json::value& document) {
  static const json::array none;
  const json::value* list = find_at(document, "traffic_classes");
  return list != nullptr && list->is_array() ? list->get_array() : none;
}

bool flag_at(const json::value& document, std::string_view path) {
  const json::value* flag = find_at(document, path);
  return flag != nullptr && flag->is_bool() && flag->get_bool();
}

std::optional<double> measure_at(const json::value& document, std::string_view path) {
  const json::value* value = find_at(document, path);
  if (value == nullptr || !count_of(*value)) return std::nullopt;
  return static_cast<double>(*count_of(*value));
}

std::string queue_target(const Invocation& invocation) {
  std::string target = "/v1/traffic_classes";
  if (invocation.words.empty()) return target;
  const std::string& key = invocation.words[0];
  const std::size_t slash = key.find('/');
  target += "?port=" + encode_percent(key.substr(0, slash));
  if (slash != key.npos) target += "&traffic_class=" + encode_percent(key.substr(slash + 1));
  return target;
}

// "1.20 MB", "980 B".
std::string measure(double number, std::string_view unit) {
  return with_unit(number) + (number < 1000 ? " " : "") + std::string(unit);
}

std::string rate_word(std::uint64_t bits_per_second) {
  return bits_per_second == 0 ? "-" : measure(static_cast<double>(bits_per_second), "bit/s");
}

std::string count_word(const json::value& one, std::string_view member) {
  const auto value = measure_at(one, member);
  return value ? with_commas(static_cast<std::uint64_t>(*value)) : "-";
}

std::string share_word(const json::value& one) {
  const json::value* pmax = find_at(one, "pmax");
  if (pmax == nullptr || !pmax->is_number()) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g%%", real_at(one, "pmax"));
  return text.data();
}

std::string seconds_word(const json::value& one, std::string_view member) {
  const auto ns = measure_at(one, member);
  if (!ns) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", *ns / 1e9);
  return text.data();
}

// Nothing is said of it, and nothing was ever in it.
bool is_idle(const json::value& one) {
  return !flag_at(one, "configured") && number_at(one, "tx_packets") == 0 &&
         number_at(one, "full_dropped_packets") == 0 && number_at(one, "depth_packets") == 0;
}

std::string nothing_text() {
  return "no port has a rate or a queue; `weir queue add --help` tells how to add one\n";
}

std::string queue_text(const json::value& document, bool all) {
  Table table({"QUEUE", "HOME>", "RATE>", "BUFFER>", "KMIN>", "KMAX>", "PMAX>", "DEPTH>", "HIGH>",
               "TX PACKETS>", "MARKED>", "NOT ECT>", "EXEMPT>", "MARKER DROPS>", "FULL DROPS>",
               "LATE S>"});
  std::size_t left_out = 0;
  for (const json::value& one : classes_of(document)) {
    if (!all && is_idle(one)) {
      ++left_out;
      continue;
    }
    const std::uint64_t rate = number_at(one, "rate");
    table.add({text_at(one, "name"), count_word(one, "home_worker"),
               rate_word(rate != 0 ? rate : number_at(one, "port_rate")), count_word(one, "buffer"),
               count_word(one, "kmin"), count_word(one, "kmax"), share_word(one),
               count_word(one, "depth_bytes"), count_word(one, "depth_bytes_max"),
               count_word(one, "tx_packets"), count_word(one, "marked_packets"),
               count_word(one, "not_ect_packets"), count_word(one, "exempt_packets"),
               count_word(one, "marker_dropped_packets"), count_word(one, "full_dropped_packets"),
               seconds_word(one, "late_ns")});
  }
  if (table.empty() && left_out == 0) return nothing_text();
  std::string text = table.empty() ? "" : table.text();
  if (left_out > 0) {
    text += std::to_string(left_out) +
            (left_out == 1 ? " class of which nothing is said was never used\n"
                           : " classes of which nothing is said were never used\n");
  }
  return text;
}

// What happened to a class between two looks.
struct Motion {
  double tx_packets_per_s = 0;
  double tx_bits_per_s = 0;
  double marked_per_s = 0;
  double not_ect_per_s = 0;
  double dropped_per_s = 0;
};

Motion motion_of(const json::value& now, const json::value* before, double seconds) {
  Motion motion;
  if (before == nullptr || seconds <= 0) return motion;
  const auto per_s = [&](std::string_view member) {
    const std::uint64_t last = number_at(*before, member);
    const std::uint64_t this_one = number_at(now, member);
    // A data plane that was started anew counts from 0.
    return this_one < last ? 0 : static_cast<double>(this_one - last) / seconds;
  };
  motion.tx_packets_per_s = per_s("tx_packets");
  motion.tx_bits_per_s = 8 * per_s("tx_bytes");
  motion.marked_per_s = per_s("marked_packets");
  motion.not_ect_per_s = per_s("not_ect_packets");
  motion.dropped_per_s = per_s("full_dropped_packets") + per_s("marker_dropped_packets");
  return motion;
}

json::object motion_line(const json::value& one, const Motion& motion) {
  json::object out;
  for (const char* member : {"name", "port", "traffic_class", "depth_bytes", "depth_packets",
                             "depth_bytes_max", "kmin", "kmax", "buffer"}) {
    if (const json::value* value = find_at(one, member)) out[member] = *value;
  }
  out["tx_packets_per_s"] = motion.tx_packets_per_s;
  out["tx_bits_per_s"] = motion.tx_bits_per_s;
  out["marked_per_s"] = motion.marked_per_s;
  out["not_ect_per_s"] = motion.not_ect_per_s;
  out["dropped_per_s"] = motion.dropped_per_s;
  return out;
}

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 100;
}

class Watch {
 public:
  explicit Watch(bool as_json)
      : json_(as_json), clears_(!as_json && ::isatty(STDOUT_FILENO) == 1) {}

  // One look, `seconds` behind the one before; the first has nothing to compare with.
  void look(json::value now, double seconds) {
    std::string text;
    json::array lines;
    for (const json::value& one : classes_of(now)) {
      const std::string name = text_at(one, "name");
      const json::value* earlier =
          before_.is_null() ? nullptr
                            : find_named(find_at(before_, "traffic_classes"), "name", name);
      const Motion motion = motion_of(one, earlier, seconds);
      std::deque<double>& past = history_[name];
      past.push_back(static_cast<double>(number_at(one, "depth_bytes")));
      if (past.size() > history_columns) past.pop_front();
      if (json_) {
        lines.push_back(motion_line(one, motion));
      } else if (!is_idle(one)) {
        text += chart_of(one, motion, past);
      }
    }
    if (json_) {
      // The first look says no rates.
      if (!before_.is_null()) {
        print(json::serialize(json::object{{"time", text_at(now, "time")},
                                           {"seconds", seconds},
                                           {"traffic_classes", std::move(lines)}}) +
              "\n");
      }
    } else {
      if (text.empty()) text = classes_of(now).empty() ? nothing_text() : "all classes are idle\n";
      print((clears_ ? "\x1b[H\x1b[2J" : "") + text_at(now, "time") +
            "  ┊ kmin, kmax  ╵ most so far\n" + text + (clears_ ? "" : "\n"));
    }
    before_ = std::move(now);
  }

 private:
  // Two lines: how much waits and where the marker's ends are, and what happens.
  static std::string chart_of(const json::value& one, const Motion& motion,
                              const std::deque<double>& past) {
    const auto kmin = measure_at(one, "kmin");
    const auto kmax = measure_at(one, "kmax");
    const double depth = static_cast<double>(number_at(one, "depth_bytes"));
    const double highest = static_cast<double>(number_at(one, "depth_bytes_max"));
    const double full = scale_for(std::max({depth, highest, kmax.value_or(0) * 1.1, scale_min}));
    const std::size_t columns = terminal_columns();
    const std::size_t beside = 60;  // Of the text around the bar.
    const std::size_t width =
        columns > beside + bar_columns_min ? columns - beside : bar_columns_min;
    std::array<char, 256> line{};
    std::snprintf(line.data(), line.size(), "%-16s %10s |", text_at(one, "name").c_str(),
                  measure(depth, "B").c_str());
    std::string text = line.data();
    text +=
        bar_text({.value = depth, .highest = highest, .lower = kmin, .upper = kmax}, full, width);
    text += "| " + measure(full, "B") + ", most " + measure(highest, "B") + "\n";
    const double marked =
        motion.tx_packets_per_s > 0 ? 100 * motion.marked_per_s / motion.tx_packets_per_s : 0;
    std::snprintf(
        line.data(), line.size(), "  %s, %s packets/s, %s marks/s (%.2f %%), %s drops/s  [%s]\n",
        measure(motion.tx_bits_per_s, "bit/s").c_str(), with_unit(motion.tx_packets_per_s).c_str(),
        with_unit(motion.marked_per_s).c_str(), marked, with_unit(motion.dropped_per_s).c_str(),
        history_text(past, full, history_columns).c_str());
    return text + line.data();
  }

  bool json_;
  bool clears_;
  json::value before_;
  std::map<std::string, std::deque<double>> history_;  // By name of the class.
};

}  // namespace

ExitCode run_queue_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, queue_target(invocation),
              [&](const Look& look) { return queue_text(look.now, !invocation.words.empty()); });
}

ExitCode run_queue_watch(const Client& client, const Invocation& invocation) {
  using std::chrono::steady_clock;
  Watch watch(invocation.json);
  Invocation quiet = invocation;
  quiet.json = false;  // What is printed is ours, not the server's.
  const auto interval = std::chrono::duration_cast<steady_clock::duration>(
      std::chrono::duration<double>(invocation.interval_s));
  steady_clock::time_point before{};
  for (;;) {
    const auto now = steady_clock::now();
    const ExitCode code =
        ask(client, quiet, "GET", queue_target(invocation), {}, [&](const json::value& document) {
          watch.look(document, std::chrono::duration<double>(now - before).count());
        });
    if (code != ExitCode::ok || !can_print()) return code;
    before = now;
    std::this_thread::sleep_until(now + interval);
  }
}

}  // namespace cp
