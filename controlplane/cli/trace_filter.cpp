// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/trace_filter.hpp"

#include "controlplane/intent/error.hpp"
#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/contract/packet_kind.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>
#include <memory>

namespace cp {

namespace json = boost::json;

namespace {

std::vector<std::string_view> reason_names() {
  std::vector<std::string_view> names;
  for (const contract::DropReasonText& reason : contract::drop_reasons) {
    if (reason.reason != contract::DropReason::none) names.push_back(reason.name);
  }
  return names;
}

std::vector<TraceFilterField> make_fields() {
  using contract::ecn_names;
  using contract::packet_kind_names;
  return {
      {"port", "Frames that enter at this port.", FilterValue::name, ObjectKind::port, {}},
      {"network", "Frames of this network.", FilterValue::name, ObjectKind::network, {}},
      {"source_mac", "Source MAC of the tenant's frame.", FilterValue::text, {}, {}},
      {"destination_mac", "Destination MAC of the tenant's frame.", FilterValue::text, {}, {}},
      {"source_ip", "Source address of the tenant's packet.", FilterValue::text, {}, {}},
      {"destination_ip", "Destination address of the tenant's packet.", FilterValue::text, {}, {}},
      {"destination_qp", "Destination queue pair of a RoCE packet.", FilterValue::number, {}, {}},
      {"kind",
       "What the packet is: roce_send, roce_cnp, ip, …",
       FilterValue::text,
       {},
       {packet_kind_names.begin(), packet_kind_names.end()}},
      {"ecn",
       "ECN bits as the frame entered: not_ect, ect0, ect1, ce.",
       FilterValue::text,
       {},
       {ecn_names.begin(), ecn_names.end()}},
      {"reason", "Only frames that die for this reason.", FilterValue::text, {}, reason_names()},
      {"dropped", "Only frames that die (a word without a value).", FilterValue::flag, {}, {}},
  };
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = std::to_address(text.end());
  const auto result = std::from_chars(std::to_address(text.begin()), end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

const TraceFilterField* find(std::string_view name) {
  for (const TraceFilterField& field : trace_filter_fields()) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::string unknown_field(std::string_view word) {
  std::vector<std::string_view> names;
  for (const TraceFilterField& field : trace_filter_fields()) names.push_back(field.name);
  std::string text = "no filter field is called \"" + std::string(word) + "\"";
  const std::string right = nearest(word, names);
  return right.empty() ? text : text + "; did you mean \"" + right + "\"?";
}

}  // namespace

std::span<const TraceFilterField> trace_filter_fields() {
  static const std::vector<TraceFilterField> fields = make_fields();
  return fields;
}

std::expected<std::string, std::string> trace_body(const std::vector<std::string>& words) {
  json::object filter;
  std::uint64_t count = 10;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (const auto number = parse_number(words[i]); number && i + 1 == words.size()) {
      count = *number;
      break;
    }
    const TraceFilterField* field = find(words[i]);
    if (field == nullptr) return std::unexpected(unknown_field(words[i]));
    if (field->value == FilterValue::flag) {
      filter[words[i]] = true;
      continue;
    }
    if (++i == words.size()) return std::unexpected("\"" + words[i - 1] + "\" has no value");
    if (field->value != FilterValue::number) {
      filter[field->name] = words[i];
    } else if (const auto number = parse_number(words[i])) {
      filter[field->name] = *number;
    } else {
      return std::unexpected("\"" + std::string(field->name) + "\" wants a number, not \"" +
                             words[i] + "\"");
    }
  }
  return json::serialize(json::object{{"count", count}, {"filter", std::move(filter)}});
}

}  // namespace cp
