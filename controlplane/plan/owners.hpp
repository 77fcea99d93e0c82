// SPDX-License-Identifier: Apache-2.0
// Several sources change one intent: a file that is applied as a whole, commands that name single
// objects. A whole replaces what its owner has and touches nothing else; a command touches what it
// names, whoever owns it. Pure.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"

#include <array>
#include <cstddef>

namespace cp {

// Whether a whole may take what others own: then it is the intent, and they have nothing.
enum class TakeOver : bool { no, yes };

// `current` with `whole` in the place of what `owner` had. What others own stays; where `whole`
// says the very same of such an object it becomes the owner's, and where it says something else
// this is refused, naming each. Both are sorted, and so is what is returned; nobody has judged it
// yet.
Result<Intent> with_whole(const Intent& current, Intent whole, Owner owner, TakeOver take_over);

// After an edit of `before`: what was there keeps its owner, what is new is `newcomer`'s.
void keep_owners(const Intent& before, Intent& after, Owner newcomer);

// How many objects each owner has.
using OwnerCounts = std::array<std::size_t, owner_count>;
OwnerCounts count_owners(const Intent& intent) noexcept;

}  // namespace cp
