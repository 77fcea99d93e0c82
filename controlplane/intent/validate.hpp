// SPDX-License-Identifier: Apache-2.0
// Whether a whole intent makes sense: names are unique, what is referred to exists and has the
// right role, numbers are in range, the data plane has room. Pure.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace cp {

// An error and which object (position in its list) and field it is about, for who knows places.
struct Finding {
  ObjectKind kind;
  std::size_t index;
  Error error;
};

// At most error_count_max; none: the intent is good. The lists need not be sorted.
std::vector<Finding> find_faults(const Intent& intent, const Limits& limits);

// The same without positions.
Status validate(const Intent& intent, const Limits& limits);

// What makes room for more of a kind, as the end of a message; nothing does for ports.
std::string room_hint(ObjectKind kind);

// The local VTEP whose address packets to this remote one carry: `source`, or the only local one
// on its port; nullptr where there is no such, which no valid intent has. The intent is sorted.
const Vtep* source_of(const Intent& intent, const Vtep& remote) noexcept;

}  // namespace cp
