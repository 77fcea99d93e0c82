// SPDX-License-Identifier: Apache-2.0
// Intent → text. JSON is canonical: keys in the order of the description, objects in the order of
// their keys, left-out fields left out; equal intents are equal bytes.
#pragma once

#include "controlplane/intent/model.hpp"

#include <string>
#include <string_view>

namespace cp {

// One object a line.
std::string to_json(const Intent& intent);
std::string to_json(const Object& object);
// An array of all objects of a kind; with a member "owner" where they are shown, not kept.
enum class Shown : bool { no, with_owner };
std::string to_json(const Intent& intent, ObjectKind kind, Shown shown = Shown::no);
std::string to_json_shown(const Object& object);
// As a file that read_intent() takes, one object a line.
std::string to_yaml(const Intent& intent);

// A JSON string with its quotes; for those who compose JSON around ours.
std::string json_string(std::string_view text);

}  // namespace cp
