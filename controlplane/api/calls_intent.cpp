// SPDX-License-Identifier: Apache-2.0
// Routes that read and change what is wanted.
#include "controlplane/api/answer.hpp"
#include "controlplane/api/api.hpp"
#include "controlplane/api/change_answer.hpp"
#include "controlplane/api/duration.hpp"
#include "controlplane/api/operations.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/plan/owners.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace cp {

namespace json = boost::json;

namespace {

Syntax syntax_of(const HttpRequest& request) {
  if (request.content_type.find("yaml") != std::string::npos) return Syntax::yaml;
  if (request.content_type.find("json") != std::string::npos) return Syntax::json;
  return guess_syntax(request.body);
}

// A word of the client's for history: printable, and no longer than a path.
std::string note_of(const HttpRequest& request) {
  constexpr std::size_t bytes_max = 200;
  const auto at = request.query.find("note");
  if (at == request.query.end() || at->second.empty()) return {};
  std::string note = " " + at->second.substr(0, bytes_max);
  for (char& c : note) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return note;
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

// ?state=running: what the data plane has. It tells the sum of its tables, not their rows: they are
// known where the sum is that of what is stored, and where it has nothing.
Api::Answer Api::get_intent(Call& call) {
  const std::string state = call.query("state");
  if (!state.empty() && state != "running" && state != "stored") {
    Error error;
    error.field = "state";
    error.message = "must be running or stored";
    error.suggestion = nearest(state, {"running", "stored"});
    co_return error_answer(error);
  }
  const Link& link = parts_.link;
  if (state == "running" && !link.connected()) {
    co_return error_answer(503, "closed", "no data plane is connected; `weir status` says why");
  }
  if (state == "running" && !link.in_sync() && link.status().generation != 0) {
    co_return error_answer(409, "wrong_state",
                           "the data plane has something else than what is stored, and does not "
                           "tell what; `weir status` says why");
  }
  const bool is_empty = state == "running" && !link.in_sync();
  const Intent nothing;
  const Intent& intent = is_empty ? nothing : parts_.configuration.intent();
  const auto format = call.request.query.find("format");
  if (format != call.request.query.end() && format->second == "yaml") {
    co_return text_answer(200, to_yaml(intent), "application/yaml");
  }
  co_return text_answer(200, to_json(intent));
}

Api::Answer Api::change(const Call& call, std::string what, std::function<Status(Intent&)> edit) {
  ChangeRequest request{.edit = std::move(edit), .what = std::move(what), .who = {}};
  co_return co_await change(call, std::move(request));
}

// What every change may be told: only to plan, and to be undone unless it is confirmed.
Api::Answer Api::change(const Call& call, ChangeRequest request) {
  request.who = call.request.peer;
  request.dry_run = call.asks("dry_run");
  if (call.request.query.contains("confirm_within")) {
    const auto within = parse_duration(call.query("confirm_within"), "confirm_within");
    if (!within) co_return error_answer(within.error());
    request.confirm_within = *within;
  }
  co_return answer_of(co_await parts_.configuration.change(std::move(request)));
}

Result<Intent> Api::read_body(Call& call) const {
  const ReadOptions options{.limits = parts_.configuration.limits()};
  auto intent = read_intent(call.request.body, syntax_of(call.request), options);
  std::string().swap(call.request.body);  // Of a million endpoints as large as all the rest.
  return intent;
}

// The body in the place of what the file owns.
Api::Answer Api::apply(Call& call, bool dry_run) {
  auto intent = read_body(call);
  if (!intent) co_return error_answer(intent.error());
  co_return co_await apply(call, std::move(*intent), dry_run);
}

Api::Answer Api::apply(Call& call, Intent intent, bool dry_run) {
  if (dry_run) call.request.query["dry_run"] = "true";
  const TakeOver take_over = call.asks("takeover") ? TakeOver::yes : TakeOver::no;
  ChangeRequest request{.edit = [&](Intent& current) -> Status {
                          auto whole = with_whole(current, intent, Owner::file, take_over);
                          if (!whole) return std::unexpected(whole.error());
                          current = std::move(*whole);
                          return {};
                        },
                        .what = "apply" + note_of(call.request),
                        .who = {},
                        .source = Owner::file,
                        .edits_owners = true,
                        .judged = intent};
  co_return co_await change(call, std::move(request));
}

Api::Answer Api::put_intent(Call& call) {
  co_return co_await apply(call, call.asks("dry_run"));
}

Api::Answer Api::diff_intent(Call& call) {
  co_return co_await apply(call, true);
}

// As a dry run sees it, so that what belongs to others counts too.
Api::Answer Api::check_intent(Call& call) {
  const auto intent = read_body(call);
  if (!intent) co_return error_answer(intent.error());
  HttpResponse planned = co_await apply(call, *intent, true);
  if (planned.status != 200) co_return planned;
  json::object objects;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    objects.emplace(plural(kind), count(*intent, kind));
  }
  co_return json_answer(200, {{"status", "good"},
                              {"message", "good: this could be applied"},
                              {"objects", std::move(objects)}});
}

Api::Answer Api::batch(Call& call) {
  auto operations = parse_operations(call.request.body);
  if (!operations) co_return error_answer(operations.error());
  co_return co_await change(call, summary_of(*operations),
                            [&](Intent& intent) { return perform(intent, *operations); });
}

Api::Answer Api::get_objects(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  const Intent& intent = parts_.configuration.intent();
  const contract::RegionView* region = parts_.link.region();
  const auto network = call.request.query.find("network");
  const bool filters = kind == ObjectKind::endpoint && network != call.request.query.end();
  const bool with_state = call.asks("state") && region != nullptr && !dimension_of(kind).empty();
  const Shown shown = call.asks("state") ? Shown::with_owner : Shown::no;
  if (filters && !find(intent, ObjectKind::network, network->second)) {
    co_return error_answer(no_such(intent, ObjectKind::network, network->second));
  }
  if (!filters && !with_state) {
    co_return text_answer(
        200, "{\"" + std::string(plural(kind)) + "\":" + to_json(intent, kind, shown) + "}");
  }
  boost::system::error_code ours;  // Made by to_json(): it parses.
  json::value list = json::parse(to_json(intent, kind, shown), ours);
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
  if (!call.asks("state")) co_return text_answer(200, to_json(*object) + "\n");
  const contract::RegionView* region = parts_.link.region();
  if (region == nullptr) co_return text_answer(200, to_json_shown(*object) + "\n");
  boost::system::error_code ours;  // Made by to_json_shown(): it parses.
  json::array list{json::parse(to_json_shown(*object), ours)};
  add_states(list, *region, parts_.configuration.position_names(), dimension_of(kind));
  co_return json_answer(200, list[0]);
}

Api::Answer Api::post_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  auto object = read_object(kind, call.request.body, syntax_of(call.request));
  if (!object) co_return error_answer(object.error());
  co_return co_await change(call, "add " + title_of(*object),
                            [&](Intent& intent) { return add(intent, *object); });
}

Api::Answer Api::put_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  ReadOptions options;
  options.key = key_of_path(call.parts);
  auto object = read_object(kind, call.request.body, syntax_of(call.request), options);
  if (!object) co_return error_answer(object.error());
  co_return co_await change(call, "put " + title_of(*object), [&](Intent& intent) -> Status {
    put(intent, *object);
    return {};
  });
}

Api::Answer Api::delete_object(Call& call) {
  const ObjectKind kind = kind_of_path(call.parts);
  const std::string key = key_of_path(call.parts);
  co_return co_await change(call, "delete " + title_of(kind, key),
                            [&](Intent& intent) { return remove(intent, kind, key); });
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
