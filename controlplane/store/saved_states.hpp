// SPDX-License-Identifier: Apache-2.0
// States that somebody gave a name: whole copies, so that they outlive the history that led there.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/store/history.hpp"
#include "controlplane/store/sqlite.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

struct SavedState {
  std::string name;
  std::uint64_t number = 0;  // The newest entry of history at that time.
  std::int64_t time_ms = 0;
  Author who;
  std::uint64_t bytes = 0;
};

inline constexpr std::size_t saved_states_max = 32;

// Within a transaction of the caller's; replaces one of the same name.
Status write_saved_state(Database& database, const SavedState& state, const Intent& intent);
// Refused with not_found.
Status remove_saved_state(Database& database, std::string_view name);
// By name.
Result<std::vector<SavedState>> list_saved_states(Database& database);
// Refused where one is not as it was saved.
Status check_saved_states(Database& database);
Result<Intent> read_saved_state(Database& database, std::string_view name);

}  // namespace cp
