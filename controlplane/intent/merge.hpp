// SPDX-License-Identifier: Apache-2.0
// Walks over two sorted lists of objects side by side: each key once, with what either side has.
#pragma once

#include "controlplane/intent/model.hpp"

#include <vector>

namespace cp {

template <class T>
class Merge {
 public:
  // Both are borrowed and outlive this.
  Merge(const ListOf<T>& before, const ListOf<T>& after) noexcept
      : before_(before), after_(after) {}

  // Calls f(before, after); one of them is nullptr where that side lacks the key.
  template <class F>
  void for_each(F&& f) const {
    walk(Equal::told, f);
  }
  // The same for objects that differ. What the lists share costs nothing.
  template <class F>
  void for_each_change(F&& f) const {
    walk(Equal::skipped, f);
  }

 private:
  enum class Equal : bool { told, skipped };
  using Place = typename ListOf<T>::const_iterator;

  template <class F>
  void walk(Equal equal, F&& f) const {
    Place before = before_.begin();
    Place after = after_.begin();
    while (before != before_.end() || after != after_.end()) {
      if (equal == Equal::skipped && skip_equal(before, after)) continue;
      const T* old_object = before != before_.end() ? &*before : nullptr;
      const T* new_object = after != after_.end() ? &*after : nullptr;
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

  // Blocks that both lists have, or one object: whether it is the same is cheaper to see than which
  // of two keys is less.
  bool skip_equal(Place& before, Place& after) const noexcept {
    if (before == before_.end() || after == after_.end()) return false;
    if constexpr (requires { before.skip_block(); }) {
      if (before.begins_block() && after.begins_block() && before.block() == after.block()) {
        before.skip_block();
        after.skip_block();
        return true;
      }
    }
    if (*before != *after) return false;
    ++before;
    ++after;
    return true;
  }

  const ListOf<T>& before_;
  const ListOf<T>& after_;
};

}  // namespace cp
