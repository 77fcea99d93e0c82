// SPDX-License-Identifier: Apache-2.0
#include "dataplane/table/memory.hpp"

#include <cerrno>
#include <sys/mman.h>

namespace dp {

void Unmap::operator()(std::byte* memory) const noexcept {
  ::munmap(memory, bytes);
}

base::Result<TableMemory> map_table_memory(std::size_t bytes) noexcept {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return base::fail(base::Errc::out_of_memory, "no memory for a table; make it smaller", errno);
  }
  // Only advice: without it the table is slower, not wrong.
  (void)::madvise(memory, bytes, MADV_HUGEPAGE);
  // Now rather than at the first entries: a turn of the housekeeper that met three new huge pages
  // took 5 ms. Kernels before 5.14 do not know it.
  (void)::madvise(memory, bytes, MADV_POPULATE_WRITE);
  return TableMemory(static_cast<std::byte*>(memory), Unmap{bytes});
}

}  // namespace dp
