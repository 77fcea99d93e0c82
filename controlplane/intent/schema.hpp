// SPDX-License-Identifier: Apache-2.0
// JSON Schema (draft 2020-12) of the intent and of one object, made from the description.
#pragma once

#include "controlplane/intent/model.hpp"

#include <string>

namespace cp {

std::string intent_schema();
std::string object_schema(ObjectKind kind);
// As the API shows objects: with `state`, what the data plane says of them.
std::string shown_object_schema();   // One, of any kind.
std::string shown_objects_schema();  // All of one kind, under its plural.

}  // namespace cp
