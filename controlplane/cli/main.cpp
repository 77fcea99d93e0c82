// SPDX-License-Identifier: Apache-2.0
// The command `weir`: a thin client of the control plane's API.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/completion.hpp"
#include "controlplane/cli/help.hpp"
#include "controlplane/cli/parse.hpp"
#include "controlplane/cli/run.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <csignal>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace cp;

// Who types does not wait: no names, rather than late ones.
constexpr std::chrono::milliseconds completion_timeout{300};

// Without complaints: half of the command line is not there yet.
Target named_in(const std::vector<std::string>& words) {
  Target target;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-s" || words[i] == "--socket") target.socket = words[i + 1];
    if (words[i] == "--server") target.server = words[i + 1];
    if (words[i] == "--cert") target.files.certificate = words[i + 1];
    if (words[i] == "--key") target.files.key = words[i + 1];
    if (words[i] == "--ca") target.files.ca = words[i + 1];
  }
  return target;
}

int answer_completion(std::vector<std::string> words) {
  const auto place = choose_target(named_in(words));
  // The strings in the list that is the document's member; of objects their names.
  const auto ask = [&](const std::string& target, const char* member) {
    std::vector<std::string> list;
    if (!place) return list;
    const Client client(*place, completion_timeout);
    const auto answer = client.request("GET", target);
    if (!answer || !answer->good()) return list;
    boost::system::error_code broken;
    const auto document = boost::json::parse(answer->body, broken);
    const boost::json::value* names = broken ? nullptr : find_at(document, member);
    if (names == nullptr || !names->is_array()) return list;
    for (const auto& name : names->get_array()) {
      list.push_back(name.is_string() ? std::string(name.get_string()) : text_at(name, "name"));
    }
    return list;
  };
  const NameSource names{
      .keys = [&](ObjectKind kind) { return ask("/v1/keys/" + std::string(plural(kind)), "keys"); },
      .states =
          [&] {
            return ask("/v1/saved", "saved");
          }};
  for (const std::string& word : complete(words, names)) print(word + "\n");
  return 0;
}

ExitCode run(const std::vector<std::string>& words) {
  auto line = parse_command_line(words);
  if (!line) return complain(ExitCode::usage, line.error() + "\nTry `weir --help`.");
  if (line->manual) print(manual_page());
  if (line->version) print("weir " WEIR_VERSION "\n");
  if (line->help) print(help_text(line->help_noun, line->help_verb));
  if (line->manual || line->version || line->help) return ExitCode::ok;

  const Client client(line->target, line->timeout);
  if (line->batch && line->invocation.command != nullptr) {
    return complain(ExitCode::usage, "-f takes its commands from the file; name none beside it");
  }
  if (line->batch) return run_batch(client, *line->batch, line->invocation);
  if (line->invocation.command == nullptr) {
    print(help_text("", ""));
    return ExitCode::usage;
  }
  return line->invocation.command->run(client, line->invocation);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `weir … | head` ends quietly.
  std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (!words.empty() && words[0] == "--complete") {
      return answer_completion({words.begin() + 1, words.end()});
    }
    const ExitCode code = run(words);
    if (code != ExitCode::ok || can_print()) return static_cast<int>(code);
    return static_cast<int>(
        complain(ExitCode::not_printed, "standard output takes no more; the command was done"));
  } catch (const std::exception& bug) {
    return static_cast<int>(complain(ExitCode::usage, bug.what()));
  }
}
