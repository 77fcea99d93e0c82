// SPDX-License-Identifier: Apache-2.0
// weir-pktgen.1 and the completion of bash, made of the options and of the profile's fields.
#pragma once

#include "dataplane/base/manual.hpp"

#include <CLI/CLI.hpp>

#include <string>

namespace pktgen {

// `examples` as --help has them.
base::Manual manual(const std::string& examples);
std::string bash_completion(const CLI::App& app);

}  // namespace pktgen
