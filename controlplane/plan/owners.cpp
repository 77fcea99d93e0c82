// SPDX-License-Identifier: Apache-2.0
#include "controlplane/plan/owners.hpp"

#include "controlplane/plan/merge.hpp"

#include <algorithm>

namespace cp {
namespace {

template <class F>
void for_each_kind(F&& f) {
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    visit_kind(static_cast<ObjectKind>(i), f);
  }
}

template <class T>
bool same_but_owner(const T& left, const T& right) {
  T copy = left;
  copy.owner = right.owner;
  return copy == right;
}

Error owned_by_other(const Object& object) {
  return {.code = base::Errc::in_use,
          .message = "is owned by " + std::string(name(owner_of(object))) +
                     " and differs from what is applied; leave it out, change it by a command, or "
                     "apply with --takeover",
          .object = title_of(object),
          .field = {},
          .file = {},
          .place = {},
          .suggestion = {}};
}

}  // namespace

Result<Intent> with_whole(const Intent& current, Intent whole, Owner owner, TakeOver take_over) {
  Intent result;
  Errors errors;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    std::vector<T>& list = list_of<T>(result);
    list.reserve(list_of<T>(whole).size());
    const Merge<T> merge(list_of<T>(current), list_of<T>(whole));
    merge.for_each([&](const T* before, const T* after) {
      const bool is_others =
          before != nullptr && before->owner != owner && take_over == TakeOver::no;
      if (after == nullptr) {
        if (is_others) list.push_back(*before);
        return;
      }
      if (is_others && !same_but_owner(*after, *before)) {
        if (errors.size() < error_count_max) errors.push_back(owned_by_other(*before));
        return;
      }
      list.push_back(*after);
      list.back().owner = owner;
    });
  });
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return result;
}

void keep_owners(const Intent& before, Intent& after, Owner newcomer) {
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const std::vector<T>& old_list = list_of<T>(before);
    auto old_object = old_list.begin();
    for (T& object : list_of<T>(after)) {
      while (old_object != old_list.end() && key_less(*old_object, object)) ++old_object;
      const bool was_there = old_object != old_list.end() && !key_less(object, *old_object);
      object.owner = was_there ? old_object->owner : newcomer;
    }
  });
}

std::size_t count_of_others(const Intent& intent, Owner owner) noexcept {
  std::size_t count = 0;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const std::vector<T>& list = list_of<T>(intent);
    count += static_cast<std::size_t>(std::count_if(
        list.begin(), list.end(), [owner](const T& object) { return object.owner != owner; }));
  });
  return count;
}

}  // namespace cp
