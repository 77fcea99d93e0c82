// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/schemas.hpp"

#include "controlplane/api/api.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/intent/schema.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>

namespace cp {

namespace json = boost::json;

namespace {

// The members that programs may rely on. Counters come from the data plane's own description and
// may grow with it, so that additional members are allowed everywhere.
struct Schema {
  std::string_view name;
  std::string_view text;
};
constexpr std::array schemas{
    Schema{"error", R"({
"type": "object", "required": ["error", "errors"],
"properties": {
  "error": {"$ref": "#/$defs/one"},
  "errors": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/one"}},
  "release": {"type": "string"}},
"$defs": {"one": {
  "type": "object", "required": ["code", "message"],
  "properties": {
    "code": {"type": "string"}, "message": {"type": "string"}, "object": {"type": "string"},
    "field": {"type": "string"}, "line": {"type": "integer", "minimum": 1},
    "column": {"type": "integer", "minimum": 1}, "suggestion": {"type": "string"}}}}})"},
    Schema{"change", R"({
"type": "object",
"required": ["status", "message", "counts", "records", "generation", "number", "owner", "others",
             "changes"],
"properties": {
  "status": {"enum": ["applied", "pending", "unchanged", "planned"]},
  "message": {"type": "string"},
  "counts": {"type": "object", "required": ["added", "changed", "removed"],
             "additionalProperties": {"type": "integer", "minimum": 0}},
  "records": {"type": "integer", "minimum": 0},
  "generation": {"type": "integer", "minimum": 0},
  "number": {"type": "integer", "minimum": 0, "description": "in history; 0: it is not there"},
  "owner": {"enum": ["file", "command"], "description": "whose change it is"},
  "others": {"type": "integer", "minimum": 0, "description": "objects that are not this owner's"},
  "unconfirmed": {"type": "object", "required": ["number", "until", "seconds_left"]},
  "text": {"type": "array", "items": {"type": "string"}},
  "changes": {"type": "array", "items": {
    "type": "object", "required": ["change", "kind", "key", "owner"],
    "properties": {"change": {"enum": ["add", "change", "remove"]},
                   "kind": {"enum": ["port", "next_hop", "vtep", "network", "endpoint",
                                     "host_rule", "queue"]},
                   "key": {"type": "string"}, "fields": {"type": "object"},
                   "owner": {"enum": ["file", "command"]},
                   "owner_before": {"enum": ["file", "command"]}}}}}})"},
    Schema{"history", R"({
"type": "object", "required": ["history", "saved"],
"properties": {
  "history": {"type": "array", "items": {
    "type": "object",
    "required": ["number", "time", "uid", "user", "pid", "what", "outcome", "generation", "counts",
                 "text", "reachable", "sound"],
    "properties": {
      "number": {"type": "integer", "minimum": 1}, "time": {"type": "string"},
      "uid": {"type": ["integer", "null"],
              "description": "null: user is a certificate, or the control plane itself"},
      "user": {"type": "string"}, "pid": {"type": "integer"}, "what": {"type": "string"},
      "outcome": {"enum": ["applied", "pending", "refused", "unfinished", "confirmed", "saved",
                           "forgotten"]},
      "reason": {"type": "string"}, "generation": {"type": "integer", "minimum": 0},
      "counts": {"type": "object", "required": ["added", "changed", "removed"]},
      "text": {"type": "array", "items": {"type": "string"}},
      "reachable": {"type": "boolean", "description": "a rollback can lead to what it left"},
      "sound": {"type": "boolean", "description": "false: an accident has met the entry"}}}},
  "unconfirmed": {"type": "object", "required": ["number", "until", "seconds_left"]},
  "saved": {"type": "array", "items": {"$ref": "#/$defs/saved"}}},
"$defs": {"saved": {
  "type": "object", "required": ["name", "number", "time", "uid", "user", "pid", "bytes"]}}})"},
    Schema{"saved", R"({
"type": "object", "required": ["saved"],
"properties": {"saved": {"type": "array", "items": {
  "type": "object", "required": ["name", "number", "time", "uid", "user", "pid", "bytes"],
  "properties": {"name": {"type": "string"},
    "number": {"type": "integer", "description": "the newest change when it was saved"}}}}}})"},
    Schema{"check", R"({
"type": "object", "required": ["status", "message", "objects"],
"properties": {"status": {"const": "good"}, "message": {"type": "string"},
  "objects": {"type": "object", "additionalProperties": {"type": "integer"}}}})"},
    Schema{"message", R"({
"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}})"},
    Schema{"keys", R"({
"type": "object", "required": ["keys"],
"properties": {"keys": {"type": "array", "items": {"type": "string"}}}})"},
    Schema{"status", R"({
"type": "object", "required": ["controlplane", "dataplane", "intent", "store"],
"properties": {
  "controlplane": {"type": "object", "required": ["release", "pid", "seccomp"],
    "properties": {"seccomp": {"enum": ["off", "log", "kill"]}}},
  "dataplane": {"type": "object", "required": ["state", "since", "generation", "last_error"],
    "properties": {
      "state": {"enum": ["disconnected", "programming", "waiting", "refused", "in_sync"]},
      "since": {"type": "string"}, "generation": {"type": "integer"},
      "workers": {"type": "integer"}, "capacity": {"type": "object"},
      "endpoints_adopted": {"type": "integer"}, "table_file_bytes": {"type": "integer"},
      "last_error": {"type": "string"}}},
  "intent": {"type": "object", "required": ["objects"], "properties": {
    "unconfirmed": {"type": "object", "required": ["number", "until", "seconds_left"]}}},
  "store": {"type": "object", "required": ["alarm"],
    "properties": {"alarm": {"type": "string"}}}}})"},
    Schema{"stats", R"({
"type": "object",
"required": ["time", "dataplane", "totals", "drops", "ports", "networks", "vteps", "next_hops",
             "tables"],
"properties": {
  "time": {"type": "string"},
  "dataplane": {"type": "object", "required": ["generation", "uptime_seconds", "workers"]},
  "totals": {"type": "object",
    "required": ["rx", "created", "tx", "dropped", "consumed", "held", "mismatch"],
    "additionalProperties": {"type": "integer"}},
  "drops": {"$ref": "#/$defs/counts"},
  "ports": {"type": "array", "items": {"type": "object",
    "required": ["name", "rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_kinds"],
    "properties": {"rx_kinds": {"$ref": "#/$defs/matrix"},
                   "device_drops": {"$ref": "#/$defs/counts"}}}},
  "networks": {"type": "array", "items": {"type": "object",
    "required": ["name", "encap_packets", "decap_packets", "ecn_encap", "ecn_decap"],
    "properties": {"ecn_encap": {"$ref": "#/$defs/counts"},
                   "ecn_decap": {"$ref": "#/$defs/matrix"}}}},
  "vteps": {"type": "array", "items": {"type": "object",
    "required": ["name", "encap_packets", "decap_packets"]}},
  "next_hops": {"type": "array", "items": {"type": "object",
    "required": ["name", "usable", "resolved", "link_up", "changes", "mac"]}},
  "tables": {"type": "object", "additionalProperties": {
    "type": "object", "required": ["used", "capacity"],
    "additionalProperties": {"type": "integer"}}}},
"$defs": {
  "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
  "matrix": {"type": "object", "additionalProperties": {"$ref": "#/$defs/counts"}}}})"},
    Schema{"drops", R"({
"type": "object", "required": ["drops"],
"properties": {"drops": {"type": "array", "items": {
  "type": "object", "required": ["reason", "help", "packets", "stages", "ports"],
  "properties": {"reason": {"type": "string"}, "help": {"type": "string"},
    "packets": {"type": "integer"},
    "stages": {"type": "object", "additionalProperties": {"type": "integer"}},
    "ports": {"type": "object", "additionalProperties": {"type": "integer"}}}}}}})"},
    Schema{"pipelines", R"({
"type": "object", "required": ["pipelines"],
"properties": {"pipelines": {"type": "array", "items": {
  "type": "object", "required": ["name", "stages"],
  "properties": {"name": {"type": "string"}, "stages": {"type": "array", "items": {
    "type": "object", "required": ["name", "packets", "drops", "cycles_per_packet"],
    "properties": {"name": {"type": "string"}, "packets": {"type": "integer"},
      "cycles_per_packet": {"type": "number"}, "drops": {"type": "object"}}}}}}}}})"},
    Schema{"workers", R"({
"type": "object", "required": ["workers"],
"properties": {"workers": {"type": "array", "items": {
  "type": "object", "required": ["worker", "rx", "tx", "dropped", "held", "mismatch"],
  "properties": {"mismatch": {"type": ["integer", "null"]},
                 "core": {"type": ["integer", "null"]}, "socket": {"type": ["integer", "null"]},
                 "ports": {"type": "array", "items": {
                   "type": "object", "required": ["port", "socket"],
                   "properties": {"port": {"type": "string"},
                                  "socket": {"type": ["integer", "null"]}}}},
                 "warnings": {"type": "array", "items": {"type": "string"}},
                 "busy_ratio": {"type": "number"}, "gap_p99_99": {"type": "string"},
                 "turns_by_gap": {"type": "object"}}}}}})"},
    Schema{"neighbours", R"({
"type": "object", "required": ["neighbours"],
"properties": {"neighbours": {"type": "array", "items": {
  "type": "object", "required": ["port", "address", "own", "mac", "state", "usable", "since",
                                 "moves", "losses", "conflicts", "duplicates"],
  "properties": {"port": {"type": "string"}, "address": {"type": "string"},
    "own": {"type": "boolean"}, "usable": {"type": "boolean"}, "mac": {"type": "string"},
    "state": {"enum": ["incomplete", "reachable", "probed", "tentative", "usable", "duplicate"]},
    "since": {"type": "string"}, "moves": {"type": "integer"}, "losses": {"type": "integer"},
    "conflicts": {"type": "integer"}, "duplicates": {"type": "integer"}}}}}})"},
    Schema{"traffic_classes", R"({
"type": "object", "required": ["traffic_classes"],
"properties": {"time": {"type": "string"}, "traffic_classes": {"type": "array", "items": {
  "type": "object",
  "required": ["name", "port", "traffic_class", "configured", "strict", "home_worker",
               "port_rate", "rate", "burst", "buffer", "dscp", "carries", "kmin", "kmax", "pmax",
               "mark", "not_ect", "mark_control"],
  "dependentRequired": {"tx_packets": [
    "tx_bytes", "waited_packets", "marked_packets", "marked_bytes", "marked_before_packets",
    "not_ect_packets", "exempt_packets", "marker_dropped_packets", "mark_probability_ppm",
    "full_dropped_packets", "late_ns", "depth_bytes", "depth_packets", "depth_bytes_max",
    "depth_packets_at"]},
  "properties": {
    "name": {"type": "string"}, "port": {"type": "string"},
    "traffic_class": {"type": "integer", "minimum": 0, "maximum": 7},
    "configured": {"type": "boolean"}, "strict": {"type": "boolean"},
    "home_worker": {"type": ["integer", "null"], "description": "null: no data plane is connected"},
    "tx_packets": {"type": "integer", "minimum": 0},
    "marked_packets": {"type": "integer", "minimum": 0},
    "mark_probability_ppm": {"type": "integer", "minimum": 0,
      "description": "sum over packets; a millionth of it: how many were to be expected"},
    "depth_bytes": {"type": "integer", "minimum": 0},
    "port_rate": {"type": "integer", "description": "bits a second; 0: no rate"},
    "rate": {"type": "integer", "description": "bits a second; 0: no rate of its own"},
    "burst": {"type": "integer"}, "buffer": {"type": "integer"},
    "dscp": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 63}},
    "carries": {"type": "array", "items": {"enum": ["data", "ack", "cnp", "cm"]}},
    "kmin": {"type": ["integer", "null"], "description": "bytes; null: no marker"},
    "kmax": {"type": ["integer", "null"]},
    "pmax": {"type": ["number", "null"], "description": "percent"},
    "mark": {"enum": ["outer", "inner", "both", null]},
    "not_ect": {"enum": ["drop", "pass", null]}, "mark_control": {"type": ["boolean", "null"]},
    "depth_packets_at": {"type": "object",
      "description": "packets that left, by what waited then: less than the member is called",
      "additionalProperties": {"type": "integer"}}}}}}})"},
    Schema{"queue_watch", R"({
"type": "object", "required": ["time", "seconds", "traffic_classes"],
"properties": {"time": {"type": "string"}, "seconds": {"type": "number", "exclusiveMinimum": 0},
  "traffic_classes": {"type": "array", "items": {
    "type": "object",
    "required": ["name", "depth_bytes", "depth_bytes_max", "kmin", "kmax", "tx_packets_per_s",
                 "tx_bits_per_s", "marked_per_s", "not_ect_per_s", "dropped_per_s"],
    "properties": {"name": {"type": "string"}, "depth_bytes": {"type": "integer"},
      "depth_bytes_max": {"type": "integer"}, "kmin": {"type": ["integer", "null"]},
      "kmax": {"type": ["integer", "null"]}, "tx_packets_per_s": {"type": "number"},
      "tx_bits_per_s": {"type": "number"}, "marked_per_s": {"type": "number"},
      "not_ect_per_s": {"type": "number"}, "dropped_per_s": {"type": "number"}}}}}})"},
    Schema{"event", R"({
"type": "object", "required": ["event"],
"properties": {"time": {"type": "string"}, "event": {"type": "string"}}})"},
    Schema{"trace", R"({
"type": "object", "required": ["id", "count", "remaining", "active", "filter", "packets"],
"properties": {
  "id": {"type": "integer"}, "count": {"type": "integer"}, "remaining": {"type": "integer"},
  "active": {"type": "boolean"}, "filter": {"type": "object"},
  "packets": {"type": "array", "items": {
    "type": "object", "required": ["in_port", "worker", "hops", "ending", "bytes_in", "bytes_out"],
    "properties": {"hops": {"type": "array", "items": {
      "type": "object", "required": ["stage", "kind", "ecn"],
      "properties": {
        "network": {"type": "string"},
        "endpoint": {"type": "string", "description": "the MAC that was found in that network"},
        "vtep": {"type": "string", "description": "where it goes or, out of a tunnel, came from"},
        "out_port": {"type": "string"}, "reason": {"type": "string"}}}}}}}}})"},
    Schema{"traces", R"({
"type": "object", "required": ["traces"],
"properties": {"traces": {"type": "array", "items": {"type": "object",
  "required": ["id", "count", "remaining", "packets"]}}}})"},
};

