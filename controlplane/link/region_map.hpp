// SPDX-License-Identifier: Apache-2.0
// The data plane's counter region, mapped read-only into this process. The memory stays readable
// after the data plane has died; its values stand still then.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/contract/region.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace cp {

class RegionMap {
 public:
  // `bytes` as the hello reply says; refused where the file is shorter or may still shrink.
  static base::Result<RegionMap> make(base::Descriptor file, std::uint64_t bytes);

  const contract::RegionView& view() const noexcept { return view_; }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(const std::byte* memory) const noexcept;
  };
  using Mapping = std::unique_ptr<const std::byte, Unmap>;

  RegionMap(Mapping mapping, contract::RegionView view)
      : mapping_(std::move(mapping)), view_(std::move(view)) {}

  Mapping mapping_;
  contract::RegionView view_;  // Borrows mapping_.
};

}  // namespace cp
