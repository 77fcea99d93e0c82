// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/answer.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <cstdio>
#include <ctime>

namespace cp {

namespace json = boost::json;
using base::Errc;

namespace {

unsigned status_of(Errc code) {
  switch (code) {
    case Errc::ok: return 200;
    case Errc::not_found: return 404;
    case Errc::already_exists:
    case Errc::in_use:
    case Errc::wrong_state: return 409;
    case Errc::table_full:
    case Errc::out_of_memory: return 507;
    case Errc::busy:
    case Errc::version_skew:
    case Errc::closed: return 503;
    case Errc::timed_out: return 504;
    case Errc::unsupported: return 501;
    case Errc::device_failed: return 502;
    case Errc::io: return 500;
    case Errc::invalid_argument:
    case Errc::malformed: return 400;
  }
  return 500;
}

json::object to_json(const Error& error) {
  json::object object{{"code", base::name(error.code)}, {"message", error.message}};
  if (!error.object.empty()) object["object"] = error.object;
  if (!error.field.empty()) object["field"] = error.field;
  if (error.place.line != 0) object["line"] = error.place.line;
  if (error.place.column != 0) object["column"] = error.place.column;
  if (!error.suggestion.empty()) object["suggestion"] = error.suggestion;
  return object;
}

// Whose it is, as a client of another release may have asked for what this one does not know.
HttpResponse refusal(unsigned status, const json::array& errors) {
  return json_answer(status, {{"error", errors[0]}, {"errors", errors}, {"release", WEIR_VERSION}});
}

}  // namespace

HttpResponse text_answer(unsigned status, std::string document, std::string_view content_type) {
  HttpResponse response;
  response.status = status;
  response.content_type = content_type;
  response.body = std::move(document);
  return response;
}

HttpResponse json_answer(unsigned status, const json::value& document) {
  return text_answer(status, json::serialize(document) + "\n");
}

HttpResponse error_answer(const Errors& errors) {
  json::array all;
  for (const Error& error : errors) all.emplace_back(to_json(error));
  if (all.empty()) return error_answer(500, "internal", "refused without a reason");
  // A field that names nothing is a bad request; only the path itself can be not there.
  const bool is_field = errors[0].code == Errc::not_found && !errors[0].field.empty();
  const unsigned status = is_field ? 400 : status_of(errors[0].code);
  return refusal(status, all);
}

HttpResponse error_answer(const Error& error) {
  return error_answer(Errors{error});
}

HttpResponse error_answer(unsigned status, std::string_view code, std::string_view message) {
  return refusal(status, {json::object{{"code", code}, {"message", message}}});
}

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const time_t seconds = static_cast<time_t>(since.count() / 1000);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                static_cast<int>(since.count() % 1000));
  return text.data();
}

}  // namespace cp
