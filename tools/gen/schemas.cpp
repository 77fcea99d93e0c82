// SPDX-License-Identifier: Apache-2.0
// Writes each JSON Schema of the API, and its OpenAPI document, as FOLDER/NAME.json for each NAME;
// the names on the command line have to be those that the API has.
#include "controlplane/api/schemas.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: gen_schemas FOLDER NAME…\n";
    return 2;
  }
  const std::string folder = words[1];
  std::vector<std::string_view> names(words + 2, words + count);
  std::vector<std::string_view> wanted = cp::schema_names();
  wanted.emplace_back("openapi");
  std::ranges::sort(names);
  std::ranges::sort(wanted);
  if (names != wanted) {
    std::cerr << "packaging/meson.build has to name:";
    for (const std::string_view name : wanted) std::cerr << " " << name;
    std::cerr << "\n";
    return 1;
  }
  for (const std::string_view name : names) {
    const auto schema = cp::schema_of(name);
    std::ofstream file(folder + "/" + std::string(name) + ".json");
    file << (schema ? *schema : boost::json::serialize(cp::openapi())) << "\n";
    if (!file.flush()) {
      std::cerr << folder << "/" << name << ".json cannot be written\n";
      return 1;
    }
  }
  return 0;
}
