// SPDX-License-Identifier: Apache-2.0
#include "controlplane/metrics/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string_view>

namespace cp {

using contract::Dimension;
using contract::Field;
using contract::FieldKind;
using contract::RegionView;
using contract::to_view;

namespace {

// How a unit of the region becomes one of Prometheus' base units.
struct Unit {
  std::string_view region;
  std::string_view suffix;  // At the end of the region's name; replaced.
  std::string_view replacement;
  double factor;
};
constexpr std::array units{
    Unit{"ns", "_ns", "_seconds", 1e-9},
    Unit{"mbps", "_speed_mbps", "_speed_bytes", 125'000},  // A second, as node_exporter says it.
    Unit{"hertz", "_hz", "_hertz", 1},
};

struct MetricName {
  std::string text;
  double factor;
};

// "worker.idle_ns" → weir_worker_idle_seconds_total.
MetricName metric_name(const Field& field) {
  MetricName name{"weir_" + std::string(to_view(field.name)), 1};
  std::replace(name.text.begin(), name.text.end(), '.', '_');
  for (const Unit& unit : units) {
    if (to_view(field.unit) != unit.region || !name.text.ends_with(unit.suffix)) continue;
    name.text.replace(name.text.size() - unit.suffix.size(), std::string::npos, unit.replacement);
    name.factor = unit.factor;
  }
  if (field.kind == FieldKind::counter) name.text += "_total";
  return name;
}

std::string escape(std::string_view text, bool quotes) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) result.push_back('\\');
    if (c == '\n') {
      result += "\\n";
    } else {
      result.push_back(c);
    }
  }
  return result;
}

void write_head(std::string& out, std::string_view name, std::string_view help,
                std::string_view type) {
  out.append("# HELP ").append(name).append(" ").append(escape(help, false)).append("\n");
  out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void write_sample(std::string& out, std::string_view name, std::string_view labels,
                  std::uint64_t value, double factor) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  std::array<char, 32> number;
  const auto end = factor == 1 ? std::to_chars(number.data(), number.data() + number.size(), value)
                               : std::to_chars(number.data(), number.data() + number.size(),
                                               static_cast<double>(value) * factor);
  out.append(" ").append(number.data(), end.ptr).append("\n");
}

// One label value and the positions that are summed under it.
struct Cell {
  std::string label;
  std::vector<std::uint32_t> positions;
};

bool is_summed(const Field& field, const Dimension& dimension) {
  // Per worker only what a worker is judged by, which is its own block; times ports or stages it
  // would be too many series.
  return to_view(dimension.name) == "worker" && !to_view(field.name).starts_with("worker.");
}

// Those of the block alone ("queue.port") where there are such.
PositionNames::const_iterator find_names(const Field& field, const Dimension& dimension,
                                         const PositionNames& names) {
  const std::string_view name = to_view(field.name);
  std::string of_block(name.substr(0, name.find('.') + 1));
  of_block += to_view(dimension.name);
  const auto own = names.find(of_block);
  return own != names.end() ? own : names.find(to_view(dimension.name));
}

std::vector<Cell> cells_of_ids(const Field& field, const Dimension& dimension,
                               const PositionNames& names) {
  std::vector<Cell> cells;
  const auto list = find_names(field, dimension, names);
  if (list == names.end()) return cells;
  for (const auto& [position, name] : list->second) {
    if (position >= dimension.count) continue;
    if (cells.size() == metric_positions_max + 1) {
      cells.back().positions.push_back(position);
    } else {
      const bool full = cells.size() == metric_positions_max;
      cells.push_back({full ? "(other)" : name, {position}});
    }
  }
  return cells;
}

std::vector<Cell> cells_of(const RegionView& region, const Field& field, const Dimension& dimension,
                           const PositionNames& names) {
  std::vector<Cell> cells;
  if (is_summed(field, dimension)) {
    Cell& all = cells.emplace_back();
    for (std::uint32_t i = 0; i < dimension.count; ++i) all.positions.push_back(i);
  } else if (dimension.label_list != contract::no_labels) {
    for (std::uint32_t i = 0; i < dimension.count; ++i) {
      cells.push_back({region.label(dimension.label_list, i), {i}});
    }
  } else if (to_view(dimension.name) == "worker") {
    for (std::uint32_t i = 0; i < dimension.count; ++i) cells.push_back({std::to_string(i), {i}});
  } else {
    cells = cells_of_ids(field, dimension, names);
  }
  return cells;
}

