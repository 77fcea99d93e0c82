// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/change_answer.hpp"

#include "controlplane/api/answer.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace cp {

namespace json = boost::json;

namespace {

std::string_view word(ChangeStatus status) {
  switch (status) {
    case ChangeStatus::applied: return "applied";
    case ChangeStatus::pending: return "pending";
    case ChangeStatus::unchanged: return "unchanged";
    case ChangeStatus::planned: return "planned";
  }
  return "unknown";
}

std::string sentence(const ChangeReport& report) {
  const ChangeCounts& counts = report.changes.counts;
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

// What a source should know about the objects of others; empty where there is nothing to know.
std::string hint_about_others(const ChangeReport& report) {
  if (report.source == Owner::file && report.others > 0) {
    const std::string who = report.others == 1
                                ? "1 object that a command owns stays"
                                : std::to_string(report.others) + " objects that commands own stay";
    return "; " + who + " (--takeover makes all the file's)";
  }
  if (report.source != Owner::command || report.changes.of_file == 0) return {};
  return "; " + std::to_string(report.changes.of_file) +
         " of these the file owns: applying it again sets what it says";
}

std::string hint_to_confirm(const ChangeReport& report) {
  if (!report.confirm || report.status == ChangeStatus::planned) return {};
  return "; undone in " + std::to_string(report.confirm->window_ms / 1000) +
         " s unless `weir confirm` keeps it";
}

json::object change_document(const ChangeReport& report) {
  const ChangeCounts& counts = report.changes.counts;
  const std::vector<Change>& told = report.changes.first;
  json::array text;
  for (const Change& change : told) text.emplace_back(to_string(change, report.source));
  boost::system::error_code ours;  // Made by to_json(): it parses.
  json::object document{
      {"status", word(report.status)},
      {"message", sentence(report) + hint_about_others(report) + hint_to_confirm(report)},
      {"counts",
       json::object{
           {"added", counts.added}, {"changed", counts.changed}, {"removed", counts.removed}}},
      {"records", report.records},
      {"generation", report.generation},
      {"number", report.number},
      {"owner", name(report.source)},
      {"others", report.others},
      {"text", std::move(text)},
      {"changes", json::parse(to_json(told), ours)}};
  if (report.confirm && report.number != 0) {
    document["unconfirmed"] = to_json({.number = report.number, .until = *report.confirm});
  }
  return document;
}

}  // namespace

HttpResponse answer_of(const Result<ChangeReport>& report) {
  if (!report) return error_answer(report.error());
  const unsigned status = report->status == ChangeStatus::pending ? 202 : 200;
  return json_answer(status, change_document(*report));
}

json::object to_json(const Unconfirmed& unconfirmed) {
  const std::chrono::milliseconds left = time_left(unconfirmed.until);
  return {{"number", unconfirmed.number},
          {"until", time_text(std::chrono::system_clock::now() + left)},
          {"seconds_left", static_cast<double>(left.count()) / 1000}};
}

}  // namespace cp
