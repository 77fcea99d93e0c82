// SPDX-License-Identifier: Apache-2.0
// The tree of commands, as data: parsing, help, completion and the manual page are all made of
// it. To add a command: one entry in tree.cpp and the function that runs it.
#pragma once

#include "controlplane/cli/client.hpp"
#include "controlplane/intent/model.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

struct Command;

// What was typed, parsed.
struct Invocation {
  const Command* command = nullptr;
  std::vector<std::string> words;  // Its arguments.
  std::optional<double> watch_s;   // --watch
  double interval_s = 1;           // --interval
  bool dry_run = false;            // --dry-run
  bool json = false;               // -j
  bool yaml = false;               // --yaml
  std::string confirm_within;      // --confirm-within, as the server reads it; empty: for good
  bool takeover = false;           // --takeover
  bool forget = false;             // --delete
  bool running = false;            // --running
  bool stored = false;             // --stored
};

// What words may stand at an argument, for completion.
enum class Expects : std::uint8_t {
  file,
  key,       // Of an object that exists.
  owner,     // The first part of such a key, or all of it: a port, or one of its queues.
  new_key,   // Of one to be made: of an endpoint the network's name.
  settings,  // FIELD VALUE …
  filter,    // FIELD VALUE … of a trace
  state,     // The name of a saved state.
  number,
  shell,
};

struct Argument {
  std::string_view name;  // "FILE"; "[NAME]" where it may be left out; "FIELD VALUE…".
  std::string_view help;
  Expects expects;
  std::size_t least = 1;  // Words.
  std::size_t most = 1;
};

enum class Option : std::uint8_t {
  dry_run,
  watch,
  yaml,
  interval,
  confirm_within,
  takeover,
  forget,
  running,
  stored,
};

struct OptionText {
  Option option;
  std::string_view flags;  // As CLI11 takes them: "--dry-run".
  std::string_view value;  // "[=SECONDS]"; empty: a flag.
  std::string_view help;
};

struct Command {
  std::string_view noun;     // "port"; of the whole intent: "apply".
  std::string_view verb;     // Empty where the noun is the verb.
  std::string_view help;     // One sentence.
  std::string_view example;  // Without "weir ".
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::optional<ObjectKind> kind;  // Of what it shows or edits.
  ExitCode (*run)(const Client& client, const Invocation& invocation);
};

std::span<const Command> commands();
std::span<const OptionText> option_texts();
const OptionText& option_text(Option option);

// What stands before the noun, for help and manual.
struct GlobalOption {
  std::string_view flags;
  std::string_view value;
  std::string_view help;
};
std::span<const GlobalOption> global_options();

// "-s,--socket" → both.
std::vector<std::string> split_flags(std::string_view flags);
// Without options and their values: what is left says where in the tree we are.
std::vector<std::string> without_options(const std::vector<std::string>& words);
// True of an option that takes the next word as its value.
bool takes_value(std::string_view word);

struct ExitText {
  ExitCode code;
  std::string_view help;
};
std::span<const ExitText> exit_texts();

// nullptr where there is none; `verb` empty for commands of one word.
const Command* find_command(std::string_view noun, std::string_view verb);
std::vector<std::string_view> nouns();                          // Each once, in order.
std::vector<std::string_view> verbs_of(std::string_view noun);  // Empty: it needs none.

// "port add NAME [FIELD VALUE…]".
std::string synopsis(const Command& command);

}  // namespace cp
