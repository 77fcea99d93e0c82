// SPDX-License-Identifier: Apache-2.0
// weir confirm, rollback, history, save.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/cli/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <charconv>
#include <optional>

namespace cp {

namespace json = boost::json;

namespace {

void print_message(const json::value& answer) {
  print(text_at(answer, "message") + "\n");
}

std::string author_of(const json::value& entry) {
  const std::string user = text_at(entry, "user");
  return user.empty() ? "uid " + std::to_string(number_at(entry, "uid")) : user;
}

// "2026-11-30T12:00:05.123Z" → "2026-11-30 12:00:05".
std::string time_of(const json::value& entry) {
  std::string time = text_at(entry, "time").substr(0, 19);
  if (time.size() > 10) time[10] = ' ';
  return time;
}

bool is_true(const json::value& entry, std::string_view member) {
  const json::value* value = find_at(entry, member);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string counts_of(const json::value& entry) {
  return "+" + with_commas(number_at(entry, "counts.added")) + " ~" +
         with_commas(number_at(entry, "counts.changed")) + " -" +
         with_commas(number_at(entry, "counts.removed"));
}

std::string outcome_of(const json::value& entry) {
  return is_true(entry, "sound") ? text_at(entry, "outcome") : "damaged";
}

std::string list_text(const json::value& answer) {
  const json::value* entries = find_at(answer, "history");
  if (entries == nullptr || !entries->is_array()) return {};
  Table table({"NUMBER>", "TIME (UTC)", "WHO", "PID>", "WHAT", "OUTCOME", "OBJECTS", "GENERATION>",
               "WAY BACK"});
  for (const json::value& entry : entries->get_array()) {
    table.add({std::to_string(number_at(entry, "number")), time_of(entry), author_of(entry),
               std::to_string(number_at(entry, "pid")), text_at(entry, "what"), outcome_of(entry),
               counts_of(entry), std::to_string(number_at(entry, "generation")),
               is_true(entry, "reachable") ? "yes" : "no"});
  }
  return table.text();
}

std::string saved_text(const json::value& answer) {
  const json::value* states = find_at(answer, "saved");
  if (states == nullptr || !states->is_array() || states->get_array().empty()) return {};
  Table table({"SAVED STATE", "TIME (UTC)", "WHO", "AFTER CHANGE>", "BYTES>"});
  for (const json::value& state : states->get_array()) {
    table.add({text_at(state, "name"), time_of(state), author_of(state),
               std::to_string(number_at(state, "number")), with_commas(number_at(state, "bytes"))});
  }
  return "\n" + table.text();
}

std::string entry_text(const json::value& entry) {
  Table table({"FIELD", "VALUE"});
  table.add({"number", std::to_string(number_at(entry, "number"))});
  table.add({"time", text_at(entry, "time")});
  table.add({"who", author_of(entry)});
  table.add({"pid", std::to_string(number_at(entry, "pid"))});
  table.add({"what", text_at(entry, "what")});
  table.add({"outcome", outcome_of(entry)});
  if (const std::string reason = text_at(entry, "reason"); !reason.empty()) {
    table.add({"reason", reason});
  }
  table.add({"generation", std::to_string(number_at(entry, "generation"))});
  table.add({"objects", counts_of(entry)});
  table.add({"way back", is_true(entry, "reachable") ? "yes" : "no"});
  std::string text = table.text();
  const std::uint64_t total = number_at(entry, "counts.added") +
                              number_at(entry, "counts.changed") +
                              number_at(entry, "counts.removed");
  const json::value* lines = find_at(entry, "text");
  std::size_t told = 0;
  if (lines != nullptr && lines->is_array()) {
    for (const json::value& line : lines->get_array()) text += std::string(line.as_string()) + "\n";
    told = lines->get_array().size();
  }
  if (total > told) text += "… and " + with_commas(total - told) + " more\n";
  return text;
}

std::optional<std::uint64_t> parse_number(const std::string& word) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
  if (read.ec != std::errc() || read.ptr != word.data() + word.size() || number == 0 ||
      number >= INT64_MAX) {
    return std::nullopt;
  }
  return number;
}

ExitCode show_entry(const Client& client, const Invocation& invocation) {
  const auto number = parse_number(invocation.words[0]);
  if (!number) return complain(ExitCode::usage, "history wants the number of a change");
  const std::string target = "/v1/history?limit=1&before=" + std::to_string(*number + 1);
  ExitCode found = ExitCode::ok;
  const ExitCode asked = ask(client, invocation, "GET", target, {}, [&](const json::value& answer) {
    const json::value* list = find_at(answer, "history");
    const bool there = list != nullptr && list->is_array() && !list->get_array().empty() &&
                       number_at(list->get_array()[0], "number") == *number;
    if (there) {
      print(entry_text(list->get_array()[0]));
    } else {
      found = complain(ExitCode::refused, "change " + std::to_string(*number) +
                                              ": history does not have it (any more)");
    }
  });
  return asked == ExitCode::ok ? found : asked;
}

}  // namespace

ExitCode run_confirm(const Client& client, const Invocation& invocation) {
  return ask(client, invocation, "POST", "/v1/confirm", {}, print_message);
}

ExitCode run_rollback(const Client& client, const Invocation& invocation) {
  std::string path = "/v1/rollback";
  if (!invocation.words.empty()) path += "?to=" + encode_percent(invocation.words[0]);
  return ask(client, invocation, "POST", change_target(path, invocation), {},
             invocation.dry_run ? print_plan : print_change);
}

ExitCode run_history(const Client& client, const Invocation& invocation) {
  if (!invocation.words.empty()) return show_entry(client, invocation);
  return ask(client, invocation, "GET", "/v1/history", {}, [](const json::value& answer) {
    print(list_text(answer) + unconfirmed_text(answer, "unconfirmed") + saved_text(answer));
  });
}

ExitCode run_save(const Client& client, const Invocation& invocation) {
  const std::string target = "/v1/saved/" + encode_percent(invocation.words[0]);
  return ask(client, invocation, invocation.forget ? "DELETE" : "PUT", target, {}, print_message);
}

}  // namespace cp
