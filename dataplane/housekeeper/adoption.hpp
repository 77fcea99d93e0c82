// SPDX-License-Identifier: Apache-2.0
// The endpoints of a process that died, from the file that it left: taken over as they are where
// all of it fits together, else thrown away, which costs a reprogramming and nothing else.
#pragma once

#include "dataplane/housekeeper/model.hpp"
#include "dataplane/table/table_file.hpp"
#include "dataplane/table/tables.hpp"

#include <cstdint>

namespace dp {

// Before the first transaction, and before anybody looks an endpoint up. Returns how many there are
// now; from here on the file follows the table (Transaction).
std::uint32_t adopt_endpoints(TableFile& file, Tables& tables, Model& model);

}  // namespace dp
