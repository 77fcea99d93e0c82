// SPDX-License-Identifier: Apache-2.0
// What releases before differences left in a store: a row an object, as JSON. Read until all that
// is wanted is written as one difference (Store::tidy).
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/store/sqlite.hpp"

#include <cstdint>

namespace cp {

// Empty where there are none; `digest` adds them up.
Result<Intent> read_former_rows(Database& database, std::uint64_t& digest);

}  // namespace cp