// Walks all combinations of the cells of a field's dimensions.
class FieldWriter {
 public:
  FieldWriter(std::string& out, const RegionView& region, const Field& field,
              const PositionNames& names)
      : out_(out), region_(region), field_(field), name_(metric_name(field)) {
    for (std::uint32_t i = 0; i < field.dimension_count; ++i) {
      const Dimension& dimension = field.dimensions[i];
      cells_.push_back(cells_of(region, field, dimension, names));
      // Of the cells of a matrix most are always 0; a missing series means just that.
      if (dimension.label_list != contract::no_labels && to_view(dimension.name) != "stage") {
        skips_zero_ = true;
      }
    }
    chosen_.resize(field.dimension_count);
  }

  void write() {
    write_head(out_, name_.text, to_view(field_.help),
               field_.kind == FieldKind::counter ? "counter" : "gauge");
    walk(0, {});
  }

 private:
  void walk(std::size_t depth, const std::string& labels) {
    if (depth == cells_.size()) {
      const std::uint64_t value = sum(0);
      if (value != 0 || !skips_zero_) write_sample(out_, name_.text, labels, value, name_.factor);
      return;
    }
    for (const Cell& cell : cells_[depth]) {
      chosen_[depth] = &cell;
      std::string longer = labels;
      if (!is_summed(field_, field_.dimensions[depth])) {
        if (!longer.empty()) longer.push_back(',');
        longer.append(to_view(field_.dimensions[depth].name));
        longer.append("=\"").append(escape(cell.label, true)).append("\"");
      }
      walk(depth + 1, longer);
    }
  }

  std::uint64_t sum(std::size_t depth) {
    if (depth == chosen_.size()) return region_.value(field_, {indices_.data(), depth});
    std::uint64_t total = 0;
    for (const std::uint32_t position : chosen_[depth]->positions) {
      indices_[depth] = position;
      total += sum(depth + 1);
    }
    return total;
  }

  std::string& out_;
  const RegionView& region_;
  const Field& field_;
  MetricName name_;
  std::vector<std::vector<Cell>> cells_;
  std::vector<const Cell*> chosen_;
  std::array<std::uint32_t, contract::dimension_count_max> indices_{};
  bool skips_zero_ = false;
};

// Ids are no measures, and texts no numbers.
bool is_shown(const Field& field) {
  return field.kind != FieldKind::text && to_view(field.unit) != "id";
}

void write_mismatch(std::string& out, const RegionView& region) {
  constexpr std::string_view name = "weir_accounting_mismatch_packets";
  write_head(out, name, "Packets that are unaccounted for; not 0 is a bug of the data plane.",
             "gauge");
  for (std::uint32_t worker = 0;; ++worker) {
    const auto totals = region.read_totals(worker);
    if (!totals) break;
    out.append(name).append("{worker=\"").append(std::to_string(worker)).append("\"} ");
    out.append(std::to_string(totals->mismatch())).append("\n");
  }
}

void write_process(std::string& out, const ProcessMetrics& process) {
  write_head(out, "weir_build_info", "Release of the control plane.", "gauge");
  write_sample(out, "weir_build_info", "version=\"" + escape(process.version, true) + "\"", 1, 1);
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       std::uint64_t value) {
    write_head(out, name, help, type);
    write_sample(out, name, {}, value, 1);
  };
  one("weir_dataplane_connected", "gauge", "1: the data plane is connected.", process.connected);
  one("weir_dataplane_in_sync", "gauge", "1: the data plane has what the intent wants.",
      process.in_sync);
  one("weir_dataplane_connections_total", "counter",
      "Connections to the data plane since the control plane started.", process.connections);
  one("weir_transactions_total", "counter", "Transactions that the data plane put in force.",
      process.transactions);
  one("weir_transaction_records_total", "counter", "Records in these transactions.",
      process.records);
  one("weir_api_requests_refused_total", "counter",
      "Requests refused as they were too many of one user.", process.requests_refused);
  one("weir_store_alarm", "gauge",
      "1: the store was damaged or has no copy; `weir status` says more.", process.store_alarm);
  one("weir_store_copies", "gauge", "Files that hold what is wanted; 2 when all is well.",
      process.store_copy ? 2 : 1);
  write_head(out, "weir_intent_objects", "Objects that are wanted, by kind.", "gauge");
  for (const auto& [kind, count] : process.objects) {
    write_sample(out, "weir_intent_objects", "kind=\"" + kind + "\"", count, 1);
  }
}

}  // namespace

std::string write_metrics(const RegionView* region, const PositionNames& names,
                          const ProcessMetrics& process) {
  std::string out;
  write_process(out, process);
  if (region == nullptr) return out;
  write_mismatch(out, *region);
  for (const Field& field : region->fields()) {
    if (is_shown(field)) FieldWriter(out, *region, field, names).write();
  }
  return out;
}

}  // namespace cp
