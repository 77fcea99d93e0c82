// SPDX-License-Identifier: Apache-2.0
// The tables in the sizes of the command line.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/table/tables.hpp"

#include <cstdint>

namespace dp {

struct TableSizes {
  std::uint32_t networks;
  std::uint32_t vteps;
  std::uint32_t endpoints;
  std::uint32_t next_hops;
};

base::Result<Tables> make_tables(const TableSizes& sizes);

}  // namespace dp
