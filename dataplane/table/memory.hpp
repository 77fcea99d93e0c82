// SPDX-License-Identifier: Apache-2.0
// Zeroed, page-aligned memory of a table that brings none of its own; unmapped by its destructor.
#pragma once

#include "dataplane/base/error.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace dp {

struct Unmap {
  std::size_t bytes = 0;
  void operator()(std::byte* memory) const noexcept;
};

using TableMemory = std::unique_ptr<std::byte[], Unmap>;

// Huge pages where the kernel grants them (madvise): with 4 KiB pages each lookup in a large table
// misses the TLB too.
base::Result<TableMemory> map_table_memory(std::size_t bytes) noexcept;

}  // namespace dp
