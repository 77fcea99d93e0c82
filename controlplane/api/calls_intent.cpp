// SPDX-License-Identifier: Apache-2.0
// Routes that read and change what is wanted.
#include "controlplane/api/answer.hpp"
#include "controlplane/api/api.hpp"
#include "controlplane/api/operations.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace cp {

namespace json = boost::json;

namespace {

// More would bury the sum: all of them are in `changes`.
constexpr std::size_t changes_told_max = 1000;

Syntax syntax_of(const HttpRequest& request) {
  if (request.content_type.find("yaml") != std::string::npos) return Syntax::yaml;
  if (request.content_type.find("json") != std::string::npos) return Syntax::json;
  return guess_syntax(request.body);
}

std::string_view word(ChangeStatus status) {
  switch (status) {
    case ChangeStatus::applied: return "applied";
    case ChangeStatus::pending: return "pending";
    case ChangeStatus::unchanged: return "unchanged";
    case ChangeStatus::planned: return "planned";
  }
  return "unknown";
}

struct Counts {
  std::size_t added = 0;
  std::size_t changed = 0;
  std::size_t removed = 0;
};

Counts count_changes(const std::vector<Change>& changes) {
  Counts counts;
  for (const Change& change : changes) {
    switch (change.kind) {
      case ChangeKind::add: ++counts.added; break;
      case ChangeKind::change: ++counts.changed; break;
      case ChangeKind::remove: ++counts.removed; break;
    }
  }
  return counts;
}

std::string sentence(const ChangeReport& report, const Counts& counts) {
  std::string sum = std::to_string(counts.added) + " added, " + std::to_string(counts.changed) +
                    " changed, " + std::to_string(counts.removed) + " removed";
  switch (report.status) {
    case ChangeStatus::applied:
      return "applied: " + sum + "; generation " + std::to_string(report.generation);
    case ChangeStatus::pending:
      return "pending: " + sum + "; stored, and the data plane gets it as soon as it is connected";
    case ChangeStatus::unchanged: return "unchanged: the intent says this already";
    case ChangeStatus::planned:
      return "planned: " + sum + " with " + std::to_string(report.records) +
             " records; nothing was done";
  }
  return sum;
}

HttpResponse change_answer(const ChangeReport& report) {
  const Counts counts = count_changes(report.changes);
  json::array text;
  std::vector<Change> told(report.changes.begin(),
                           report.changes.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                        report.changes.size(), changes_told_max)));
  for (const Change& change : told) text.emplace_back(to_string(change));
  boost::system::error_code ours;  // Made by to_json(): it parses.
  json::object answer{{"status", word(report.status)},
                      {"message", sentence(report, counts)},
                      {"counts", json::object{{"added", counts.added},
                                              {"changed", counts.changed},
                                              {"removed", counts.removed}}},
                      {"records", report.records},
                      {"generation", report.generation},
                      {"text", std::move(text)},
                      {"changes", json::parse(to_json(told), ours)}};
  return json_answer(report.status == ChangeStatus::pending ? 202 : 200, std::move(answer));
}

HttpResponse answer_of(const Result<ChangeReport>& report) {
  return report ? change_answer(*report) : error_answer(report.error());
}

ObjectKind kind_of_path(const std::vector<std::string>& parts) {
  return *parse_kind(parts[0]);
}

std::string key_of_path(const std::vector<std::string>& parts) {
  return parts.size() == 3 ? parts[1] + "/" + parts[2] : parts[1];
}

// The block of the counter region that tells of objects of a kind, by dimension.
std::string_view dimension_of(ObjectKind kind) {
  const bool has_counters = kind != ObjectKind::endpoint && kind != ObjectKind::host_rule;
  return has_counters ? singular(kind) : std::string_view();
}

}  // namespace

Api::Answer Api::get_intent(Call& call) {
  const auto format = call.request.query.find("format");
  if (format != call.request.query.end() && format->second == "yaml") {
    co_return text_answer(200, to_yaml(parts_.configuration.intent()), "application/yaml");
  }
  co_return text_answer(200, to_json(parts_.configuration.intent()));
}

Api::Answer Api::put_intent(Call& call) {
  const ReadOptions options{.limits = parts_.configuration.limits()};
  auto intent = read_intent(call.request.body, syntax_of(call.request), options);
  if (!intent) co_return error_answer(intent.error());
  ChangeRequest request{.edit = [&](Intent& current) -> Status {
                          current = std::move(*intent);
                          return {};
                        },
                        .what = "apply",
                        .who = call.request.peer,
                        .dry_run = call.asks("dry_run")};
  co_return answer_of(co_await parts_.configuration.change(std::move(request)));
}

