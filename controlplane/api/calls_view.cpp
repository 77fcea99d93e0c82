// SPDX-License-Identifier: Apache-2.0
// Routes that show what is going on.
#include "controlplane/api/answer.hpp"
#include "controlplane/api/api.hpp"
#include "controlplane/api/change_answer.hpp"
#include "controlplane/api/counters.hpp"
#include "controlplane/api/schemas.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/intent/edit.hpp"
#include "dataplane/contract/command.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <charconv>
#include <unistd.h>

namespace cp {

namespace json = boost::json;

namespace {

HttpResponse no_region() {
  return error_answer(503, "closed",
                      "the data plane is not connected, so nothing is counted; see `weir status`");
}

std::optional<std::uint32_t> parse_id(const std::string& text) {
  std::uint32_t id = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, id);
  if (result.ec != std::errc() || result.ptr != end || id == 0) return std::nullopt;
  return id;
}

HttpResponse no_trace(const std::string& id) {
  return error_answer(404, "not_found", "there is no trace " + id + "; GET /v1/traces lists them");
}

}  // namespace

Api::Answer Api::get_status(Call&) {
  const LinkStatus& link = parts_.link.status();
  const Intent& intent = parts_.configuration.intent();
  json::object objects;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    objects.emplace(plural(kind), count(intent, kind));
  }
  json::object dataplane{{"state", name(link.state)},
                         {"since", time_text(link.since)},
                         {"generation", link.generation},
                         {"boot_id", std::to_string(link.boot_id)},
                         {"pid", link.pid},
                         {"release", link.release},
                         {"workers", link.worker_count},
                         {"connections", link.connections},
                         {"transactions", link.transactions},
                         {"records", link.records},
                         {"capacity", json::object{{"ports", link.limits.ports},
                                                   {"vteps", link.limits.vteps},
                                                   {"next_hops", link.limits.next_hops},
                                                   {"networks", link.limits.networks},
                                                   {"endpoints", link.limits.endpoints}}},
                         {"last_error", link.last_error}};
  if (const contract::RegionView* region = parts_.link.region()) {
    dataplane["endpoints_adopted"] = read_counter(*region, "global.endpoints_adopted");
    dataplane["table_file_bytes"] = read_counter(*region, "global.table_file_bytes");
  }
  json::object wanted{{"objects", std::move(objects)}};
  if (const auto& unconfirmed = parts_.configuration.unconfirmed()) {
    wanted["unconfirmed"] = to_json(*unconfirmed);
  }
  co_return json_answer(200,
                        {{"controlplane", json::object{{"release", WEIR_VERSION},
                                                       {"pid", ::getpid()},
                                                       {"seccomp", base::name(parts_.seccomp)}}},
                         {"dataplane", std::move(dataplane)},
                         {"intent", std::move(wanted)},
                         {"store", json::object{{"alarm", parts_.configuration.store().alarm()}}}});
}

Api::Answer Api::get_stats(Call&) {
  const contract::RegionView* region = parts_.link.region();
  if (region == nullptr) co_return no_region();
  json::object view = stats_view(*region, parts_.configuration.position_names());
  view["time"] = time_text(std::chrono::system_clock::now());
  co_return json_answer(200, std::move(view));
}

Api::Answer Api::get_drops(Call&) {
  const contract::RegionView* region = parts_.link.region();
  if (region == nullptr) co_return no_region();
  co_return json_answer(200, drops_view(*region, parts_.configuration.position_names()));
}

Api::Answer Api::get_pipelines(Call&) {
  const contract::RegionView* region = parts_.link.region();
  if (region == nullptr) co_return no_region();
  co_return json_answer(200, pipelines_view(*region));
}

Api::Answer Api::get_neighbours(Call&) {
  const contract::RegionView* region = parts_.link.region();
  if (region == nullptr) co_return no_region();
  co_return json_answer(200, neighbours_view(*region, parts_.configuration.position_names()));
}

Api::Answer Api::get_traffic_classes(Call& call) {
  const Intent& intent = parts_.configuration.intent();
  const std::string port = call.query("port");
  const std::string number = call.query("traffic_class");
  if (!port.empty() && find_port(intent, port) == nullptr) {
    co_return error_answer(no_such(intent, ObjectKind::port, port));
  }
  const bool one = number.size() == 1 && number[0] >= '0' &&
                   number[0] < static_cast<char>('0' + contract::traffic_class_count);
  if (!number.empty() && !one) {
    co_return error_answer(400, "invalid_argument", "traffic_class must be 0..7, not " + number);
  }
  json::object view = traffic_classes_view(
      parts_.link.region(), parts_.configuration.position_names(), intent, port,
      one ? std::optional(static_cast<std::uint8_t>(number[0] - '0')) : std::nullopt);
  view["time"] = time_text(std::chrono::system_clock::now());
  co_return json_answer(200, std::move(view));
}

Api::Answer Api::get_workers(Call&) {
  const contract::RegionView* region = parts_.link.region();
  if (region == nullptr) co_return no_region();
  co_return json_answer(200, workers_view(*region));
}

Api::Answer Api::get_events(Call&) {
  HttpResponse response;
  response.content_type = "application/x-ndjson";
  response.stream = parts_.events.listen();
  co_return response;
}

Api::Answer Api::get_traces(Call& call) {
  if (call.parts.empty()) co_return json_answer(200, parts_.traces.all());
  const auto id = parse_id(call.parts[0]);
  auto trace = id ? parts_.traces.get(*id) : std::nullopt;
  if (!trace) co_return no_trace(call.parts[0]);
  co_return json_answer(200, std::move(*trace));
}

Api::Answer Api::post_trace(Call& call) {
  if (!parts_.link.connected()) co_return no_region();
  const auto command = parts_.traces.add(call.request.body, parts_.configuration.allocation());
  if (!command) co_return error_answer(command.error());
  auto refused = co_await parts_.link.command(contract::Verb::trace_add, *command);
  if (refused) {
    parts_.traces.remove(command->trace);
    co_return error_answer(*refused);
  }
  const auto trace = parts_.traces.get(command->trace);
  co_return json_answer(201, trace ? json::value(*trace) : json::value(json::object{}));
}

Api::Answer Api::delete_traces(Call& call) {
  const auto id = call.parts.empty() ? std::optional<std::uint32_t>(0) : parse_id(call.parts[0]);
  if (!id || !parts_.traces.remove(*id)) co_return no_trace(call.parts[0]);
  const contract::TraceRemove command{.trace = *id};
  if (parts_.link.connected()) {
    // It may have ended by itself: what remains is the same.
    (void)co_await parts_.link.command(contract::Verb::trace_remove, command);
  }
  const std::string what = *id == 0 ? "all traces" : "trace " + std::to_string(*id);
  co_return json_answer(200, {{"message", what + " removed"}});
}

Api::Answer Api::get_schema(Call& call) {
  auto schema = schema_of(call.parts[0]);
  if (schema) co_return text_answer(200, std::move(*schema), "application/schema+json");
  std::string message = "there is no schema \"" + call.parts[0] + "\"; there are:";
  for (const std::string_view one : schema_names()) message.append(" ").append(one);
  co_return error_answer(404, "not_found", message);
}

Api::Answer Api::get_openapi(Call&) {
  co_return json_answer(200, openapi());
}

Api::Answer Api::get_metrics(Call&) {
  co_return text_answer(200, parts_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
}

Api::Answer Api::get_health(Call&) {
  co_return json_answer(200, {{"status", "ok"}, {"dataplane", name(parts_.link.status().state)}});
}

}  // namespace cp
