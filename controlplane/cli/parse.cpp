// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/parse.hpp"

#include "controlplane/connection/address.hpp"
#include "controlplane/intent/error.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace cp {
namespace {

constexpr const char* default_socket = "/run/weir/controlplane.sock";

// Where CLI11 puts what it reads.
struct Raw {
  std::string batch;
  std::string watch;
  std::string interval;
  double timeout_s = 60;
};

std::string misspelled(std::string_view what, std::string_view word,
                       const std::vector<std::string_view>& candidates) {
  std::string text = "there is no " + std::string(what) + " \"" + std::string(word) + "\"";
  const std::string right = nearest(word, candidates);
  if (!right.empty()) return text + "; did you mean \"" + right + "\"?";
  text += "; there are:";
  for (const std::string_view candidate : candidates) text.append(" ").append(candidate);
  return text;
}

void add_globals(CLI::App& app, CommandLine& line, Raw& raw) {
  app.add_option("-s,--socket", line.target.socket);
  app.add_option("--server", line.target.server);
  app.add_option("--cert", line.target.files.certificate);
  app.add_option("--key", line.target.files.key);
  app.add_option("--ca", line.target.files.ca);
  app.add_flag("-j,--json", line.invocation.json);
  app.add_option("-f,--file", raw.batch);
  app.add_option("--timeout", raw.timeout_s)->check(CLI::Range(0.01, 86'400.0));
  app.add_flag("-h,--help", line.help);
  app.add_flag("--man", line.manual);
  app.add_flag("--version", line.version);
}

void add_option(CLI::App& app, Option option, CommandLine& line, Raw& raw) {
  const std::string flags(option_text(option).flags);
  switch (option) {
    case Option::dry_run: app.add_flag(flags, line.invocation.dry_run); return;
    case Option::yaml: app.add_flag(flags, line.invocation.yaml); return;
    case Option::interval: app.add_option(flags, raw.interval); return;
    case Option::confirm_within:
      app.add_option(flags, line.invocation.confirm_within)->check([](const std::string& text) {
        return text.empty() ? "wants a time, like 120s" : "";
      });
      return;
    case Option::takeover: app.add_flag(flags, line.invocation.takeover); return;
    case Option::forget: app.add_flag(flags, line.invocation.forget); return;
    case Option::running: app.add_flag(flags, line.invocation.running); return;
    case Option::stored: app.add_flag(flags, line.invocation.stored); return;
    case Option::watch: app.add_flag(flags + "{1}", raw.watch)->expected(0, 1); return;
  }
}

std::optional<std::string> check_words(const Invocation& invocation) {
  std::size_t least = 0;
  std::size_t most = 0;
  for (const Argument& argument : invocation.command->arguments) {
    least += argument.least;
    most += argument.most;
  }
  const std::string synopsis_text = "; write: weir " + synopsis(*invocation.command);
  if (invocation.words.size() < least) {
    return std::string(invocation.command->arguments[invocation.words.size()].name) +
           " is missing" + synopsis_text;
  }
  if (invocation.words.size() > most) {
    return "\"" + invocation.words[most] + "\" is one word too many" + synopsis_text;
  }
  return std::nullopt;
}

// nullopt: good, and `seconds` is set where there was anything.
std::optional<std::string> check_seconds(std::string_view option, const std::string& text,
                                         std::optional<double>& seconds) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(number >= 0.01 && number <= 86'400)) {
    return std::string(option) + " wants seconds (0.01..86400), not \"" + text + "\"";
  }
  seconds = number;
  return std::nullopt;
}

// What the words name, before CLI11 sees them: it would take "port" among a trace's words for the
// command.
struct Named {
  const Command* command = nullptr;
  std::size_t words = 0;  // Of noun and verb.
};

std::expected<Named, std::string> name_of_path(const std::vector<std::string>& path) {
  if (path.empty()) return Named{};
  const std::vector<std::string_view> verbs = verbs_of(path[0]);
  if (const Command* command = find_command(path[0], "")) return Named{command, 1};
  if (verbs.empty()) return std::unexpected(misspelled("command", path[0], nouns()));
  if (path.size() == 1) {
    std::string text = "say what to do with " + path[0] + ":";
    for (const std::string_view verb : verbs) text.append(" ").append(verb);
    return std::unexpected(std::move(text));
  }
  if (const Command* command = find_command(path[0], path[1])) return Named{command, 2};
  return std::unexpected(misspelled(path[0] + " command", path[1], verbs));
}

std::optional<std::string> read_options(const std::vector<std::string>& words, const Named& named,
                                        CommandLine& line, Raw& raw) {
  CLI::App app;
  app.set_help_flag();
  add_globals(app, line, raw);
  if (named.command == nullptr) {  // Of the batch that -f names.
    add_option(app, Option::dry_run, line, raw);
    add_option(app, Option::confirm_within, line, raw);
  } else {
    for (const Option option : named.command->options) add_option(app, option, line, raw);
  }
  std::vector<std::string> all;
  app.add_option("words", all);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  line.invocation.command = named.command;
  line.invocation.words.assign(all.begin() + static_cast<std::ptrdiff_t>(named.words), all.end());
  return std::nullopt;
}

void take_from_environment(std::string& value, const char* variable) {
  const char* found = value.empty() ? std::getenv(variable) : nullptr;
  if (found != nullptr) value = found;
}

}  // namespace

std::expected<Target, std::string> choose_target(Target typed) {
  if (!typed.socket.empty() && !typed.server.empty()) {
    return std::unexpected("--socket and --server name two control planes; say one of them");
  }
  if (typed.socket.empty()) take_from_environment(typed.server, "WEIR_SERVER");
  if (typed.server.empty()) {
    take_from_environment(typed.socket, "WEIR_SOCKET");
    if (typed.socket.empty()) typed.socket = default_socket;
    return typed;
  }
  if (!parse_host_port(typed.server)) {
    return std::unexpected("--server wants HOST:PORT, an IPv6 address in brackets, not \"" +
                           typed.server + "\"");
  }
  TlsFiles& files = typed.files;
  for (const auto& [option, variable, value] :
       {std::tuple{"--cert", "WEIR_CERT", &files.certificate},
        std::tuple{"--key", "WEIR_KEY", &files.key}, std::tuple{"--ca", "WEIR_CA", &files.ca}}) {
    take_from_environment(*value, variable);
    if (value->empty()) {
      return std::unexpected(std::string(option) + " is missing (or " + variable +
                             "): --server takes a certificate, its key and the server's CA");
    }
  }
  return typed;
}

std::expected<CommandLine, std::string> parse_command_line(const std::vector<std::string>& words) {
  CommandLine line;
  Raw raw;
  const std::vector<std::string> path = without_options(words);
  const auto named = name_of_path(path);
  if (auto wrong = read_options(words, named.value_or(Named{}), line, raw)) {
    return std::unexpected(named ? *wrong : named.error());
  }
  if (line.help || line.manual || line.version) {
    if (!path.empty() && (named || !verbs_of(path[0]).empty())) line.help_noun = path[0];
    if (named && named->words == 2) line.help_verb = path[1];
    return line;
  }
  if (!named) return std::unexpected(named.error());
  if (auto wrong = check_seconds("--watch", raw.watch, line.invocation.watch_s)) {
    return std::unexpected(*wrong);
  }
  std::optional<double> interval_s;
  if (auto wrong = check_seconds("--interval", raw.interval, interval_s)) {
    return std::unexpected(*wrong);
  }
  line.invocation.interval_s = interval_s.value_or(1);
  if (line.invocation.command != nullptr) {
    if (auto wrong = check_words(line.invocation)) return std::unexpected(std::move(*wrong));
  }
  if (!raw.batch.empty()) line.batch = raw.batch;
  line.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(raw.timeout_s * 1000));
  auto target = choose_target(std::move(line.target));
  if (!target) return std::unexpected(target.error());
  line.target = std::move(*target);
  return line;
}

}  // namespace cp