Api::Answer Api::check_intent(Call& call) {
  const ReadOptions options{.limits = parts_.configuration.limits()};
  const auto intent = read_intent(call.request.body, syntax_of(call.request), options);
  if (!intent) co_return error_answer(intent.error());
  json::object objects;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    objects.emplace(plural(kind), count(*intent, kind));
  }
  co_return json_answer(200, {{"status", "good"},
                              {"message", "good: this could be applied"},
                              {"objects", std::move(objects)}});
}

Api::Answer Api::diff_intent(Call& call) {
  call.request.query["dry_run"] = "true";
  co_return co_await put_intent(call);
}

Api::Answer Api::batch(Call& call) {
  auto operations = parse_operations(call.request.body);
  if (!operations) co_return error_answer(operations.error());
  ChangeRequest request{.edit = [&](Intent& intent) { return perform(intent, *operations); },
                        .what = "batch",
                        .who = call.request.peer,
                        .dry_run = call.asks("dry_run")};
  co_return answer_of(co_await parts_.configuration.change(std::move(request)));
}

Api::Answer Api::get_objects(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  const Intent& intent = parts_.configuration.intent();
  const contract::RegionView* region = parts_.link.region();
  const auto network = call.request.query.find("network");
  const bool filters = kind == ObjectKind::endpoint && network != call.request.query.end();
  const bool with_state = call.asks("state") && region != nullptr && !dimension_of(kind).empty();
  if (filters && !find(intent, ObjectKind::network, network->second)) {
    co_return error_answer(no_such(intent, ObjectKind::network, network->second));
  }
  if (!filters && !with_state) {
    co_return text_answer(200,
                          "{\"" + std::string(plural(kind)) + "\":" + to_json(intent, kind) + "}");
  }
  boost::system::error_code ours;  // Made by to_json(): it parses.
  json::value list = json::parse(to_json(intent, kind), ours);
  if (filters) {
    json::array kept;
    for (json::value& endpoint : list.as_array()) {
      if (endpoint.at("network").as_string() == network->second)
        kept.push_back(std::move(endpoint));
    }
    list = std::move(kept);
  }
  if (with_state) {
    add_states(list.as_array(), *region, parts_.configuration.position_names(), dimension_of(kind));
  }
  co_return json_answer(200, {{plural(kind), std::move(list)}});
}

Api::Answer Api::get_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  const std::string key = key_of_path(call.parts);
  const auto object = find(parts_.configuration.intent(), kind, key);
  if (!object) co_return error_answer(no_such(parts_.configuration.intent(), kind, key));
  const contract::RegionView* region = parts_.link.region();
  if (!call.asks("state") || region == nullptr) co_return text_answer(200, to_json(*object) + "\n");
  boost::system::error_code ours;  // Made by to_json(): it parses.
  json::array list{json::parse(to_json(*object), ours)};
  add_states(list, *region, parts_.configuration.position_names(), dimension_of(kind));
  co_return json_answer(200, list[0]);
}

Api::Answer Api::post_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  auto object = read_object(kind, call.request.body, syntax_of(call.request));
  if (!object) co_return error_answer(object.error());
  ChangeRequest request{.edit = [&](Intent& intent) { return add(intent, *object); },
                        .what = "add " + title_of(*object),
                        .who = call.request.peer,
                        .dry_run = call.asks("dry_run")};
  co_return answer_of(co_await parts_.configuration.change(std::move(request)));
}

Api::Answer Api::put_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  ReadOptions options;
  options.key = key_of_path(call.parts);
  auto object = read_object(kind, call.request.body, syntax_of(call.request), options);
  if (!object) co_return error_answer(object.error());
  ChangeRequest request{.edit = [&](Intent& intent) -> Status {
                          put(intent, *object);
                          return {};
                        },
                        .what = "put " + title_of(*object),
                        .who = call.request.peer,
                        .dry_run = call.asks("dry_run")};
  co_return answer_of(co_await parts_.configuration.change(std::move(request)));
}

Api::Answer Api::delete_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  const std::string key = key_of_path(call.parts);
  ChangeRequest request{.edit = [&](Intent& intent) { return remove(intent, kind, key); },
                        .what = "delete " + title_of(kind, key),
                        .who = call.request.peer,
                        .dry_run = call.asks("dry_run")};
  co_return answer_of(co_await parts_.configuration.change(std::move(request)));
}

Api::Answer Api::get_keys(Call& call) {
  // A completion of a million words helps nobody.
  constexpr std::size_t keys_max = 2000;
  json::array keys;
  const Intent& intent = parts_.configuration.intent();
  visit_kind(kind_of_path(call.parts), [&]<class T>(std::type_identity<T>) {
    for (const T& object : list_of<T>(intent)) {
      if (keys.size() < keys_max) keys.emplace_back(key_of(object));
    }
  });
  co_return json_answer(200, {{"keys", std::move(keys)}});
}

}  // namespace cp
