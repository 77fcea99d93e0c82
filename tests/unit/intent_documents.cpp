// SPDX-License-Identifier: Apache-2.0
// Prints what intent_schema.py judges: the schemas, and files as canonical JSON and YAML.
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/schema.hpp"
#include "controlplane/intent/write.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

int print_intent(const std::string& path, bool as_json) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  const auto intent = cp::read_intent(text.str(), cp::guess_syntax(text.str()), {.file = path});
  if (intent) {
    std::cout << (as_json ? cp::to_json(*intent) : cp::to_yaml(*intent));
    return 0;
  }
  for (const cp::Error& error : intent.error()) std::cerr << to_string(error) << "\n";
  return 1;
}

}  // namespace

int main(int count, char** words) {
  const std::string verb = count > 1 ? words[1] : "";
  const std::string argument = count > 2 ? words[2] : "";
  if (verb == "schema" && argument == "intent") {
    std::cout << cp::intent_schema();
    return 0;
  }
  if (const auto kind = cp::parse_kind(argument); verb == "schema" && kind) {
    std::cout << cp::object_schema(*kind);
    return 0;
  }
  if (verb == "json" || verb == "yaml") return print_intent(argument, verb == "json");
  std::cerr << "usage: intent_documents schema KIND | json FILE | yaml FILE\n";
  return 2;
}
