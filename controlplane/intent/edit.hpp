// SPDX-License-Identifier: Apache-2.0
// Changes of single objects: what `weir port add …` and batches do to an intent. Each checks that
// the object is there or not, and that nothing which stays refers to what goes; after the last
// edit of a transaction, validate() judges the whole.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cp {

// Refused with already_exists where the key is taken.
Status add(Intent& intent, Object object);
// Puts `object` in the place of the one with the same key; refused with not_found.
Status replace(Intent& intent, Object object);
// Adds or replaces.
void put(Intent& intent, Object object);
// Refused with not_found, and with in_use where others refer to it: the message names them.
Status remove(Intent& intent, ObjectKind kind, std::string_view key);

struct FieldSetting {
  std::string field;
  std::string text;  // As set_field() reads it; empty: unset.
};

// Changes only the named fields of an existing object.
Status set(Intent& intent, ObjectKind kind, std::string_view key,
           const std::vector<FieldSetting>& settings);
// A new object of these fields; its key is among them.
Status add(Intent& intent, ObjectKind kind, const std::vector<FieldSetting>& settings);

// That nothing has this key; what comes nearest stands in it.
Error no_such(const Intent& intent, ObjectKind kind, std::string_view key);

// Titles of what refers to the object ("endpoint blue/…", "port host0"), at most `most` of them.
std::vector<std::string> users_of(const Intent& intent, ObjectKind kind, std::string_view key,
                                  std::size_t most);

}  // namespace cp
