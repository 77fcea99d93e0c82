// SPDX-License-Identifier: Apache-2.0
#include "controlplane/plan/owners.hpp"

#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/merge.hpp"

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

// Whether what a list is to be is what the whole says, with nothing of anybody else.
template <class T>
bool is_whole(const ListOf<T>& current, const ListOf<T>& whole, Owner owner, TakeOver take_over) {
  const auto is_owners = [owner](const T& object) {
    return object.owner == owner;
  };
  return (take_over == TakeOver::yes || std::all_of(current.begin(), current.end(), is_owners)) &&
         std::all_of(whole.begin(), whole.end(), is_owners);
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
    ListOf<T>& list = list_of<T>(result);
    if (is_whole<T>(list_of<T>(current), list_of<T>(whole), owner, take_over)) {
      list = std::move(list_of<T>(whole));
      return;
    }
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
      T mine = *after;
      mine.owner = owner;
      list.push_back(std::move(mine));
    });
  });
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return result;
}

void keep_owners(const Intent& before, Intent& after, Owner newcomer) {
  for_each_kind([&]<class T>(std::type_identity<T>) {
    std::vector<T> mended;
    const Merge<T> merge(list_of<T>(before), list_of<T>(after));
    merge.for_each_change([&](const T* old_object, const T* new_object) {
      if (new_object == nullptr) return;
      const Owner owner = old_object != nullptr ? old_object->owner : newcomer;
      if (new_object->owner == owner) return;
      mended.push_back(*new_object);
      mended.back().owner = owner;
    });
    for (T& object : mended) put(after, std::move(object));
  });
}

OwnerCounts count_owners(const Intent& intent) noexcept {
  OwnerCounts counts{};
  for_each_kind([&]<class T>(std::type_identity<T>) {
    for (const T& object : list_of<T>(intent)) ++counts[static_cast<std::size_t>(object.owner)];
  });
  return counts;
}

}  // namespace cp
