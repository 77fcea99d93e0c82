// SPDX-License-Identifier: Apache-2.0
// JSON Schema (draft 2020-12) of the intent and of one object, made from the description.
#pragma once

#include "controlplane/intent/model.hpp"

#include <string>

namespace cp {

std::string intent_schema();
std::string object_schema(ObjectKind kind);

}  // namespace cp
