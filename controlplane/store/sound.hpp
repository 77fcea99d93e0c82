// SPDX-License-Identifier: Apache-2.0
// Whether all rows of a store are as they were saved, without making an intent of them.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/store/sqlite.hpp"

#include <cstdint>

namespace cp {

// Ours, its pages whole, brought to today's schema, and what is wanted adds up to the digest that
// is saved with it, which is returned.
Result<std::uint64_t> check_content(Database& database);

// History, what leads back, and saved states: each row by itself.
Status check_past(Database& database);

}  // namespace cp
