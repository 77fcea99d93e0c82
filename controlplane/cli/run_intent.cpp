// SPDX-License-Identifier: Apache-2.0
// Commands about the whole intent: apply, check, diff, intent show, batches.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/completion.hpp"
#include "controlplane/cli/edit.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/intent/limits.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>

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
  std::string target = change_target("/v1/intent", invocation);
  target += target.find('?') == target.npos ? "?note=" : "&note=";
  target += encode_percent(invocation.words[0]);
  return send_file(client, invocation, "PUT", target,
                   invocation.dry_run ? print_plan : print_change);
}

ExitCode run_check(const Client& client, const Invocation& invocation) {
  return send_file(client, invocation, "POST", change_target("/v1/intent/check", invocation),
                   [](const json::value& answer) { print(text_at(answer, "message") + "\n"); });
}

ExitCode run_diff(const Client& client, const Invocation& invocation) {
  return send_file(client, invocation, "POST", change_target("/v1/intent/diff", invocation),
                   print_plan);
}

ExitCode run_patch(const Client& client, const Invocation& invocation) {
  return send_file(client, invocation, "PATCH", change_target("/v1/intent", invocation),
                   invocation.dry_run ? print_plan : print_change);
}

ExitCode run_intent_show(const Client& client, const Invocation& invocation) {
  if (invocation.running && invocation.stored) {
    return complain(ExitCode::usage, "--running and --stored are two views; name one");
  }
  std::string target = invocation.running ? "/v1/intent?state=running" : "/v1/intent?state=stored";
  if (invocation.yaml && !invocation.json) target += "&format=yaml";
  const auto answer = client.request("GET", target);
  if (!answer) return complain(answer.error().code, answer.error().message);
  if (!answer->good()) return complain(*answer);
  print(answer->body);
  if (!answer->body.ends_with('\n')) print("\n");
  return ExitCode::ok;
}

ExitCode run_batch(const Client& client, const std::string& file, const Invocation& invocation) {
  const auto text = read_file(file);
  if (!text) return complain(ExitCode::usage, text.error());
  const std::string shown = file == "-" ? "standard input" : file;
  const auto edits = parse_batch(*text);
  if (!edits) {
    Error error = edits.error();
    error.file = shown;
    return complain(ExitCode::refused, to_string(error));
  }
  return ask(client, invocation, "POST", change_target("/v1/batch", invocation), batch_body(*edits),
             invocation.dry_run ? print_plan : print_change, shown);
}

ExitCode run_object_edit(const Client& client, const Invocation& invocation) {
  const Command& command = *invocation.command;
  const auto edit = parse_edit(*command.kind, command.verb, invocation.words);
  if (!edit) return complain(ExitCode::usage, to_string(edit.error()));
  return ask(client, invocation, "POST", change_target("/v1/batch", invocation),
             batch_body({*edit}), print_change);
}

ExitCode run_completion(const Client&, const Invocation& invocation) {
  const std::string_view script = completion_script(invocation.words[0]);
  if (script.empty()) {
    std::string known;
    for (const std::string_view shell : shells()) {
      known += (known.empty() ? "" : ", ") + std::string(shell);
    }
    return complain(ExitCode::usage,
                    "no completion for " + invocation.words[0] + " (known: " + known + ")");
  }
  print(std::string(script));
  return ExitCode::ok;
}

}  // namespace cp
