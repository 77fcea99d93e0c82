// SPDX-License-Identifier: Apache-2.0
// The tables in the sizes of the command line.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/table/table_file.hpp"
#include "dataplane/table/tables.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dp {

struct TableSizes {
  std::uint32_t networks;
  std::uint32_t vteps;
  std::uint32_t endpoints;
  std::uint32_t next_hops;
};

base::Result<Tables> make_tables(const TableSizes& sizes);

// What is kept for the next process; nothing where it cannot be, with a warning, and where it is
// not wanted: then that of the last is gone, too.
std::optional<TableFile> open_table_file(const std::string& directory, bool is_wanted);

}  // namespace dp
