// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/start/manual.hpp"

#include "tools/pktgen/profile/fields.hpp"
#include "tools/pktgen/profile/read.hpp"

#include <algorithm>
#include <string_view>

namespace pktgen {
namespace {

// Roff takes a backslash for itself, a hyphen for a place to break at, and a dot or a quote at a
// line's start for a request.
std::string roff(std::string_view text) {
  std::string result;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result.push_back(c);
    }
    begins = c == '\n';
  }
  return result;
}

std::string literal(const std::string& text) {
  return ".nf\n" + roff(text) + ".fi\n";
}

std::string row(const std::string& left, const std::string& right) {
  return ".TP\n\\fB" + roff(left) + "\\fR\n" + roff(right) + "\n";
}

// The words between which an option chooses; none where it does not.
std::string choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  if (open == std::string::npos) return "";
  std::string words = type.substr(open + 1, type.find('}') - open - 1);
  std::ranges::replace(words, ',', ' ');
  return words;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

// "NAME", "left|right", "number".
std::string value_of(const CLI::Option& option) {
  std::string words = choices_of(option);
  std::ranges::replace(words, ' ', '|');
  if (!words.empty()) return words;
  const std::string type = option.get_type_name();
  if (type.starts_with("UINT")) return "NUMBER";
  return type == "TEXT" ? "PATH" : type;
}

std::string option_row(const CLI::Option& option) {
  std::string left = option.get_name(false, true);
  std::string right = option.get_description();
  if (takes_value(option)) {
    left += " " + value_of(option);
    const std::string initial = option.get_default_str();
    if (!initial.empty()) right += " (" + initial + ")";
  }
  return row(left, right + ".");
}

std::string names_of_profiles() {
  std::string names;
  for (const ShippedProfile& shipped : shipped_profiles()) {
    names += (names.empty() ? "" : " ") + std::string(shipped.name);
  }
  return names;
}

}  // namespace

std::string manual_page(const CLI::App& app, const std::string& examples) {
  std::string text =
      ".\\\" Made by `weir-pktgen --man` from its options and fields; do not edit.\n"
      ".TH WEIR-PKTGEN 1 \"\" \"Weir " WEIR_VERSION
      "\" \"User Commands\"\n"
      ".SH NAME\nweir\\-pktgen \\- send RoCEv2, and say what became of it\n"
      ".SH SYNOPSIS\n\\fBweir\\-pktgen\\fR [\\fIOPTIONS\\fR] [\\fIPROFILE\\fR]\n"
      ".SH DESCRIPTION\n" +
      roff(app.get_description()) + "\n.SH OPTIONS\n";
  for (const CLI::Option* option : app.get_options()) text += option_row(*option);
  text += ".SH PROFILES\nA profile is a YAML file. These come along:\n";
  for (const ShippedProfile& shipped : shipped_profiles()) {
    const auto profile = read_profile(shipped.text, std::string(shipped.name));
    text += row(std::string(shipped.name), profile ? profile->description : "");
  }
  text += ".SH \"FIELDS OF A PROFILE\"\nWith their defaults:\n.PP\n" + literal(fields_text());
  text += ".SH EXAMPLES AND EXIT STATUS\n" + literal(examples + "\n");
  return text;
}

std::string bash_completion(const CLI::App& app) {
  std::string options;
  std::string cases;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) continue;
    std::string names = option->get_name(false, true);
    std::string words = names;
    std::ranges::replace(words, ',', ' ');
    options += (options.empty() ? "" : " ") + words;
    if (!takes_value(*option)) continue;
    std::ranges::replace(names, ',', '|');
    const std::string choices = names == "--show" ? names_of_profiles() : choices_of(*option);
    cases += "    " + names + ") words='" + choices + "' ;;\n";
  }
  return "# bash completion for weir-pktgen; made by `weir-pktgen --bash-completion`\n"
         "_weir_pktgen() {\n"
         "  local words cur=${COMP_WORDS[COMP_CWORD]}\n"
         "  case ${COMP_WORDS[COMP_CWORD - 1]} in\n" +
         cases + "    *) words='" + names_of_profiles() +
         "'\n"
         "      [[ $cur == -* ]] && words='" +
         options +
         "' ;;\n"
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
         "}\n"
         "complete -o default -F _weir_pktgen weir-pktgen\n";
}

}  // namespace pktgen
