// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/start/manual.hpp"

#include "dataplane/base/roff.hpp"
#include "tools/pktgen/profile/fields.hpp"
#include "tools/pktgen/profile/read.hpp"

#include <algorithm>
#include <string_view>

namespace pktgen {
namespace {

std::string names_of_profiles() {
  std::string names;
  for (const ShippedProfile& shipped : shipped_profiles()) {
    names += (names.empty() ? "" : " ") + std::string(shipped.name);
  }
  return names;
}

}  // namespace

base::Manual manual(const std::string& examples) {
  std::string profiles = "A profile is a YAML file. These come along:\n";
  for (const ShippedProfile& shipped : shipped_profiles()) {
    const auto profile = read_profile(shipped.text, std::string(shipped.name));
    profiles += base::roff_row(shipped.name, profile ? profile->description : "");
  }
  return {.program = "weir-pktgen",
          .section = 1,
          .summary = "send RoCEv2, and say what became of it",
          .synopsis = "[\\fIOPTIONS\\fR] [\\fIPROFILE\\fR]",
          .more = {
              {.title = "PROFILES", .text = std::move(profiles)},
              {.title = "FIELDS OF A PROFILE",
               .text = "With their defaults:\n.PP\n" + base::roff_literal(fields_text())},
              {.title = "EXAMPLES AND EXIT STATUS", .text = base::roff_literal(examples + "\n")},
          }};
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
    if (!base::takes_value(*option)) continue;
    std::ranges::replace(names, ',', '|');
    const std::string choices = names == "--show" ? names_of_profiles() : base::choices_of(*option);
    cases.append("    ").append(names).append(") words='").append(choices).append("' ;;\n");
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
