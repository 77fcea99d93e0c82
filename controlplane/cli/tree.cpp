// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/tree.hpp"

#include "controlplane/cli/run.hpp"

#include <algorithm>
#include <array>

namespace cp {
namespace {

constexpr std::size_t any_number = 1000;  // Words on one line.

constexpr std::array options{
    OptionText{Option::dry_run, "--dry-run", "", "Say what would be done, and do nothing."},
    OptionText{Option::watch, "--watch", "[=SECONDS]",
               "Show it again and again, with rates; every second unless told otherwise."},
    OptionText{Option::yaml, "--yaml", "", "As a YAML file that `weir apply` takes."},
    OptionText{Option::interval, "--interval", " SECONDS", "Time between two looks (1)."},
    OptionText{Option::confirm_within, "--confirm-within", " TIME",
               "Undo it after this time (120s, 10m) unless `weir confirm` comes first; even where "
               "the control plane ends meanwhile."},
    OptionText{Option::takeover, "--takeover", "",
               "Also change and remove what commands own: the intent is the file then."},
    OptionText{Option::forget, "--delete", "", "Give the name up."},
    OptionText{Option::running, "--running", "",
               "As the data plane has it in force; refused where that is not known."},
    OptionText{Option::stored, "--stored", "", "As it is stored and wanted; so unless told else."},
};

constexpr std::array globals{
    GlobalOption{"-s,--socket", "SOCKET",
                 "Socket of the control plane; else $WEIR_SOCKET, else "
                 "/run/weir/controlplane.sock."},
    GlobalOption{"--server", "HOST:PORT",
                 "A control plane elsewhere, by TLS; else $WEIR_SERVER, which goes before "
                 "$WEIR_SOCKET. The certificate there has to be for HOST."},
    GlobalOption{"--cert", "FILE", "Our certificate (PEM) for it; else $WEIR_CERT."},
    GlobalOption{"--key", "FILE", "The key of that; else $WEIR_KEY."},
    GlobalOption{"--ca", "FILE", "Who signed the server's certificate; else $WEIR_CA."},
    GlobalOption{"-j,--json", "", "Print the server's JSON document instead of a table."},
    GlobalOption{"-f,--file", "FILE",
                 "Do the commands in FILE (-: standard input), one a line without the word weir, "
                 "as one transaction: all of them or none. Takes --dry-run and --confirm-within."},
    GlobalOption{"--timeout", "SECONDS", "Longest wait for an answer (60)."},
    GlobalOption{"-h,--help", "", "Explain the command."},
    GlobalOption{"--man", "", "Print the manual page (roff)."},
    GlobalOption{"--version", "", "Print the release."},
};

constexpr std::array exits{
    ExitText{ExitCode::ok, "Done."},
    ExitText{ExitCode::refused, "Refused: nothing was changed; standard error says why."},
    ExitText{ExitCode::usage, "The command line makes no sense."},
    ExitText{ExitCode::cannot_connect,
             "No control plane listens there, or it and we do not know each other."},
    ExitText{ExitCode::timed_out, "The control plane did not answer in time."},
    ExitText{ExitCode::not_printed, "What was to be said could not be written."},
    ExitText{ExitCode::alarm, "`weir status` has told an alarm."},
};

// Texts of the commands that exist for each kind of object.
struct KindTexts {
  ObjectKind kind;
  std::string_view show_help, add_help, set_help, delete_help;
  std::string_view show_example, add_example, set_example, delete_example;
};
constexpr std::array kinds{
    KindTexts{ObjectKind::port, "Show ports with their link and counters.",
              "Add a port: a DPDK device and what it is for.", "Change fields of a port.",
              "Remove a port and close its device.", "port show wire0",
              "port add host0 role tenant device net_tap0,iface=host0 network blue",
              "port set wire0 mtu 1600", "port delete host0"},
    KindTexts{ObjectKind::next_hop, "Show next hops with their MACs and whether they are usable.",
              "Add a next hop: a router or gateway on a port's link.",
              "Change fields of a next hop.", "Remove a next hop.", "next-hop show",
              "next-hop add spine1 port wire0 address 198.18.0.0",
              "next-hop set spine1 address 198.18.0.2", "next-hop delete spine1"},
    KindTexts{ObjectKind::vtep, "Show VTEPs with their counters.",
              "Add a VTEP: an address where a tunnel ends.", "Change fields of a VTEP.",
              "Remove a VTEP.", "vtep show",
              "vtep add gw2 kind remote address 198.18.0.2 port wire0 source self "
              "next_hop_mac 02:00:00:00:ff:02",
              "vtep set gw2 dscp 26", "vtep delete gw2"},
    KindTexts{ObjectKind::network, "Show networks with their counters.",
              "Add a network: a tenant segment with its VNI.", "Change fields of a network.",
              "Remove a network.", "network show blue", "network add blue vni 100 flood gw2,gw3",
              "network set blue unknown_unicast drop", "network delete blue"},
    KindTexts{
        ObjectKind::endpoint, "Show endpoints.", "Add an endpoint: a tenant's MAC and where it is.",
        "Change fields of an endpoint.", "Remove an endpoint.", "endpoint show blue",
        "endpoint add blue mac 02:00:00:00:0b:01 vtep gw2",
        "endpoint set blue/02:00:00:00:0b:01 vtep gw3", "endpoint delete blue/02:00:00:00:0b:01"},
    KindTexts{ObjectKind::host_rule, "Show rules for traffic to this host itself.",
              "Add a rule: how much of a class this host is sent.", "Change fields of a rule.",
              "Remove a rule: the class goes by its own rate again.", "host-rule show",
              "host-rule add icmp rate 100 burst 20", "host-rule set icmp rate 500",
              "host-rule delete icmp"},
    KindTexts{ObjectKind::queue,
              "Show the traffic classes of ports: settings, depth, marks, drops.",
              "Add a queue: a traffic class of a port.", "Change fields of a queue.",
              "Remove a queue: its class has the defaults again.", "queue show wire0",
              "queue add wire0/3 carries data kmin 500K kmax 2M pmax 5% buffer 4M",
              "queue set wire0/3 pmax 1%", "queue delete wire0/3"},
};

void add_kind(std::vector<Command>& list, const KindTexts& texts) {
  const bool is_endpoint = texts.kind == ObjectKind::endpoint;
  const bool is_queue = texts.kind == ObjectKind::queue;
  const Argument key{.name = is_endpoint ? "NETWORK/MAC"
                             : is_queue  ? "PORT/CLASS"
                                         : "NAME",
                     .help = "Which one.",
                     .expects = Expects::key};
  Argument new_key{
      .name = is_endpoint ? "NETWORK" : "NAME",
      .help = is_endpoint ? "The network that the MAC belongs to." : "What it shall be called.",
      .expects = Expects::new_key};
  if (is_queue) {
    new_key = {.name = "PORT/CLASS",
               .help = "The port and which of its classes, 0 to 7.",
               .expects = Expects::new_key};
  }
  const Argument settings{.name = "FIELD VALUE…",
                          .help = "Fields and their values; lists with commas; \"\" unsets.",
                          .expects = Expects::settings,
                          .least = 0,
                          .most = any_number};
  const Argument which{.name = is_endpoint ? "[NETWORK[/MAC]]"
                               : is_queue  ? "[PORT[/CLASS]]"
                                           : "[NAME]",
                       .help = "Only this one.",
                       .expects = is_queue ? Expects::owner : Expects::key,
                       .least = 0};
  list.push_back({.noun = noun(texts.kind),
                  .verb = "show",
                  .help = texts.show_help,
                  .example = texts.show_example,
                  .arguments = {which},
                  .options = {Option::watch},
                  .kind = texts.kind,
                  .run = is_queue ? run_queue_show : run_object_show});
  list.push_back({.noun = noun(texts.kind),
                  .verb = "add",
                  .help = texts.add_help,
                  .example = texts.add_example,
                  .arguments = {new_key, settings},
                  .options = {Option::dry_run, Option::confirm_within},
                  .kind = texts.kind,
                  .run = run_object_edit});
  list.push_back({.noun = noun(texts.kind),
                  .verb = "set",
                  .help = texts.set_help,
                  .example = texts.set_example,
                  .arguments = {key, settings},
                  .options = {Option::dry_run, Option::confirm_within},
                  .kind = texts.kind,
                  .run = run_object_edit});
  list.push_back({.noun = noun(texts.kind),
                  .verb = "delete",
                  .help = texts.delete_help,
                  .example = texts.delete_example,
                  .arguments = {key},
                  .options = {Option::dry_run, Option::confirm_within},
                  .kind = texts.kind,
                  .run = run_object_edit});
}

void add_queue_watch(std::vector<Command>& list) {
  const Argument which{
      .name = "[PORT[/CLASS]]", .help = "Only these.", .expects = Expects::owner, .least = 0};
  list.push_back({.noun = "queue",
                  .verb = "watch",
                  .help =
                      "Draw how much waits in each traffic class, with Kmin and Kmax, marks and "
                      "drops a second; -j: a line of JSON each time.",
                  .example = "queue watch wire0 --interval 0.5",
                  .arguments = {which},
                  .options = {Option::interval},
                  .kind = ObjectKind::queue,
                  .run = run_queue_watch});
}

void add_intent(std::vector<Command>& list) {
  const Argument file{.name = "FILE",
                      .help = "The intent as YAML or JSON; -: standard input.",
                      .expects = Expects::file};
  list.push_back({.noun = "apply",
                  .help = "Put FILE in the place of what the file owns, in one transaction; what "
                          "commands added stays.",
                  .example = "apply lab.yaml --confirm-within 120s",
                  .arguments = {file},
                  .options = {Option::dry_run, Option::confirm_within, Option::takeover},
                  .run = run_apply});
  list.push_back({.noun = "check",
                  .help = "Say whether FILE could be applied, and what is wrong with it.",
                  .example = "check lab.yaml",
                  .arguments = {file},
                  .options = {Option::takeover},
                  .run = run_check});
  list.push_back({.noun = "diff",
                  .help = "Say what applying FILE would change.",
                  .example = "diff lab.yaml",
                  .arguments = {file},
                  .options = {Option::takeover},
                  .run = run_diff});
  const Argument patch{.name = "FILE",
                       .help = "A JSON patch (RFC 6902); -: standard input.",
                       .expects = Expects::file};
  list.push_back({.noun = "patch",
                  .help = "Edit the intent by a JSON patch; objects have paths like "
                          "/ports/wire0/mtu.",
                  .example = "patch mtu.json --dry-run",
                  .arguments = {patch},
                  .options = {Option::dry_run, Option::confirm_within},
                  .run = run_patch});
  list.push_back({.noun = "intent",
                  .verb = "show",
                  .help = "Show the whole intent.",
                  .example = "intent show --yaml",
                  .options = {Option::yaml, Option::running, Option::stored},
                  .run = run_intent_show});
}

void add_history(std::vector<Command>& list) {
  list.push_back({.noun = "confirm",
                  .help = "Keep the change that waits for it (--confirm-within).",
                  .example = "confirm",
                  .run = run_confirm});
  const Argument to{.name = "[NUMBER|NAME]",
                    .help =
                        "The state that this change of `weir history` left, or a saved one; "
                        "left out: undo the last change.",
                    .expects = Expects::state,
                    .least = 0};
  list.push_back({.noun = "rollback",
                  .help = "Go back to an earlier state, in one transaction.",
                  .example = "rollback before-move --dry-run",
                  .arguments = {to},
                  .options = {Option::dry_run, Option::confirm_within},
                  .run = run_rollback});
  const Argument number{.name = "[NUMBER]",
                        .help = "Only this change, with what it did.",
                        .expects = Expects::number,
                        .least = 0};
  list.push_back({.noun = "history",
                  .help = "Show who changed what and when, the newest first, and saved states.",
                  .example = "history 17",
                  .arguments = {number},
                  .run = run_history});
  const Argument name{
      .name = "NAME",
      .help = "What the state shall be called; another one of that name is replaced.",
      .expects = Expects::state};
  list.push_back({.noun = "save",
                  .help = "Give the state as it is a name for `weir rollback`.",
                  .example = "save before-move",
                  .arguments = {name},
                  .options = {Option::forget},
                  .run = run_save});
}

void add_views(std::vector<Command>& list) {
  list.push_back({.noun = "status",
                  .help = "Say whether the data plane is connected and has what is wanted.",
                  .example = "status",
                  .run = run_status});
  list.push_back({.noun = "stats",
                  .verb = "show",
                  .help = "Show counters: ports, RoCE operations, ECN, tunnels, drops, tables.",
                  .example = "stats show --watch",
                  .options = {Option::watch},
                  .run = run_stats_show});
  list.push_back({.noun = "host",
                  .verb = "show",
                  .help = "Show what came for this host itself, by class, and what was too much.",
                  .example = "host show",
                  .options = {Option::watch},
                  .run = run_host_show});
  list.push_back({.noun = "drop",
                  .verb = "show",
                  .help = "Show how many packets died of what, and in which stage.",
                  .example = "drop show",
                  .options = {Option::watch},
                  .run = run_drop_show});
  list.push_back({.noun = "pipeline",
                  .verb = "show",
                  .help = "Show the stages in the order in which packets pass them.",
                  .example = "pipeline show",
                  .options = {Option::watch},
                  .run = run_pipeline_show});
  list.push_back({.noun = "worker",
                  .verb = "show",
                  .help = "Show what each worker core does and that its packets add up.",
                  .example = "worker show",
                  .options = {Option::watch},
                  .run = run_worker_show});
  list.push_back({.noun = "neighbour",
                  .verb = "show",
                  .help = "Show whose MACs ARP and neighbour discovery know, and which of our "
                          "addresses are answered for.",
                  .example = "neighbour show",
                  .options = {Option::watch},
                  .run = run_neighbour_show});
  list.push_back({.noun = "event",
                  .verb = "watch",
                  .help = "Print what happens as it happens: links, neighbours, transactions, "
                          "connections.",
                  .example = "event watch",
                  .run = run_event_watch});
}

void add_traces(std::vector<Command>& list) {
  const Argument filter{.name = "[FIELD VALUE…] [COUNT]",
                        .help = "Which frames, by name and value, and how many of them (10).",
                        .expects = Expects::filter,
                        .least = 0,
                        .most = any_number};
  const Argument id{
      .name = "[ID]", .help = "Only this one.", .expects = Expects::number, .least = 0};
  list.push_back({.noun = "trace",
                  .verb = "add",
                  .help = "Follow the next frames that match through all stages.",
                  .example = "trace add port host0 kind roce_cnp 5",
                  .arguments = {filter},
                  .run = run_trace_add});
  list.push_back({.noun = "trace",
                  .verb = "show",
                  .help = "Show the traced frames: stages passed, entries matched, how they ended.",
                  .example = "trace show",
                  .arguments = {id},
                  .run = run_trace_show});
  list.push_back({.noun = "trace",
                  .verb = "delete",
                  .help = "Stop traces and forget their frames.",
                  .example = "trace delete 1",
                  .arguments = {id},
                  .run = run_trace_delete});
}

std::vector<Command> make_commands() {
  std::vector<Command> list;
  add_intent(list);
  add_history(list);
  for (const KindTexts& texts : kinds) add_kind(list, texts);
  add_queue_watch(list);
  add_views(list);
  add_traces(list);
  list.push_back(
      {.noun = "completion",
       .help = "Print the script that completes words in a shell.",
       .example = "completion bash > /usr/share/bash-completion/completions/weir",
       .arguments = {{.name = "SHELL", .help = "bash, zsh or fish.", .expects = Expects::shell}},
       .run = run_completion});
  return list;
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> list = make_commands();
  return list;
}

std::span<const OptionText> option_texts() {
  return options;
}

const OptionText& option_text(Option option) {
  return options[static_cast<std::size_t>(option)];
}

std::span<const GlobalOption> global_options() {
  return globals;
}

std::span<const ExitText> exit_texts() {
  return exits;
}

const Command* find_command(std::string_view noun, std::string_view verb) {
  for (const Command& command : commands()) {
    if (command.noun == noun && command.verb == verb) return &command;
  }
  return nullptr;
}

std::vector<std::string_view> nouns() {
  std::vector<std::string_view> list;
  for (const Command& command : commands()) {
    if (std::find(list.begin(), list.end(), command.noun) == list.end()) {
      list.push_back(command.noun);
    }
  }
  return list;
}

std::vector<std::string_view> verbs_of(std::string_view noun) {
  std::vector<std::string_view> list;
  for (const Command& command : commands()) {
    if (command.noun == noun && !command.verb.empty()) list.push_back(command.verb);
  }
  return list;
}

std::string synopsis(const Command& command) {
  std::string text(command.noun);
  if (!command.verb.empty()) text.append(" ").append(command.verb);
  for (const Argument& argument : command.arguments) text.append(" ").append(argument.name);
  for (const Option option : command.options) {
    const OptionText& option_words = option_text(option);
    text.append(" [").append(option_words.flags).append(option_words.value).append("]");
  }
  return text;
}

std::vector<std::string> split_flags(std::string_view flags) {
  std::vector<std::string> list;
  while (!flags.empty()) {
    const std::string_view flag = flags.substr(0, flags.find(','));
    list.emplace_back(flag);
    flags.remove_prefix(std::min(flags.size(), flag.size() + 1));
  }
  return list;
}

bool takes_value(std::string_view word) {
  for (const GlobalOption& option : globals) {
    if (option.value.empty()) continue;
    const std::vector<std::string> flags = split_flags(option.flags);
    if (std::find(flags.begin(), flags.end(), word) != flags.end()) return true;
  }
  return std::any_of(options.begin(), options.end(), [&](const OptionText& option) {
    return option.value.starts_with(' ') && option.flags == word;
  });
}

std::vector<std::string> without_options(const std::vector<std::string>& words) {
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (takes_value(words[i])) {
      ++i;
    } else if (!words[i].starts_with('-')) {
      rest.push_back(words[i]);
    }
  }
  return rest;
}

}  // namespace cp
