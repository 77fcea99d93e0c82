// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/help.hpp"

#include "controlplane/cli/table.hpp"
#include "controlplane/cli/trace_filter.hpp"
#include "controlplane/cli/tree.hpp"
#include "controlplane/intent/fields.hpp"
#include "dataplane/base/roff.hpp"

#include <algorithm>

namespace cp {
namespace {

using base::roff;

struct Row {
  std::string left;
  std::string right;
};

// Where a terminal's cursor stands behind it: bytes that continue a character take no room.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string indented(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, std::min<std::size_t>(columns(row.left), 30));
  std::string text;
  for (const Row& row : rows) {
    text += "  " + row.left;
    if (columns(row.left) > width) {
      text += "\n  " + std::string(width, ' ');
    } else {
      text += std::string(width - columns(row.left), ' ');
    }
    text += "  " + row.right + "\n";
  }
  return text;
}

std::vector<Row> global_rows() {
  std::vector<Row> rows;
  for (const GlobalOption& option : global_options()) {
    std::string left(option.flags);
    if (!option.value.empty()) left.append(" ").append(option.value);
    rows.push_back({left, std::string(option.help)});
  }
  return rows;
}

std::string command_name(const Command& command) {
  std::string name(command.noun);
  if (!command.verb.empty()) name.append(" ").append(command.verb);
  return name;
}

std::vector<Row> field_rows(ObjectKind kind, bool with_keys) {
  std::vector<Row> rows;
  for (const FieldInfo& field : fields(kind)) {
    if (field.key && !with_keys) continue;
    std::string right(field.help);
    right += " " + range_text(field);
    if (!field.unit.empty()) right.append(" ").append(field.unit);
    if (field.required) {
      right += "; required";
    } else if (!field.initial.empty()) {
      right.append("; else ").append(field.initial);
    }
    rows.push_back({std::string(field.name), right});
  }
  return rows;
}

bool takes(const Command& command, Expects expects) {
  return std::any_of(command.arguments.begin(), command.arguments.end(),
                     [&](const Argument& argument) { return argument.expects == expects; });
}

std::vector<Row> filter_rows() {
  std::vector<Row> rows;
  for (const TraceFilterField& field : trace_filter_fields()) {
    rows.push_back({std::string(field.name), std::string(field.help)});
  }
  return rows;
}

std::string command_help(const Command& command) {
  std::string text = std::string(command.help) + "\n\n  weir " + synopsis(command) + "\n";
  std::vector<Row> rows;
  for (const Argument& argument : command.arguments) {
    rows.push_back({std::string(argument.name), std::string(argument.help)});
  }
  for (const Option option : command.options) {
    const OptionText& words = option_text(option);
    rows.push_back({std::string(words.flags) + std::string(words.value), std::string(words.help)});
  }
  if (!rows.empty()) text += "\n" + indented(rows);
  if (takes(command, Expects::settings)) {
    text += "\nFields of " + with_article(*command.kind) + ":\n" +
            indented(field_rows(*command.kind, command.verb == "add"));
  }
  if (takes(command, Expects::filter)) text += "\nFields of a filter:\n" + indented(filter_rows());
  text += "\nExample:\n  weir " + std::string(command.example) + "\n";
  return text;
}

std::string noun_help(std::string_view noun) {
  const auto kind = parse_kind(noun);
  std::string text = kind ? std::string(help(*kind)) + "\n\n" : "";
  std::vector<Row> rows;
  for (const Command& command : commands()) {
    if (command.noun == noun)
      rows.push_back({"weir " + synopsis(command), std::string(command.help)});
  }
  return text + indented(rows) + "\n`weir " + std::string(noun) + " VERB --help` explains one.\n";
}

std::string overview() {
  std::string text =
      "weir: tell a Weir gateway what you want, and see what it does.\n\n"
      "  weir [OPTIONS] NOUN VERB …\n\nCommands:\n";
  std::vector<Row> rows;
  for (const Command& command : commands()) {
    rows.push_back({command_name(command), std::string(command.help)});
  }
  text += indented(rows) + "\nOptions:\n" + indented(global_rows());
  text += "\nStart with:\n  weir status\n  weir port show\n  weir stats show --watch\n";
  text += "\n`weir NOUN VERB --help` explains a command, `weir --man` all of them.\n";
  return text;
}

std::string roff_rows(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    text += base::roff_row(row.left, row.right);
  }
  return text;
}

