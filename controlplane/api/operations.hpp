// SPDX-License-Identifier: Apache-2.0
// The body of POST /v1/batch: edits that are done together or not at all. Pure.
#pragma once

#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

enum class OperationVerb : std::uint8_t { add, set, remove };

struct Operation {
  OperationVerb verb;
  ObjectKind kind;
  std::string key;  // Not of add, where it is among the fields.
  std::vector<FieldSetting> settings;
  std::uint32_t line;  // Of the batch file; 0: not from one.
};

// {"operations": [{"verb": "add", "kind": "port", "key": …, "fields": {…}, "line": …}]}
Result<std::vector<Operation>> parse_operations(std::string_view body);

// One after the other; the first that is refused ends it, with its line or number in the error.
Status perform(Intent& intent, const std::vector<Operation>& operations);

// What history calls them: "set port wire0", "batch of 12 edits".
std::string summary_of(const std::vector<Operation>& operations);

}  // namespace cp
