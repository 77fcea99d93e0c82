// SPDX-License-Identifier: Apache-2.0
// The record that a worker asked a VersionedArray for last: packets of a burst come from one port
// and mostly belong to one network. Not for what varies within a burst, where it would be a branch
// that nobody can predict.
//
// A pointer may be kept from batch to batch of one generation: what that generation sees is not
// written while it is in force (versioned_array.hpp), and the next one asks again.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/table/versioned_array.hpp"

#include <cstdint>
#include <limits>

namespace dp {

template <class T>
class LastRecord {
 public:
  // `array` outlives this.
  explicit LastRecord(const VersionedArray<T>& array) noexcept : array_(array) {}

  // As VersionedArray::find.
  const T* find(std::uint32_t index, base::Generation generation) noexcept {
    if (index != index_ || generation != generation_) [[unlikely]] {  // Once per run of packets.
      record_ = array_.find(index, generation);
      index_ = index;
      generation_ = generation;
    }
    return record_;
  }

 private:
  const VersionedArray<T>& array_;
  std::uint32_t index_ = std::numeric_limits<std::uint32_t>::max();
  base::Generation generation_ = 0;
  const T* record_ = nullptr;
};

}  // namespace dp