constexpr std::string_view dialect = "https://json-schema.org/draft/2020-12/schema";

json::object operation_of(const Api::Route& route) {
  json::object answer{{"description", route.summary}};
  if (!route.schema.empty()) {
    const std::string reference = "/v1/schema/" + std::string(route.schema);
    answer["content"] = json::object{
        {"application/json", json::object{{"schema", json::object{{"$ref", reference}}}}}};
  }
  json::object wrong{
      {"description", "Refused; nothing was changed."},
      {"content",
       json::object{{"application/json",
                     json::object{{"schema", json::object{{"$ref", "/v1/schema/error"}}}}}}}};
  json::object responses{{"200", std::move(answer)}};
  if (route.needs == Right::change) {
    json::object not_permitted = wrong;
    not_permitted["description"] = "Refused: the client may only read.";
    responses["403"] = std::move(not_permitted);
  }
  responses["default"] = std::move(wrong);
  json::object operation{{"summary", route.summary}, {"responses", std::move(responses)}};
  json::array parameters;
  std::string_view rest = route.pattern;
  for (std::size_t open = rest.find('{'); open != rest.npos; open = rest.find('{')) {
    const std::size_t close = rest.find('}');
    parameters.push_back({{"name", rest.substr(open + 1, close - open - 1)},
                          {"in", "path"},
                          {"required", true},
                          {"schema", json::object{{"type", "string"}}}});
    rest.remove_prefix(close + 1);
  }
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  return operation;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

std::optional<std::string> schema_of(std::string_view name) {
  if (name == "intent") return intent_schema();
  if (name == "object") return shown_object_schema();
  if (name == "objects") return shown_objects_schema();
  if (const auto kind = parse_kind(name); kind && singular(*kind) == name) {
    return object_schema(*kind);
  }
  for (const Schema& schema : schemas) {
    if (schema.name != name) continue;
    // The texts above leave out what all of them share.
    return "{\"$schema\": \"" + std::string(dialect) + "\"," + std::string(schema.text.substr(1));
  }
  return std::nullopt;
}

std::vector<std::string_view> schema_names() {
  std::vector<std::string_view> names{"intent",   "port",      "next_hop", "vtep",   "network",
                                      "endpoint", "host_rule", "queue",    "object", "objects"};
  for (const Schema& schema : schemas) names.push_back(schema.name);
  return names;
}

json::object openapi() {
  json::object paths;
  for (const Api::Route& route : Api::routes()) {
    json::value& path = paths[route.pattern];
    if (!path.is_object()) path = json::object();
    path.get_object().emplace(lower(route.method), operation_of(route));
  }
  return {{"openapi", "3.1.0"},
          {"info", json::object{{"title", "Weir control plane"}, {"version", WEIR_VERSION}}},
          {"paths", std::move(paths)}};
}

}  // namespace cp
