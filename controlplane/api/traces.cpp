// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/traces.hpp"

#include "controlplane/api/answer.hpp"
#include "controlplane/intent/value.hpp"
#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/contract/packet_kind.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

namespace cp {

namespace json = boost::json;
using contract::TraceAdd;
using contract::TraceField;

namespace {

Error refuse(std::string field, std::string message, std::string suggestion = {}) {
  Error error;
  error.object = "trace";
  error.field = std::move(field);
  error.message = std::move(message);
  error.suggestion = std::move(suggestion);
  return error;
}

constexpr std::array<std::pair<std::string_view, TraceField>, 11> field_names{{
    {"port", TraceField::port},
    {"network", TraceField::network},
    {"source_mac", TraceField::source_mac},
    {"destination_mac", TraceField::destination_mac},
    {"source_ip", TraceField::source_ip},
    {"destination_ip", TraceField::destination_ip},
    {"destination_qp", TraceField::destination_qp},
    {"kind", TraceField::kind},
    {"ecn", TraceField::ecn},
    {"reason", TraceField::reason},
    {"dropped", TraceField::dropped},
}};

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

// The position of `word` among `names`.
template <class Names>
std::expected<std::uint8_t, Error> position(std::string_view field, const std::string& word,
                                            const Names& names) {
  const std::vector<std::string_view> list(names.begin(), names.end());
  const auto at = std::find(list.begin(), list.end(), word);
  if (at == list.end()) {
    std::string message = "there is no such " + std::string(field) + " " + shown(word);
    std::string suggestion = nearest(word, list);
    if (suggestion.empty()) {
      message += "; there are:";
      for (const std::string_view name : list) message.append(" ").append(name);
    }
    return std::unexpected(refuse(std::string(field), std::move(message), std::move(suggestion)));
  }
  return static_cast<std::uint8_t>(at - list.begin());
}

std::vector<std::string_view> reason_names() {
  std::vector<std::string_view> names;
  for (const contract::DropReasonText& reason : contract::drop_reasons)
    names.push_back(reason.name);
  return names;
}

std::optional<Error> set_mac(base::MacAddress& out, std::string_view field,
                             const std::string& text) {
  const auto mac = base::parse_mac(text);
  if (!mac) return refuse(std::string(field), "must be a MAC address like 02:00:00:00:0a:01");
  out = *mac;
  return std::nullopt;
}

std::optional<Error> set_ip(base::IpAddress& out, std::string_view field, const std::string& text) {
  const auto ip = base::parse_ip(text);
  if (!ip) return refuse(std::string(field), "must be an IPv4 or IPv6 address");
  out = *ip;
  return std::nullopt;
}

template <class Names>
std::optional<Error> set_choice(std::uint8_t& out, std::string_view field, const std::string& text,
                                const Names& names) {
  auto chosen = position(field, text, names);
  if (!chosen) return std::move(chosen.error());
  out = *chosen;
  return std::nullopt;
}

std::optional<Error> set_port(TraceAdd& command, const std::string& name, const Allocation& names) {
  command.port = names.port(name);
  if (command.port != base::no_port) return std::nullopt;
  return refuse("port", "there is no port \"" + name + "\"");
}

std::optional<Error> set_network(TraceAdd& command, const std::string& name,
                                 const Allocation& names) {
  command.network = names.network(name);
  if (command.network != base::no_network) return std::nullopt;
  return refuse("network", "there is no network \"" + name + "\"");
}

std::optional<Error> set_qp(TraceAdd& command, const json::value& value) {
  boost::system::error_code wrong;
  const auto number = value.to_number<std::uint64_t>(wrong);
  if (wrong || number > 0xff'ffff)
    return refuse("destination_qp", "must be a number of 0..16777215");
  command.destination_qp = static_cast<std::uint32_t>(number);
  return std::nullopt;
}

std::optional<Error> set_field(TraceAdd& command, TraceField field, const json::value& value,
                               const Allocation& names) {
  const std::string text = text_of(value);
  switch (field) {
    case TraceField::port: return set_port(command, text, names);
    case TraceField::network: return set_network(command, text, names);
    case TraceField::source_mac: return set_mac(command.source_mac, "source_mac", text);
    case TraceField::destination_mac:
      return set_mac(command.destination_mac, "destination_mac", text);
    case TraceField::source_ip: return set_ip(command.source_ip, "source_ip", text);
    case TraceField::destination_ip: return set_ip(command.destination_ip, "destination_ip", text);
    case TraceField::destination_qp: return set_qp(command, value);
    case TraceField::kind:
      return set_choice(command.kind, "kind", text, contract::packet_kind_names);
    case TraceField::ecn: return set_choice(command.ecn, "ecn", text, contract::ecn_names);
    case TraceField::reason: return set_choice(command.reason, "reason", text, reason_names());
    case TraceField::dropped: return std::nullopt;
  }
  return refuse("", "unknown field");
}

std::optional<Error> set_filter(TraceAdd& command, const json::object& filter,
                                const Allocation& names) {
  for (const auto& [key, value] : filter) {
    const auto at = std::find_if(field_names.begin(), field_names.end(),
                                 [&](const auto& pair) { return pair.first == key; });
    if (at == field_names.end()) {
      std::vector<std::string_view> words;
      for (const auto& pair : field_names) words.push_back(pair.first);
      return refuse(std::string(key), "traces have no such field", nearest(key, words));
    }
    if (value.is_bool() && !value.get_bool()) continue;  // "dropped": false is no wish.
    if (auto error = set_field(command, at->second, value, names)) return error;
    command.fields = static_cast<std::uint16_t>(command.fields | static_cast<unsigned>(at->second));
  }
  return std::nullopt;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

std::string stage_name(const contract::RegionView* region, std::uint16_t stage) {
  const contract::Field* field = region == nullptr ? nullptr : region->find("stage.packets");
  std::string name;
  if (field != nullptr && field->dimension_count > 1) {
    name = region->label(field->dimensions[1].label_list, stage);
  }
  return name.empty() ? "stage " + std::to_string(stage) : name;
}

json::object describe_hop(const contract::TraceHop& hop, const base::MacAddress& destination,
                          const Allocation& names, const contract::RegionView* region) {
  json::object object{{"stage", stage_name(region, hop.stage)},
                      {"kind", contract::name(static_cast<contract::PacketKind>(hop.kind))},
                      {"ecn", contract::name(static_cast<contract::Ecn>(hop.ecn))}};
  if (hop.network != base::no_network)
    object["network"] = names.networks.name_of(hop.network.value);
  if (hop.endpoint_matched != 0) object["endpoint"] = to_string(destination);
  if (hop.vtep != base::no_vtep) object["vtep"] = names.vteps.name_of(hop.vtep.value);
  if (hop.out_port != base::no_port) object["out_port"] = names.ports.name_of(hop.out_port.value);
  if (hop.destination_qp != 0) object["destination_qp"] = hop.destination_qp;
  const auto reason = static_cast<contract::DropReason>(hop.reason);
  if (reason != contract::DropReason::none) object["reason"] = contract::name(reason);
  return object;
}

std::string ending_of(const contract::TracePacket& packet, const Allocation& names) {
  const std::size_t hops = std::min<std::size_t>(packet.hop_count, contract::trace_hops_max);
  if (hops == 0) return "no stage saw it";
  const contract::TraceHop& last = packet.hops[hops - 1];
  const auto reason = static_cast<contract::DropReason>(last.reason);
  if (reason != contract::DropReason::none) {
    std::string text = "dropped: " + std::string(contract::name(reason));
    if (last.reason < contract::drop_reason_count) {
      text.append(" (").append(contract::drop_reasons[last.reason].help).append(")");
    }
    return text;
  }
  if (packet.bytes_out == 0) return "punted to the housekeeper";
  std::string port;
  if (last.out_port != base::no_port) port = names.ports.name_of(last.out_port.value);
  const std::string bytes = " with " + std::to_string(packet.bytes_out) + " bytes";
  if (packet.queue != 0) {
    return "queued" + bytes + " in " + port + "/" + std::to_string(packet.queue - 1);
  }
  return "sent" + bytes + (port.empty() ? "" : " at port " + port);
}

std::string wall_time(std::uint64_t monotonic_ns) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto age = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) -
                   std::chrono::nanoseconds(monotonic_ns);
  return time_text(std::chrono::system_clock::now() -
                   std::chrono::duration_cast<std::chrono::system_clock::duration>(age));
}

}  // namespace

json::object describe_packet(const contract::TracePacket& packet, const Allocation& names,
                             const contract::RegionView* region) {
  json::array hops;
  const std::size_t count = std::min<std::size_t>(packet.hop_count, contract::trace_hops_max);
  for (std::size_t i = 0; i < count; ++i) {
    hops.emplace_back(describe_hop(packet.hops[i], packet.destination_mac, names, region));
  }
  const auto head = [](const auto& bytes, std::uint32_t whole) {
    return hex(std::span(bytes).first(std::min<std::size_t>(bytes.size(), whole)));
  };
  return {{"time", wall_time(packet.time_ns)},
          {"generation", packet.generation},
          {"worker", packet.worker.value},
          {"in_port", names.ports.name_of(packet.in_port.value)},
          {"replica", packet.replica},
          {"bytes_in", packet.bytes_in},
          {"bytes_out", packet.bytes_out},
          {"hops", std::move(hops)},
          {"ending", ending_of(packet, names)},
          {"head_in", head(packet.head_in, packet.bytes_in)},
          {"head_out", head(packet.head_out, packet.bytes_out)}};
}

std::expected<TraceAdd, Error> Traces::add(std::string_view body, const Allocation& allocation) {
  boost::system::error_code broken;
  const json::value document = json::parse(body, broken);
  if (broken || !document.is_object()) {
    return std::unexpected(refuse("", R"(the body must be like {"count": 10, "filter": {}})"));
  }
  TraceAdd command{};
  command.count = 10;
  json::object filter;
  for (const auto& [key, value] : document.get_object()) {
    if (key == "count") {
      boost::system::error_code wrong;
      command.count = value.to_number<std::uint32_t>(wrong);
      if (wrong || command.count < 1 || command.count > contract::trace_count_max) {
        return std::unexpected(refuse("count", "must be 1..1000"));
      }
    } else if (key == "filter" && value.is_object()) {
      filter = value.get_object();
      if (auto error = set_filter(command, filter, allocation)) return std::unexpected(*error);
    } else {
      return std::unexpected(refuse(std::string(key), "is neither a count nor a filter object",
                                    nearest(key, {"count", "filter"})));
    }
  }
  while (traces_.size() >= traces_max) traces_.erase(traces_.begin());
  command.trace = next_id_++;
  traces_.emplace(command.trace, Trace{.count = command.count,
                                       .remaining = command.count,
                                       .active = true,
                                       .filter = std::move(filter),
                                       .packets = {}});
  return command;
}

void Traces::take(const contract::TracePacket& packet, const Allocation& allocation,
                  const contract::RegionView* region) {
  const auto at = traces_.find(packet.trace);
  if (at == traces_.end()) return;  // Deleted while it was on its way.
  Trace& trace = at->second;
  trace.remaining = packet.remaining;
  trace.active = packet.remaining > 0;
  // Flooded copies come on top of the frames that were asked for.
  if (trace.packets.size() < 4 * contract::trace_count_max) {
    trace.packets.emplace_back(describe_packet(packet, allocation, region));
  }
}

void Traces::stop_all() {
  for (auto& [id, trace] : traces_) trace.active = false;
}

json::object Traces::to_json(std::uint32_t id, const Trace& trace) {
  std::string text;
  for (const auto& [key, value] : trace.filter) {
    text += (text.empty() ? "" : ", ") + std::string(key) + " " + text_of(value);
  }
  return {{"id", id},
          {"count", trace.count},
          {"remaining", trace.remaining},
          {"active", trace.active},
          {"filter", trace.filter},
          {"filter_text", text.empty() ? "any frame" : text},
          {"packets", trace.packets}};
}

json::object Traces::all() const {
  json::array list;
  for (const auto& [id, trace] : traces_) list.emplace_back(to_json(id, trace));
  return {{"traces", std::move(list)}};
}

std::optional<json::object> Traces::get(std::uint32_t id) const {
  const auto at = traces_.find(id);
  if (at == traces_.end()) return std::nullopt;
  return to_json(id, at->second);
}

bool Traces::remove(std::uint32_t id) {
  if (id != 0) return traces_.erase(id) == 1;
  traces_.clear();
  return true;
}

}  // namespace cp