std::string roff_command(const Command& command) {
  std::string text = ".SS \"" + roff(command_name(command)) + "\"\n" + roff(command.help) +
                     "\n.PP\n\\fBweir " + roff(synopsis(command)) + "\\fR\n";
  std::vector<Row> rows;
  for (const Argument& argument : command.arguments) {
    rows.push_back({std::string(argument.name), std::string(argument.help)});
  }
  text += roff_rows(rows);
  text += ".PP\nExample:\n.PP\n.RS\n.nf\nweir " + roff(command.example) + "\n.fi\n.RE\n";
  return text;
}

}  // namespace

std::string help_text(std::string_view noun, std::string_view verb) {
  if (noun.empty()) return overview();
  if (const Command* command = find_command(noun, verb)) return command_help(*command);
  return noun_help(noun);
}

std::string manual_page() {
  std::string text =
      ".\\\" Made by `weir --man` from the tree of commands; do not edit.\n"
      ".TH WEIR 1 \"\" \"Weir " WEIR_VERSION
      "\" \"User Commands\"\n"
      ".SH NAME\nweir \\- program and watch a Weir gateway\n"
      ".SH SYNOPSIS\n\\fBweir\\fR [\\fIOPTIONS\\fR] \\fINOUN\\fR \\fIVERB\\fR ...\n.br\n"
      "\\fBweir\\fR \\fB\\-f\\fR \\fIFILE\\fR\n"
      ".SH DESCRIPTION\n"
      "The command talks to the control plane over its Unix socket, or with \\fB\\-\\-server\\fR "
      "over TLS 1.3, where either end shows a certificate. What the operator wants "
      "(the intent) consists of ports, VTEPs, networks and endpoints; each change is one "
      "transaction, which is done whole or not at all. "
      "Everything it can do, an HTTP client can do: GET /v1/openapi.json on the socket lists how.\n"
      ".SH OPTIONS\n";
  text += roff_rows(global_rows());
  text += ".SH COMMANDS\n";
  for (const Command& command : commands()) text += roff_command(command);
  std::vector<Row> option_rows;
  for (const OptionText& option : option_texts()) {
    option_rows.push_back(
        {std::string(option.flags) + std::string(option.value), std::string(option.help)});
  }
  text += ".SH \"OPTIONS OF COMMANDS\"\n" + roff_rows(option_rows);
  text += ".SH FIELDS\n";
  for (const ObjectKind kind :
       {ObjectKind::port, ObjectKind::next_hop, ObjectKind::vtep, ObjectKind::network,
        ObjectKind::endpoint, ObjectKind::host_rule, ObjectKind::queue}) {
    text += ".SS \"" + std::string(noun(kind)) + "\"\n" + roff(help(kind)) + "\n" +
            roff_rows(field_rows(kind, true));
  }
  text += ".SH \"TRACE FILTERS\"\n" + roff_rows(filter_rows());
  text += ".SH \"EXIT STATUS\"\n";
  for (const ExitText& exit : exit_texts()) {
    text += base::roff_row(std::to_string(static_cast<int>(exit.code)), exit.help);
  }
  text +=
      ".SH ENVIRONMENT\n.TP\n\\fBWEIR_SOCKET\\fR\nSocket of the control plane.\n"
      ".TP\n\\fBWEIR_SERVER\\fR, \\fBWEIR_CERT\\fR, \\fBWEIR_KEY\\fR, \\fBWEIR_CA\\fR\n"
      "What \\fB\\-\\-server\\fR, \\fB\\-\\-cert\\fR, \\fB\\-\\-key\\fR and "
      "\\fB\\-\\-ca\\fR say.\n"
      ".SH FILES\n.TP\n\\fI/run/weir/controlplane.sock\\fR\nWhere the control plane listens.\n";
  return text;
}

}  // namespace cp
