// SPDX-License-Identifier: Apache-2.0
// The rows that say which number the contract uses for which name.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/plan/allocation.hpp"
#include "controlplane/store/sqlite.hpp"

#include <array>
#include <cstdint>

namespace cp {

// Of which the names have numbers.
inline constexpr std::array numbered_kinds = {ObjectKind::port, ObjectKind::vtep,
                                              ObjectKind::network, ObjectKind::next_hop};

// Both keep `digest`, which adds up all rows of the store that must be right.
Status read_numbers(Database& database, Allocation& allocation, std::uint64_t& digest);
// What differs from `saved`; called within a transaction. Refused where the file holds others.
Status write_numbers(Database& database, const Allocation& saved, const Allocation& allocation,
                     std::uint64_t& digest);

}  // namespace cp
