// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/region_map.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace cp {

using base::Descriptor;
using base::Errc;
using base::fail;

void RegionMap::Unmap::operator()(const std::byte* memory) const noexcept {
  ::munmap(const_cast<std::byte*>(memory), bytes);
}

base::Result<RegionMap> RegionMap::make(Descriptor file, std::uint64_t bytes) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) {
    return fail(Errc::io, "the counter region's size cannot be read", errno);
  }
  if (bytes == 0 || static_cast<std::uint64_t>(status.st_size) < bytes) {
    return fail(Errc::malformed, "the counter region is shorter than the hello says");
  }
  // Without the seal a data plane could shrink the file and kill this process with SIGBUS.
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return fail(Errc::malformed, "the counter region is not sealed against shrinking");
  }
  void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return fail(Errc::io, "the counter region cannot be mapped", errno);

  Mapping mapping(static_cast<const std::byte*>(memory), Unmap{bytes});
  auto view = contract::RegionView::open({mapping.get(), bytes});
  if (!view) return std::unexpected(view.error());
  return RegionMap(std::move(mapping), std::move(*view));
}

}  // namespace cp
