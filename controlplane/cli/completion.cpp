// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/completion.hpp"

#include "controlplane/cli/trace_filter.hpp"
#include "controlplane/cli/tree.hpp"
#include "controlplane/intent/fields.hpp"

#include <algorithm>
#include <array>

namespace cp {
namespace {

using Words = std::vector<std::string>;

struct Script {
  std::string_view shell;
  std::string_view text;
};
constexpr std::array scripts{
    // Colons stand in MACs and would split words: they are joined before and cut off after.
    Script{"bash", R"(# bash completion for weir; made by `weir completion bash`
_weir() {
  local cur words cword
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n : cur words cword
  else
    cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
  fi
  local IFS=$'\n'
  mapfile -t COMPREPLY < <("${words[0]}" --complete "${words[@]:1:cword}" 2>/dev/null)
  if declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions "$cur"
  fi
}
complete -o default -F _weir weir
)"},
    // Read at the first use where it lies in $fpath, or sourced.
    Script{"zsh", R"zsh(#compdef weir
# zsh completion for weir; made by `weir completion zsh`
_weir() {
  local -a found
  found=(${(f)"$(command "${words[1]}" --complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then
    compadd -a found
  else
    _files
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _weir "$@"
else
  compdef _weir weir
fi
)zsh"},
    Script{"fish", R"(# fish completion for weir; made by `weir completion fish`
function __weir_complete
    set -l typed (commandline -opc) (commandline -ct)
    command $typed[1] --complete $typed[2..-1] 2>/dev/null
end
complete -c weir -f -a '(__weir_complete)'
complete -c weir -n 'not count (__weir_complete) >/dev/null' -F
)"},
};

void add_values(const FieldInfo& field, const NameSource& names, Words& out) {
  for (const std::string_view choice : field.choices) out.emplace_back(choice);
  if (field.type == FieldType::dscp) out.emplace_back("copy");
  if (field.type == FieldType::boolean) out.insert(out.end(), {"true", "false"});
  if (field.refers_to) {
    for (std::string& key : names.keys(*field.refers_to)) out.push_back(std::move(key));
  }
}

// `typed` are the words of FIELD VALUE … that are complete.
void add_settings(const Command& command, const Words& typed, const NameSource& names, Words& out) {
  if (typed.size() % 2 == 1) {
    if (const FieldInfo* field = find_field(*command.kind, typed.back())) {
      add_values(*field, names, out);
    }
    return;
  }
  for (const FieldInfo& field : fields(*command.kind)) {
    // An endpoint's MAC is part of its key, yet stands among the fields of a new one.
    const bool fixed = field.key && !(command.verb == "add" && field.type == FieldType::mac);
    bool used = false;
    for (std::size_t i = 0; i < typed.size(); i += 2) used = used || typed[i] == field.name;
    if (!fixed && !used) out.emplace_back(field.name);
  }
}

void add_filter(const Words& typed, const NameSource& names, Words& out) {
  const TraceFilterField* waiting = nullptr;
  for (const std::string& word : typed) {
    if (waiting != nullptr) {
      waiting = nullptr;
      continue;
    }
    for (const TraceFilterField& field : trace_filter_fields()) {
      if (field.name == word && field.value != FilterValue::flag) waiting = &field;
    }
  }
  if (waiting == nullptr) {
    for (const TraceFilterField& field : trace_filter_fields()) out.emplace_back(field.name);
    return;
  }
  for (const std::string_view choice : waiting->choices) out.emplace_back(choice);
  if (waiting->refers_to) {
    for (std::string& key : names.keys(*waiting->refers_to)) out.push_back(std::move(key));
  }
}

void add_arguments(const Command& command, const Words& typed, const NameSource& names,
                   Words& out) {
  std::size_t first = 0;
  for (const Argument& argument : command.arguments) {
    const bool here = typed.size() < first + argument.most;
    if (here) {
      const Words inner(typed.begin() + static_cast<std::ptrdiff_t>(first), typed.end());
      switch (argument.expects) {
        case Expects::key: out = names.keys(*command.kind); break;
        case Expects::new_key:
          if (command.kind == ObjectKind::endpoint) out = names.keys(ObjectKind::network);
          if (command.kind == ObjectKind::queue) {
            for (const std::string& port : names.keys(ObjectKind::port)) out.push_back(port + "/");
          }
          break;
        case Expects::owner:
          out = names.keys(ObjectKind::port);
          for (std::string& key : names.keys(*command.kind)) out.push_back(std::move(key));
          break;
        case Expects::settings: add_settings(command, inner, names, out); break;
        case Expects::filter: add_filter(inner, names, out); break;
        case Expects::state: out = names.states(); break;
        case Expects::shell: out.assign(shells().begin(), shells().end()); break;
        case Expects::file:  // The shell knows files better.
        case Expects::number: break;
      }
      return;
    }
    first += argument.most;
  }
}

void add_options(const Command* command, Words& out) {
  const auto add_flags = [&out](std::string_view flags) {
    for (std::string& flag : split_flags(flags)) out.push_back(std::move(flag));
  };
  for (const GlobalOption& option : global_options()) add_flags(option.flags);
  if (command == nullptr) return;
  for (const Option option : command->options) add_flags(option_text(option).flags);
}

}  // namespace

std::vector<std::string> complete(const std::vector<std::string>& words, const NameSource& names) {
  const std::string prefix = words.empty() ? "" : words.back();
  Words before = words;
  if (!before.empty()) before.pop_back();
  if (!before.empty() && takes_value(before.back())) return {};

  const Words path = without_options(before);
  Words candidates;
  const Command* command = nullptr;
  std::size_t used = 0;
  if (!path.empty()) {
    const bool alone = verbs_of(path[0]).empty();
    command = find_command(path[0], alone || path.size() < 2 ? "" : path[1]);
    used = alone ? 1 : 2;
  }
  if (prefix.starts_with('-')) {
    add_options(command, candidates);
  } else if (path.empty()) {
    for (const std::string_view noun : nouns()) candidates.emplace_back(noun);
  } else if (command != nullptr) {
    add_arguments(*command, {path.begin() + static_cast<std::ptrdiff_t>(used), path.end()}, names,
                  candidates);
  } else if (path.size() == 1) {
    for (const std::string_view verb : verbs_of(path[0])) candidates.emplace_back(verb);
  }
  std::erase_if(candidates, [&](const std::string& word) { return !word.starts_with(prefix); });
  return candidates;
}

std::span<const std::string_view> shells() {
  static constexpr std::array<std::string_view, scripts.size()> names{
      scripts[0].shell, scripts[1].shell, scripts[2].shell};
  return names;
}

std::string_view completion_script(std::string_view shell) {
  for (const Script& script : scripts) {
    if (script.shell == shell) return script.text;
  }
  return "";
}

}  // namespace cp
