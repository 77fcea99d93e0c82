// SPDX-License-Identifier: Apache-2.0
// What a trace can be told to look for, and the words for it.
#pragma once

#include "controlplane/intent/model.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

enum class FilterValue : std::uint8_t { name, text, number, flag };

struct TraceFilterField {
  std::string_view name;
  std::string_view help;
  FilterValue value;
  std::optional<ObjectKind> refers_to;    // The names that may stand there.
  std::vector<std::string_view> choices;  // Empty: any.
};

std::span<const TraceFilterField> trace_filter_fields();

// "port host0 kind roce_cnp dropped 5" → the document for POST /v1/traces; else a sentence.
std::expected<std::string, std::string> trace_body(const std::vector<std::string>& words);

}  // namespace cp
