// SPDX-License-Identifier: Apache-2.0
// The tables of the store's file and how those of former releases become today's.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/store/sqlite.hpp"

#include <cstdint>

namespace cp {

// The file says so in its header; "WEIR".
inline constexpr std::int64_t application_id = 0x57454952;
inline constexpr std::int64_t schema_version = 3;

// Creates the tables, or brings them to today's schema step by step; all or nothing.
Status bring_to_schema(Database& database);

}  // namespace cp
