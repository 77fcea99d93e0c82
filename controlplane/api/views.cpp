// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/views.hpp"

#include "controlplane/api/answer.hpp"
#include "controlplane/api/counters.hpp"
#include "controlplane/api/worker_places.hpp"
#include "dataplane/base/clock.hpp"
#include "dataplane/contract/drop_reason.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <chrono>

namespace cp {

namespace json = boost::json;
using contract::Field;
using contract::RegionView;
using contract::to_view;

namespace {

// A port's device may have no socket.
void tell_socket(json::object& port) {
  const auto* socket = port.if_contains("socket");
  if (socket != nullptr) port["socket"] = place_or_null(socket->to_number<std::uint64_t>());
}

// One object for each named position, with the members of the blocks.
json::array objects_of(const RegionView& region, const PositionNames& names,
                       std::string_view dimension, std::initializer_list<std::string_view> blocks) {
  json::array list;
  const auto named = names.find(dimension);
  if (named == names.end()) return list;
  for (const auto& [index, name] : named->second) {
    json::object object{{"name", name}};
    for (const std::string_view block : blocks) {
      add_counters(object, region, block, {dimension, index});
    }
    object["name"] = name;  // The region's own copy of a port's name may be cut.
    tell_socket(object);
    list.emplace_back(std::move(object));
  }
  return list;
}

// Each "x_capacity" of the data plane with its "x_used" (of the pool: "x_in_use").
json::object tables_of(const RegionView& region) {
  constexpr std::string_view suffix = "_capacity";
  json::object tables;
  for (const Field& field : region.fields()) {
    std::string_view name = to_view(field.name);
    if (!name.starts_with("global.") || !name.ends_with(suffix)) continue;
    const std::string stem(name.substr(0, name.size() - suffix.size()));
    const bool counts_used = region.find(stem + "_used") != nullptr;
    json::object table{{"used", read_counter(region, stem + (counts_used ? "_used" : "_in_use"))},
                       {"capacity", read_counter(region, name)}};
    tables.emplace(stem.substr(stem.find('.') + 1), std::move(table));
  }
  return tables;
}

// Sums over the workers, each read at one moment, so that the identity holds.
json::object totals_of(const RegionView& region) {
  contract::WorkerTotals sum{};
  std::int64_t mismatch = 0;
  const std::uint32_t workers = position_count(region, "worker.rx", "worker");
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    const auto totals = region.read_totals(worker);
    if (!totals) continue;
    sum.rx += totals->rx;
    sum.created += totals->created;
    sum.taken_over += totals->taken_over;
    sum.tx += totals->tx;
    sum.dropped += totals->dropped;
    sum.consumed += totals->consumed;
    sum.punted += totals->punted;
    sum.handed_over += totals->handed_over;
    sum.held += totals->held;
    mismatch += totals->mismatch();
  }
  return {{"rx", sum.rx},         {"created", sum.created},         {"taken_over", sum.taken_over},
          {"tx", sum.tx},         {"dropped", sum.dropped},         {"consumed", sum.consumed},
          {"punted", sum.punted}, {"handed_over", sum.handed_over}, {"held", sum.held},
          {"mismatch", mismatch}};
}

double seconds_since(std::uint64_t then_ns) {
  const std::uint64_t now_ns = base::monotonic_ns();
  return now_ns > then_ns ? static_cast<double>(now_ns - then_ns) / 1e9 : 0.0;
}

json::object dataplane_of(const RegionView& region) {
  return {{"generation", read_counter(region, "global.generation")},
          {"uptime_seconds", seconds_since(read_counter(region, "global.started_ns"))},
          {"heartbeat_age_seconds", seconds_since(read_counter(region, "global.heartbeat_ns"))},
          {"workers", position_count(region, "worker.rx", "worker")},
          {"hugepages", read_counter(region, "global.hugepages") != 0},
          {"commits", read_counter(region, "global.commits")},
          {"commits_refused", read_counter(region, "global.commits_refused")},
          {"traces_lost", read_counter(region, "global.traces_lost")}};
}

std::string_view help_of(std::string_view reason) {
  for (const contract::DropReasonText& text : contract::drop_reasons) {
    if (text.name == reason) return text.help;
  }
  return "";  // Of a later release's data plane.
}

// Packets by reason, all workers and, from the devices, all ports.
json::object drops_by_reason(const RegionView& region, const PositionNames& names) {
  json::object drops;
  json::object of_workers;
  add_counters(of_workers, region, "worker", {});
  if (const json::value* list = of_workers.if_contains("drops")) drops = list->as_object();
  for (const json::value& port : objects_of(region, names, "port", {"port_state"})) {
    const json::value* lost = port.as_object().if_contains("device_drops");
    if (lost == nullptr) continue;
    for (const auto& [reason, count] : lost->as_object()) {
      json::value& total = drops[reason];
      total = (total.is_uint64() ? total.get_uint64() : 0) + count.as_uint64();
    }
  }
  return drops;
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

// What that share of the turns came less than so long after the turn before: "24us".
json::string gap_of(const json::object& turns_by_gap, double share) {
  double turns = 0;
  for (const auto& [end, count] : turns_by_gap) turns += static_cast<double>(count.as_uint64());
  double sum = 0;
  for (const auto& [end, count] : turns_by_gap) {
    sum += static_cast<double>(count.as_uint64());
    if (sum >= turns * share) return json::string(end);
  }
  return {};
}

}  // namespace

json::object stats_view(const RegionView& region, const PositionNames& names) {
  return {{"dataplane", dataplane_of(region)},
          {"totals", totals_of(region)},
          {"drops", drops_by_reason(region, names)},
          {"ports", objects_of(region, names, "port", {"port_state", "port"})},
          {"networks", objects_of(region, names, "network", {"network"})},
          {"vteps", objects_of(region, names, "vtep", {"vtep"})},
          {"next_hops", objects_of(region, names, "next_hop", {"next_hop"})},
          {"tables", tables_of(region)}};
}

json::object drops_view(const RegionView& region, const PositionNames& names) {
  json::array list;
  for (const auto& [reason, packets] : drops_by_reason(region, names)) {
    json::object stages;
    const std::uint32_t stage_count = position_count(region, "stage.drops", "stage");
    const Field* field = region.find("stage.drops");
    for (std::uint32_t stage = 0; stage < stage_count; ++stage) {
      json::object counters;
      add_counters(counters, region, "stage", {"stage", stage});
      const json::value* count = counters["drops"].as_object().if_contains(reason);
      if (count == nullptr) continue;
      stages.emplace(region.label(field->dimensions[1].label_list, stage), *count);
    }
    json::object ports;
    for (const json::value& port : objects_of(region, names, "port", {"port_state"})) {
      const json::value* count = port.at("device_drops").as_object().if_contains(reason);
      if (count != nullptr) ports.emplace(port.at("name").as_string(), *count);
    }
    list.push_back({{"reason", reason},
                    {"help", help_of(reason)},
                    {"packets", packets},
                    {"stages", std::move(stages)},
                    {"ports", std::move(ports)}});
  }
  return {{"drops", std::move(list)}};
}

json::object pipelines_view(const RegionView& region) {
  json::array pipelines;
  const Field* field = region.find("stage.packets");
  if (field == nullptr || field->dimension_count < 2) return {{"pipelines", std::move(pipelines)}};
  const contract::Dimension& dimension = field->dimensions[1];
  for (std::uint32_t i = 0; i < dimension.count; ++i) {
    const std::string label = region.label(dimension.label_list, i);
    const std::string pipeline = label.substr(0, label.find('/'));
    if (pipelines.empty() || pipelines.back().at("name").as_string() != pipeline) {
      pipelines.push_back({{"name", pipeline}, {"stages", json::array()}});
    }
    json::object stage{{"name", label.substr(std::min(label.size(), pipeline.size() + 1))}};
    add_counters(stage, region, "stage", {"stage", i});
    const Position at{"stage", i};
    stage["cycles_per_packet"] =
        ratio(static_cast<double>(read_counter(region, "stage.cycles_sampled", at)),
              static_cast<double>(read_counter(region, "stage.packets_sampled", at)));
    pipelines.back().at("stages").as_array().emplace_back(std::move(stage));
  }
  return {{"pipelines", std::move(pipelines)}};
}

void add_states(json::array& objects, const RegionView& region, const PositionNames& names,
                std::string_view dimension) {
  if (dimension == "queue") return add_queue_states(objects, region, names);
  const auto list = names.find(dimension);
  if (list == names.end()) return;
  std::map<std::string_view, std::uint32_t> positions;
  for (const auto& [index, name] : list->second) positions.emplace(name, index);
  for (json::value& object : objects) {
    const json::string& name = object.at("name").as_string();
    const auto at = positions.find(std::string_view(name.data(), name.size()));
    if (at == positions.end()) continue;
    json::object state;
    if (dimension == "port") add_counters(state, region, "port_state", {dimension, at->second});
    add_counters(state, region, dimension, {dimension, at->second});
    tell_socket(state);
    object.as_object()["state"] = std::move(state);
  }
}

std::vector<std::pair<std::uint32_t, std::string>> neighbour_names(const RegionView& region) {
  std::vector<std::pair<std::uint32_t, std::string>> names;
  const Field* address = region.find("neighbour.address");
  const Field* port = region.find("neighbour.port");
  if (address == nullptr || port == nullptr) return names;
  const std::uint32_t count = position_count(region, "neighbour.address", "neighbour");
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string text = region.text(*address, {&i, 1});
    if (!text.empty()) names.emplace_back(i, region.text(*port, {&i, 1}) + "/" + text);
  }
  return names;
}

