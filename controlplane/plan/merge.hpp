// SPDX-License-Identifier: Apache-2.0
// Walks over two sorted lists of objects side by side: each key once, with what either side has.
#pragma once

#include "controlplane/intent/model.hpp"

#include <cstddef>
#include <vector>

namespace cp {

template <class T>
class Merge {
 public:
  // Both are borrowed and outlive this.
  Merge(const std::vector<T>& before, const std::vector<T>& after) noexcept
      : before_(before), after_(after) {}

  // Calls f(before, after); one of them is nullptr where that side lacks the key.
  template <class F>
  void for_each(F&& f) const {
    std::size_t before = 0;
    std::size_t after = 0;
    while (before < before_.size() || after < after_.size()) {
      const T* old_object = before < before_.size() ? &before_[before] : nullptr;
      const T* new_object = after < after_.size() ? &after_[after] : nullptr;
      if (old_object != nullptr && new_object != nullptr) {
        if (key_less(*old_object, *new_object)) {
          new_object = nullptr;
        } else if (key_less(*new_object, *old_object)) {
          old_object = nullptr;
        }
      }
      if (old_object != nullptr) ++before;
      if (new_object != nullptr) ++after;
      f(old_object, new_object);
    }
  }

 private:
  const std::vector<T>& before_;
  const std::vector<T>& after_;
};

}  // namespace cp
