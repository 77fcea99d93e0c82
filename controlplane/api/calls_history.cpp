// SPDX-License-Identifier: Apache-2.0
// Routes about changes: patches, confirmations, the way back, who did what.
#include "controlplane/api/answer.hpp"
#include "controlplane/api/api.hpp"
#include "controlplane/api/change_answer.hpp"
#include "controlplane/api/patch.hpp"
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>

namespace cp {

namespace json = boost::json;
using base::Errc;

namespace {

constexpr std::size_t entries_shown = 50;
constexpr std::size_t entries_shown_max = 1000;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto read = std::from_chars(begin, end, number);
  if (text.empty() || read.ec != std::errc() || read.ptr != end || number > INT64_MAX) {
    return std::nullopt;
  }
  return number;
}

std::unexpected<Errors> refuse(std::string field, std::string message,
                               Errc code = Errc::invalid_argument) {
  Error error;
  error.code = code;
  error.field = std::move(field);
  error.message = std::move(message);
  return fail(std::move(error));
}

// A name of a state is none of a change, so that a rollback knows which is meant.
Result<std::string> state_name(const std::string& text) {
  if (!Name::make(text)) {
    return refuse("name", "must be 1 to 31 letters, digits, dots, dashes and underscores");
  }
  if (parse_number(text)) return refuse("name", "must not be a number: changes have numbers");
  return text;
}

std::string time_text(std::int64_t time_ms) {
  return cp::time_text(std::chrono::system_clock::time_point(std::chrono::milliseconds(time_ms)));
}

void add_author(json::object& document, const Author& who) {
  document["uid"] = who.uid < 0 ? json::value() : json::value(who.uid);
  document["user"] = who.user;
  document["pid"] = who.pid;
}

json::object to_json(const HistoryEntry& entry) {
  json::array lines;
  std::string_view rest = entry.changes;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    lines.emplace_back(line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  json::object document{{"number", entry.number}, {"time", time_text(entry.time_ms)}};
  add_author(document, entry.who);
  document["what"] = entry.what;
  document["outcome"] = name(entry.outcome);
  if (!entry.reason.empty()) document["reason"] = entry.reason;
  document["generation"] = entry.generation;
  document["counts"] = json::object{{"added", entry.counts.added},
                                    {"changed", entry.counts.changed},
                                    {"removed", entry.counts.removed}};
  document["text"] = std::move(lines);
  document["reachable"] = entry.reachable;
  document["sound"] = entry.sound;
  return document;
}

json::object to_json(const SavedState& state) {
  json::object document{
      {"name", state.name}, {"number", state.number}, {"time", time_text(state.time_ms)}};
  add_author(document, state.who);
  document["bytes"] = state.bytes;
  return document;
}

Result<json::array> saved_document(Database& database) {
  const auto states = list_saved_states(database);
  if (!states) return std::unexpected(states.error());
  json::array list;
  for (const SavedState& state : *states) list.emplace_back(to_json(state));
  return list;
}

HttpResponse done(std::string_view message) {
  return json_answer(200, {{"message", message}});
}

// The patched intent; what is wrong with it names the object, as there is no file with lines.
Status patch(Intent& intent, std::string_view body) {
  boost::system::error_code ours;  // Made by to_json(): it parses.
  auto patched = apply_patch(json::parse(to_json(intent), ours), body);
  if (!patched) return std::unexpected(patched.error());
  auto next = read_intent(json::serialize(*patched), Syntax::json,
                          {.limits = limits_unknown, .whole = false});
  if (!next) {
    for (Error& error : next.error()) error.place = {};
    return std::unexpected(next.error());
  }
  intent = std::move(*next);
  return {};
}

}  // namespace

Api::Answer Api::patch_intent(Call& call) {
  co_return co_await change(call, "patch",
                            [&](Intent& intent) { return patch(intent, call.request.body); });
}

Api::Answer Api::confirm(Call& call) {
  const auto number = co_await parts_.configuration.confirm(call.request.peer);
  if (!number) co_return error_answer(number.error());
  co_return done("change " + std::to_string(*number) + " stays");
}

// ?to= a change's number: the state that it left; a saved state's name; nothing: undo the last one.
Api::Answer Api::rollback(Call& call) {
  Database& database = parts_.configuration.store().database();
  const std::string to = call.query("to");
  if (to.empty() && call.request.query.contains("to")) {
    co_return error_answer(refuse("to", "must be a change's number or a saved state").error());
  }
  const auto newest = newest_change(database);
  if (!newest) co_return error_answer(newest.error());
  if (to.empty() && *newest == 0) {
    co_return error_answer(
        refuse("", "nothing has changed yet; `weir history` is empty", Errc::not_found).error());
  }
  const auto number = to.empty() ? std::optional(*newest - 1) : parse_number(to);
  const std::string what =
      to.empty() ? "rollback of change " + std::to_string(*newest) : "rollback to " + to;
  const auto edit = [&](Intent& intent) -> Status {
    const auto now = newest_change(database);
    if (!now || (to.empty() && *now != *newest)) {
      return refuse("to", "another change came in between; look at it first", Errc::wrong_state);
    }
    const auto& unconfirmed = parts_.configuration.unconfirmed();
    if (number && unconfirmed && *number >= unconfirmed->number) {
      return refuse("to", "that change waits for its confirmation: `weir confirm` keeps it",
                    Errc::wrong_state);
    }
    auto state = number ? undo_history(database, intent, *number) : read_saved_state(database, to);
    if (!state) return std::unexpected(state.error());
    intent = std::move(*state);
    return {};
  };
  ChangeRequest request{
      .edit = edit, .what = what, .who = {}, .edits_owners = true, .goes_back = true};
  co_return co_await change(call, std::move(request));
}

// ?limit= entries, the newest first, before change ?before=.
Api::Answer Api::get_history(Call& call) {
  const std::string limit = call.query("limit");
  const std::string before = call.query("before");
  const auto most = limit.empty() ? entries_shown : parse_number(limit);
  const auto last = before.empty() ? 0 : parse_number(before);
  if (!most || *most == 0 || *most > entries_shown_max) {
    co_return error_answer(refuse("limit", "must be 1..1000").error());
  }
  if (!last) co_return error_answer(refuse("before", "must be the number of a change").error());
  Database& database = parts_.configuration.store().database();
  const auto entries = read_history(database, *most, *last);
  if (!entries) co_return error_answer(entries.error());
  auto saved = saved_document(database);
  if (!saved) co_return error_answer(saved.error());
  json::array list;
  for (const HistoryEntry& entry : *entries) list.emplace_back(to_json(entry));
  json::object document{{"history", std::move(list)}, {"saved", std::move(*saved)}};
  if (const auto& unconfirmed = parts_.configuration.unconfirmed()) {
    document["unconfirmed"] = cp::to_json(*unconfirmed);
  }
  co_return json_answer(200, std::move(document));
}

Api::Answer Api::get_saved(Call&) {
  auto saved = saved_document(parts_.configuration.store().database());
  if (!saved) co_return error_answer(saved.error());
  co_return json_answer(200, {{"saved", std::move(*saved)}});
}

Api::Answer Api::put_saved(Call& call) {
  const auto name = state_name(call.parts[0]);
  if (!name) co_return error_answer(name.error());
  const Status saved = co_await parts_.configuration.save_state(*name, call.request.peer);
  if (!saved) co_return error_answer(saved.error());
  co_return done("saved as " + *name + "; `weir rollback " + *name + "` leads back here");
}

Api::Answer Api::delete_saved(Call& call) {
  const Status gone = co_await parts_.configuration.forget_state(call.parts[0], call.request.peer);
  if (!gone) co_return error_answer(gone.error());
  co_return done("the saved state " + call.parts[0] + " is gone");
}

}  // namespace cp
