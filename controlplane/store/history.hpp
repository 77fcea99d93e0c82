// SPDX-License-Identifier: Apache-2.0
// The log of changes: who did what, when, with which outcome, and what undoes it. Rows are added
// and never changed; the oldest go when there are too many.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/plan/changes.hpp"
#include "controlplane/store/sqlite.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

// Who asked, by the kernel's word.
struct Author {
  std::int64_t uid = -1;  // -1: nobody known.
  std::string user;       // Their name at that time; empty where they have none.
  std::int64_t pid = 0;

  friend bool operator==(const Author&, const Author&) = default;
};

enum class Outcome : std::uint8_t {
  applied,     // In force in the data plane.
  pending,     // Wanted; no data plane was there to take it.
  refused,     // By the data plane: changed nowhere.
  unfinished,  // The control plane ended before it knew; given up when it came back.
  confirmed,   // An earlier change stays.
  saved,       // The state got a name.
  forgotten,   // A name was given up.
};
std::string_view name(Outcome outcome) noexcept;
// Whether the intent was another afterwards.
bool changes_intent(Outcome outcome) noexcept;

struct HistoryEntry {
  std::uint64_t number = 0;  // The store gives it: 1, 2, 3, …
  std::int64_t time_ms = 0;  // Since 1970.
  Author who;
  std::string what;  // "apply", "set port wire0", "rollback to 12".
  Outcome outcome = Outcome::applied;
  std::string reason;            // Of a refusal.
  std::uint64_t generation = 0;  // Of the data plane; 0: none took it.
  ChangeCounts counts;
  std::string changes;     // A line each, the first ones.
  bool sound = true;       // False: an accident has met the row.
  bool reachable = false;  // Listed entries: rollback() can lead back to what it left.

  friend bool operator==(const HistoryEntry&, const HistoryEntry&) = default;
};

inline constexpr std::uint64_t history_entries_max = 10'000;
inline constexpr std::uint64_t undo_entries_max = 500;
inline constexpr std::uint64_t undo_bytes_max = 256u << 20;

// Within a transaction of the caller's. `undo` is written for what changed the intent.
Result<std::uint64_t> append_history(Database& database, const HistoryEntry& entry,
                                     std::string_view undo);

// The newest `most` entries before `before` (0: the newest of all), newest first.
Result<std::vector<HistoryEntry>> read_history(Database& database, std::size_t most,
                                               std::uint64_t before = 0);

// Refused where an entry, or what undoes it, is not as it was written.
Status check_history(Database& database);

// The intent as change `number` left it, by undoing all later ones in `now`; 0: before the first.
Result<Intent> undo_history(Database& database, const Intent& now, std::uint64_t number);

// The number of the newest entry, and of the newest that changed the intent; 0: none.
Result<std::uint64_t> newest_entry(Database& database);
Result<std::uint64_t> newest_change(Database& database);

}  // namespace cp
