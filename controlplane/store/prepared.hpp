// SPDX-License-Identifier: Apache-2.0
// What is said of a change before and after the data plane has it. A change is on disk, whole,
// before any packet can meet it: whoever starts after a crash finds out from the data plane's
// digests whether it came to pass.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/plan/allocation.hpp"
#include "controlplane/store/deadline.hpp"
#include "controlplane/store/history.hpp"
#include "controlplane/store/sqlite.hpp"
#include "dataplane/contract/digest.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cp {

// A change that the data plane is being asked for.
struct Prepared {
  HistoryEntry entry;         // Without number and outcome.
  contract::Digests digests;  // In force once it is.
  std::string redo;     // From what is stored to it (difference.hpp); of what load() has found.
  std::string numbers;  // Of its new names, a line each: "port host1 3".
  std::optional<Deadline> confirm;  // It is undone then, unless confirmed.
};

// A change that is in force and will be undone.
struct Unconfirmed {
  std::uint64_t number = 0;  // In history, which knows how.
  Deadline until;

  friend bool operator==(const Unconfirmed&, const Unconfirmed&) = default;
};

// Names that `after` has numbers for and `before` has not, and back: false where one cannot be.
std::string write_numbers(const Allocation& before, const Allocation& after);
bool restore_numbers(Allocation& allocation, std::string_view text);

// The layer that holds what a change leads to; 0: what was prepared has its redo itself, as former
// releases wrote it, or leads nowhere else.
using LayerNumber = std::int64_t;

// One row each, or none. Writers are called within a transaction and keep `digest`, which adds up
// all rows of the store that must be right.
Status write_prepared(Database& database, const Prepared& prepared, LayerNumber layer,
                      std::uint64_t& digest);
Status write_unconfirmed(Database& database, const Unconfirmed& unconfirmed, std::uint64_t& digest);
Status remove_prepared(Database& database, std::uint64_t& digest);
Status remove_unconfirmed(Database& database, std::uint64_t& digest);
// Without the redo where it is a layer, whose number is then not 0.
Result<std::optional<Prepared>> read_prepared(Database& database, LayerNumber& layer,
                                              std::uint64_t& digest);
Result<std::optional<Unconfirmed>> read_unconfirmed(Database& database, std::uint64_t& digest);

}  // namespace cp