json::object neighbours_view(const RegionView& region, const PositionNames& names) {
  json::array list = objects_of(region, names, "neighbour", {"neighbour"});
  for (json::value& one : list) {
    json::object& neighbour = one.as_object();
    const std::uint64_t since_ns = neighbour.at("since_ns").as_uint64();
    const auto ago = std::chrono::duration<double>(seconds_since(since_ns));
    using Clock = std::chrono::system_clock;
    neighbour["since"] = time_text(Clock::now() - std::chrono::duration_cast<Clock::duration>(ago));
    neighbour["own"] = neighbour.at("own").as_uint64() != 0;
    neighbour["usable"] = neighbour.at("usable").as_uint64() != 0;
    neighbour.erase("since_ns");
    neighbour.erase("name");
  }
  return {{"neighbours", std::move(list)}};
}

json::object workers_view(const RegionView& region) {
  json::array workers;
  const double hertz = static_cast<double>(read_counter(region, "global.tsc_hz"));
  const double uptime = seconds_since(read_counter(region, "global.started_ns"));
  const std::uint32_t count = position_count(region, "worker.rx", "worker");
  for (std::uint32_t i = 0; i < count; ++i) {
    json::object worker{{"worker", i}};
    add_counters(worker, region, "worker", {"worker", i});
    const auto totals = region.read_totals(i);
    worker["mismatch"] = totals ? json::value(totals->mismatch()) : json::value(nullptr);
    const double busy =
        static_cast<double>(read_counter(region, "worker.busy_cycles", {"worker", i}));
    worker["busy_ratio"] = ratio(busy, hertz * uptime);
    const double bursts = static_cast<double>(read_counter(region, "worker.bursts", {"worker", i}));
    const double rx = static_cast<double>(read_counter(region, "worker.rx", {"worker", i}));
    worker["packets_per_burst"] = ratio(rx, bursts);
    add_place(worker, region, i, count);
    const json::value* turns = worker.if_contains("turns_by_gap");
    if (turns != nullptr) worker["gap_p99_99"] = gap_of(turns->as_object(), 0.9999);
    workers.emplace_back(std::move(worker));
  }
  return {{"workers", std::move(workers)}};
}

}  // namespace cp
