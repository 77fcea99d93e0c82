// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/parse.hpp"

#include "controlplane/intent/error.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>

namespace cp {
namespace {

constexpr const char* default_socket = "/run/weir/controlplane.sock";

// Where CLI11 puts what it reads.
struct Raw {
  std::string batch;
  std::string watch;
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
  app.add_option("-s,--socket", line.socket);
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
    case Option::watch: app.add_flag(flags + "{1}", raw.watch)->expected(0, 1); return;
  }
}

void add_command(CLI::App& noun, const Command& command, CommandLine& line, Raw& raw) {
  CLI::App* app = &noun;
  if (!command.verb.empty()) app = noun.add_subcommand(std::string(command.verb));
  app->fallthrough();
  app->set_help_flag();
  for (const Option option : command.options) add_option(*app, option, line, raw);
  if (!command.arguments.empty()) app->add_option("words", line.invocation.words);
  app->callback([&line, &command] {
    // The noun's own callback comes too, after that of its verb.
    if (line.invocation.command == nullptr) line.invocation.command = &command;
  });
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

std::optional<std::string> check_watch(const std::string& text, Invocation& invocation) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(seconds >= 0.01 && seconds <= 86'400)) {
    return "--watch wants seconds (0.01..86400), not \"" + text + "\"";
  }
  invocation.watch_s = seconds;
  return std::nullopt;
}

// A better sentence than CLI11's for words that are no command.
std::optional<std::string> check_names(CLI::App& app) {
  for (CLI::App* noun : app.get_subcommands()) {
    const std::vector<std::string_view> verbs = verbs_of(noun->get_name());
    if (verbs.empty() || !noun->get_subcommands().empty()) return std::nullopt;
    const std::vector<std::string> rest = noun->remaining();
    if (!rest.empty() && !rest[0].starts_with('-')) {
      return misspelled(noun->get_name() + " command", rest[0], verbs);
    }
    if (rest.empty()) {
      std::string text = "say what to do with " + noun->get_name() + ":";
      for (const std::string_view verb : verbs) text.append(" ").append(verb);
      return text;
    }
  }
  const std::vector<std::string> rest = app.remaining();
  if (!rest.empty() && !rest[0].starts_with('-')) return misspelled("command", rest[0], nouns());
  return std::nullopt;
}

}  // namespace

std::expected<CommandLine, std::string> parse_command_line(const std::vector<std::string>& words) {
  CommandLine line;
  Raw raw;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  // One noun, one verb: later words are names and values, whatever command they spell.
  app.require_subcommand(0, 1);
  add_globals(app, line, raw);
  CLI::App* noun = nullptr;
  for (const Command& command : commands()) {
    if (noun == nullptr || noun->get_name() != command.noun) {
      noun = app.add_subcommand(std::string(command.noun));
      noun->set_help_flag();
      noun->fallthrough();
      noun->require_subcommand(0, 1);
      noun->allow_extras(!command.verb.empty());
    }
    add_command(*noun, command, line, raw);
  }

  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(std::string(error.what()));
  }
  for (CLI::App* chosen : app.get_subcommands()) {
    line.help_noun = chosen->get_name();
    for (CLI::App* verb : chosen->get_subcommands()) line.help_verb = verb->get_name();
  }
  if (line.help || line.manual || line.version) return line;
  if (auto wrong = check_names(app)) return std::unexpected(std::move(*wrong));
  std::vector<std::string> extras = app.remaining(true);
  if (!extras.empty()) return std::unexpected("\"" + extras[0] + "\" is not understood here");
  if (auto wrong = check_watch(raw.watch, line.invocation)) return std::unexpected(*wrong);
  if (line.invocation.command != nullptr) {
    if (auto wrong = check_words(line.invocation)) return std::unexpected(std::move(*wrong));
  }
  if (!raw.batch.empty()) line.batch = raw.batch;
  line.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(raw.timeout_s * 1000));
  if (line.socket.empty()) {
    const char* environment = std::getenv("WEIR_SOCKET");
    line.socket = environment != nullptr && *environment != '\0' ? environment : default_socket;
  }
  return line;
}

}  // namespace cp
