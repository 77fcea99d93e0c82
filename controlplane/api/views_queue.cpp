// SPDX-License-Identifier: Apache-2.0
// Egress queues: what each traffic class is set to, defaults included, and what it has counted.
#include "controlplane/api/counters.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/intent/describe.hpp"
#include "controlplane/intent/value.hpp"
#include "dataplane/contract/command.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace cp {

namespace json = boost::json;
using contract::RegionView;

namespace {

Position position_of(std::uint32_t port, std::uint8_t traffic_class) {
  return {.dimension = "port",
          .index = port,
          .inner_dimension = "traffic_class",
          .inner_index = traffic_class};
}

bool carries(const Queue& queue, RoceTraffic traffic) {
  return std::find(queue.carries.begin(), queue.carries.end(), traffic) != queue.carries.end();
}

// The class of a port's CNPs, which goes before all others.
std::uint8_t cnp_class_of(const Intent& intent, const Port& port) {
  for (const Queue& queue : intent.queues) {
    if (queue.port == port.name && carries(queue, RoceTraffic::cnp)) return queue.traffic_class;
  }
  return contract::cnp_class;
}

// 0: as fast as it goes.
std::uint64_t bits_of(const std::optional<Rate>& rate) {
  return rate ? rate->bits_per_second : 0;
}

std::uint64_t burst_of(const std::optional<Rate>& rate, const std::optional<ByteCount>& burst) {
  if (!rate) return 0;
  return burst ? burst->bytes : contract::burst_default(rate->bits_per_second);
}

// Without a marker its members are null.
void add_marker(json::object& out, const Queue& queue) {
  for (const char* member : {"kmin", "kmax", "pmax", "mark", "not_ect", "mark_control"}) {
    out[member] = nullptr;
  }
  if (!queue.kmin || !queue.kmax) return;
  out["kmin"] = queue.kmin->bytes;
  out["kmax"] = queue.kmax->bytes;
  out["pmax"] = queue.pmax ? queue.pmax->millionths / 1e4 : 100.0;
  out["mark"] = text_of(queue.mark.value_or(MarkPlace::outer)).text;
  out["not_ect"] = text_of(queue.not_ect.value_or(NotEct::drop)).text;
  out["mark_control"] = queue.mark_control.value_or(false);
}

json::object settings_of(const Port& port, const Queue& queue) {
  json::array dscp(queue.dscp.begin(), queue.dscp.end());
  json::array traffic;
  for (const RoceTraffic one : queue.carries) traffic.emplace_back(text_of(one).text);
  json::object out{{"port_rate", bits_of(port.rate)},
                   {"rate", bits_of(queue.rate)},
                   {"burst", burst_of(queue.rate, queue.burst)},
                   {"buffer", queue.buffer ? queue.buffer->bytes : contract::queue_buffer_default},
                   {"dscp", std::move(dscp)},
                   {"carries", std::move(traffic)}};
  add_marker(out, queue);
  return out;
}

}  // namespace

json::object traffic_classes_view(const RegionView* region, const PositionNames& names,
                                  const Intent& intent, std::string_view port_name,
                                  std::optional<std::uint8_t> traffic_class) {
  json::array list;
  const std::uint32_t workers =
      region == nullptr ? 0 : position_count(*region, "worker.rx", "worker");
  const auto ports = names.find("queue.port");
  if (ports == names.end()) return {{"traffic_classes", std::move(list)}};
  for (const auto& [index, name] : ports->second) {
    const Port* port = find_port(intent, name);
    if (port == nullptr || (!port_name.empty() && name != port_name)) continue;
    const std::uint8_t strict = cnp_class_of(intent, *port);
    for (std::uint8_t i = 0; i < contract::traffic_class_count; ++i) {
      if (traffic_class && *traffic_class != i) continue;
      const Queue* queue = find_queue(intent, name, i);
      json::object one{{"name", name + "/" + std::to_string(i)},
                       {"port", name},
                       {"traffic_class", i},
                       {"configured", queue != nullptr},
                       {"strict", i == strict},
                       {"home_worker", nullptr}};
      if (workers != 0) one["home_worker"] = index % workers;
      const json::object settings = settings_of(*port, queue != nullptr ? *queue : Queue{});
      one.insert(settings.begin(), settings.end());
      if (region != nullptr) add_counters(one, *region, "queue", position_of(index, i));
      list.emplace_back(std::move(one));
    }
  }
  return {{"traffic_classes", std::move(list)}};
}

void add_queue_states(json::array& queues, const RegionView& region, const PositionNames& names) {
  const auto ports = names.find("port");
  if (ports == names.end()) return;
  for (json::value& queue : queues) {
    const json::string& port = queue.at("port").as_string();
    for (const auto& [index, name] : ports->second) {
      if (name != std::string_view(port)) continue;
      const auto traffic_class = queue.at("traffic_class").to_number<std::uint8_t>();
      json::object state;
      add_counters(state, region, "queue", position_of(index, traffic_class));
      queue.as_object()["state"] = std::move(state);
    }
  }
}

}  // namespace cp
