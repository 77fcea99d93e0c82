// SPDX-License-Identifier: Apache-2.0
// JSON Schemas of all answers, and the OpenAPI document that ties them to the routes.
#pragma once

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

// "stats", "change", "port", "intent", …; nullopt where there is none.
std::optional<std::string> schema_of(std::string_view name);
std::vector<std::string_view> schema_names();

boost::json::object openapi();

}  // namespace cp
