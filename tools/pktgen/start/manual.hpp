// SPDX-License-Identifier: Apache-2.0
// weir-pktgen.1 and the completion of bash, made of the options and of the profile's fields.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace pktgen {

// Roff. `examples` as --help has them.
std::string manual_page(const CLI::App& app, const std::string& examples);
std::string bash_completion(const CLI::App& app);

}  // namespace pktgen
