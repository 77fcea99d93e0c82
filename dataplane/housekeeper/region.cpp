// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/region.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

CounterRegion::CounterRegion(Descriptor descriptor, std::span<std::byte> memory,
                             contract::RegionShape shape)
    : descriptor_(std::move(descriptor)), memory_(memory), shape_(std::move(shape)) {}

CounterRegion::CounterRegion(CounterRegion&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      memory_(std::exchange(other.memory_, {})),
      shape_(std::move(other.shape_)) {}

CounterRegion::~CounterRegion() {
  if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

base::Result<CounterRegion> CounterRegion::make(contract::RegionShape shape) {
  const std::size_t bytes = contract::lay_out(shape).total_bytes;
  Descriptor descriptor(::memfd_create("weir-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!descriptor) return fail(Errc::io, "cannot make the counter region", errno);
  if (::ftruncate(descriptor.get(), static_cast<off_t>(bytes)) != 0) {
    return fail(Errc::out_of_memory, "no memory for the counter region", errno);
  }
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (memory == MAP_FAILED) return fail(Errc::out_of_memory, "cannot map the counters", errno);
  CounterRegion region(std::move(descriptor), {static_cast<std::byte*>(memory), bytes},
                       std::move(shape));
  contract::describe_region(region.memory_, region.shape_);

  // Our mapping stays writable; every later one, and write(), is refused by the kernel.
  constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (::fcntl(region.descriptor(), F_ADD_SEALS, seals) != 0) {
    return fail(Errc::unsupported, "the kernel cannot seal the counters; 5.1 or newer is needed",
                errno);
  }
  return region;
}

}  // namespace dp
