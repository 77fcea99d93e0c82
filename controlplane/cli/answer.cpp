// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/answer.hpp"

#include "controlplane/intent/error.hpp"

#include <boost/json/parse.hpp>

#include <chrono>
#include <cstdio>
#include <thread>
#include <unistd.h>

namespace cp {

namespace json = boost::json;

namespace {

Error read_error(const json::value& document, const std::string& file) {
  Error error;
  error.message = text_at(document, "message");
  error.object = text_at(document, "object");
  error.field = text_at(document, "field");
  error.suggestion = text_at(document, "suggestion");
  error.place.line = static_cast<std::uint32_t>(number_at(document, "line"));
  error.place.column = static_cast<std::uint32_t>(number_at(document, "column"));
  if (error.place.line != 0) error.file = file;
  return error;
}

// Who asks a control plane of another release for what it does not know reads of a mistake that
// nobody made: a path, a field or a value that there is not.
void tell_other_release(unsigned status, const json::value& document) {
  const std::string release = text_at(document, "release");
  const bool may_lack = status == 400 || status == 404 || status == 405 || status == 501;
  if (!may_lack || release.empty() || release == WEIR_VERSION) return;
  complain(ExitCode::refused, "this weir is of release " WEIR_VERSION ", the control plane of " +
                                  release + ": one may not know what the other does");
}

}  // namespace

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

bool can_print() noexcept {
  return std::ferror(stdout) == 0;
}

ExitCode complain(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "weir: %s\n", message.c_str());
  return code;
}

ExitCode complain(const ClientAnswer& answer, const std::string& file) {
  boost::system::error_code broken;
  const json::value document = json::parse(answer.body, broken);
  const json::value* error = broken ? nullptr : find_at(document, "error");
  if (error == nullptr) {
    return complain(ExitCode::refused,
                    "the server answered with status " + std::to_string(answer.status));
  }
  const json::value* all = find_at(document, "errors");
  if (all == nullptr || !all->is_array()) {
    return complain(ExitCode::refused, to_string(read_error(*error, file)));
  }
  for (const json::value& one : all->get_array()) {
    complain(ExitCode::refused, to_string(read_error(one, file)));
  }
  tell_other_release(answer.status, document);
  return ExitCode::refused;
}

ExitCode ask(const Client& client, const Invocation& invocation, const std::string& method,
             const std::string& target, const std::string& body,
             const std::function<void(const json::value&)>& print_document,
             const std::string& file) {
  const auto answer = client.request(method, target, body);
  if (!answer) return complain(answer.error().code, answer.error().message);
  if (!answer->good()) {
    if (invocation.json) print(answer->body + "\n");
    return complain(*answer, file);
  }
  if (invocation.json) {
    print(answer->body);
    if (!answer->body.ends_with('\n')) print("\n");
    return ExitCode::ok;
  }
  boost::system::error_code broken;
  const json::value document = json::parse(answer->body, broken);
  if (broken) return complain(ExitCode::refused, "the server's answer is no JSON");
  print_document(document);
  return ExitCode::ok;
}

ExitCode show(const Client& client, const Invocation& invocation, const std::string& target,
              const std::function<std::string(const Look&)>& render) {
  using std::chrono::steady_clock;
  json::value before;
  steady_clock::time_point before_at{};
  const bool clears = invocation.watch_s && !invocation.json && ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    const auto now_at = steady_clock::now();
    const ExitCode code = ask(client, invocation, "GET", target, {}, [&](const json::value& now) {
      const double seconds = std::chrono::duration<double>(now_at - before_at).count();
      const std::string text =
          render({.now = now, .before = before.is_null() ? nullptr : &before, .seconds = seconds});
      if (clears) print("\x1b[H\x1b[2J");
      print(text);
      before = now;
      before_at = now_at;
    });
    if (!invocation.watch_s || code != ExitCode::ok || !can_print()) return code;
    std::this_thread::sleep_until(now_at + std::chrono::duration_cast<steady_clock::duration>(
                                               std::chrono::duration<double>(*invocation.watch_s)));
    if (!clears && !invocation.json) print("\n");
  }
}

const json::value* find_at(const json::value& document, std::string_view path) {
  const json::value* at = &document;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (!at->is_object()) return nullptr;
    at = at->get_object().if_contains(part);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::optional<std::uint64_t> count_of(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) {
    return static_cast<std::uint64_t>(value.get_int64());
  }
  return std::nullopt;
}

std::uint64_t number_at(const json::value& document, std::string_view path) {
  const json::value* at = find_at(document, path);
  return at == nullptr ? 0 : count_of(*at).value_or(0);
}

double real_at(const json::value& document, std::string_view path) {
  const json::value* at = find_at(document, path);
  if (at == nullptr) return 0;
  return at->is_double() ? at->get_double() : static_cast<double>(number_at(document, path));
}

std::string text_at(const json::value& document, std::string_view path) {
  const json::value* at = find_at(document, path);
  return at != nullptr && at->is_string() ? std::string(at->get_string()) : std::string();
}

const json::value* find_named(const json::value* list, std::string_view member,
                              std::string_view name) {
  if (list == nullptr || !list->is_array()) return nullptr;
  for (const json::value& element : list->get_array()) {
    if (text_at(element, member) == name) return &element;
  }
  return nullptr;
}

}  // namespace cp
