// SPDX-License-Identifier: Apache-2.0
// Commands about the whole intent: apply, check, diff, intent show, batches.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/completion.hpp"
#include "controlplane/cli/edit.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/cli/table.hpp"
#include "controlplane/intent/limits.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <limits>

namespace cp {

namespace json = boost::json;

namespace {

// Not by streams: they do not tell a directory, which opens but cannot be read, from an empty file.
// Not longer than what the server takes: a device or a pipe may have no end.
std::expected<std::string, std::string> read_file(const std::string& name) {
  const auto refusal = [&](const std::string& why) {
    return std::unexpected(name + " cannot be read: " + why);
  };
  std::FILE* const file = name == "-" ? stdin : std::fopen(name.c_str(), "rb");
  if (file == nullptr) return refusal(std::strerror(errno));
  std::string text;
  std::array<char, 65536> piece;
  std::size_t size = 1;
  while (size > 0 && text.size() <= document_bytes_max) {
    size = std::fread(piece.data(), 1, piece.size(), file);
    text.append(piece.data(), size);
  }
  const int error = std::ferror(file) != 0 ? errno : 0;
  if (file != stdin) std::fclose(file);
  if (error != 0) return refusal(std::strerror(error));
  if (text.size() > document_bytes_max) {
    return refusal("it is larger than " + std::to_string(document_bytes_max) + " bytes");
  }
  return text;
}

// A line for each change up to `lines_max`, then one that sums them up.
void print_lines(const json::value& answer, std::size_t lines_max) {
  std::string text;
  std::size_t told = 0;
  if (const json::value* list = find_at(answer, "text"); list != nullptr && list->is_array()) {
    told = std::min(list->get_array().size(), lines_max);
    for (std::size_t i = 0; i < told; ++i) {
      text += std::string(list->get_array()[i].as_string()) + "\n";
    }
  }
  std::uint64_t total = 0;
  for (const char* what : {"counts.added", "counts.changed", "counts.removed"}) {
    total += number_at(answer, what);
  }
  if (total > told) text += "… and " + with_commas(total - told) + " more\n";
  print(text + text_at(answer, "message") + "\n");
}

// Who asks what would change wants to see it: as many lines as the server tells.
void print_plan(const json::value& answer) {
  print_lines(answer, std::numeric_limits<std::size_t>::max());
}

// What is done needs no more than a screen.
void print_change(const json::value& answer) {
  print_lines(answer, 20);
}

ExitCode send_file(const Client& client, const Invocation& invocation, const std::string& method,
                   const std::string& target,
                   const std::function<void(const json::value&)>& print_document) {
  const std::string& name = invocation.words[0];
  const auto text = read_file(name);
  if (!text) return complain(ExitCode::usage, text.error());
  return ask(client, invocation, method, target, *text, print_document,
             name == "-" ? "standard input" : name);
}

}  // namespace

ExitCode run_apply(const Client& client, const Invocation& invocation) {
  const std::string target = invocation.dry_run ? "/v1/intent?dry_run=true" : "/v1/intent";
  return send_file(client, invocation, "PUT", target,
                   invocation.dry_run ? print_plan : print_change);
}

ExitCode run_check(const Client& client, const Invocation& invocation) {
  return send_file(client, invocation, "POST", "/v1/intent/check",
                   [](const json::value& answer) { print(text_at(answer, "message") + "\n"); });
}

ExitCode run_diff(const Client& client, const Invocation& invocation) {
  return send_file(client, invocation, "POST", "/v1/intent/diff", print_plan);
}

ExitCode run_intent_show(const Client& client, const Invocation& invocation) {
  const bool as_json = invocation.json || !invocation.yaml;
  const auto answer = client.request("GET", as_json ? "/v1/intent" : "/v1/intent?format=yaml");
  if (!answer) return complain(answer.error().code, answer.error().message);
  if (!answer->good()) return complain(*answer);
  print(answer->body);
  if (!answer->body.ends_with('\n')) print("\n");
  return ExitCode::ok;
}

ExitCode run_batch(const Client& client, const std::string& file, bool json) {
  const auto text = read_file(file);
  if (!text) return complain(ExitCode::usage, text.error());
  const std::string shown = file == "-" ? "standard input" : file;
  const auto edits = parse_batch(*text);
  if (!edits) {
    Error error = edits.error();
    error.file = shown;
    return complain(ExitCode::refused, to_string(error));
  }
  Invocation invocation;
  invocation.json = json;
  return ask(client, invocation, "POST", "/v1/batch", batch_body(*edits), print_change, shown);
}

ExitCode run_object_edit(const Client& client, const Invocation& invocation) {
  const Command& command = *invocation.command;
  const auto edit = parse_edit(*command.kind, command.verb, invocation.words);
  if (!edit) return complain(ExitCode::usage, to_string(edit.error()));
  const std::string target = invocation.dry_run ? "/v1/batch?dry_run=true" : "/v1/batch";
  return ask(client, invocation, "POST", target, batch_body({*edit}), print_change);
}

ExitCode run_completion(const Client&, const Invocation& invocation) {
  if (invocation.words[0] != "bash") {
    return complain(ExitCode::usage, "only bash can be completed; write: weir completion bash");
  }
  print(bash_script());
  return ExitCode::ok;
}

}  // namespace cp
