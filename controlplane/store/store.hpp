// SPDX-License-Identifier: Apache-2.0
// The intent on disk: the differences that led to it, the numbers of names, how it came to be, and
// what the data plane last said. Every save is one transaction that is on the disk, in two files,
// when it returns, and writes what changed. One process has the files at a time.
//
// What is saved adds up to a digest that is saved with it, so that a flipped bit is not taken for
// what the operator wants.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/plan/allocation.hpp"
#include "controlplane/store/history.hpp"
#include "controlplane/store/layers.hpp"
#include "controlplane/store/prepared.hpp"
#include "controlplane/store/saved_states.hpp"
#include "controlplane/store/sqlite.hpp"
#include "dataplane/contract/digest.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

// What was in force in the data plane when it last answered a commit.
struct Applied {
  std::uint64_t boot_id = 0;  // 0: never heard of one.
  std::uint64_t generation = 0;
  contract::Digests digests{};

  friend bool operator==(const Applied&, const Applied&) = default;
};

struct Saved {
  Intent intent;
  Allocation allocation;
  Applied applied;
  std::optional<Prepared> prepared;  // Nobody knows whether the data plane has it.
  std::optional<Unconfirmed> unconfirmed;
};

// What is saved of a change beside the intent that it leads to.
struct SaveRecord {
  HistoryEntry entry;
  std::optional<Applied> applied;   // Where the data plane has it already.
  std::optional<Deadline> confirm;  // Undone then, unless confirmed.
};

class Store {
 public:
  // Creates what is missing. Of the file and its copy the newest sound one is used, with an alarm
  // where something was wrong. Refuses files of newer releases, damaged ones and other programs'.
  static Result<Store> open(const std::string& path);

  // The last saved state, checked; empty in a new store. `limits` are the allocation's.
  Result<Saved> load(const Limits& limits);

  // A change that the data plane is about to be asked for, before it is: `next` is what it leads
  // to, and `prepared` says the rest but for its redo. One at a time.
  Status prepare(const Intent& next, const Prepared& prepared);
  // It did not come to pass; `entry` says why.
  Status give_up_prepared(const HistoryEntry& entry);

  // From what load() or the last save left to `next`, with the numbers of its names; ends what was
  // prepared or unconfirmed, and writes little where it is what was prepared. Refused, and nothing
  // changed, where the file holds something else. Returns the number of the entry in history.
  Result<std::uint64_t> save(const Intent& next, const Allocation& allocation,
                             const SaveRecord& record);
  // What needs not be done while somebody waits: differences become one, the log is emptied, a copy
  // that failed is made anew, at most once a minute.
  Status tidy();

  Status save_applied(const Applied& applied);
  // What was unconfirmed stays.
  Result<std::uint64_t> confirm(const HistoryEntry& entry);
  // Gives what is saved a name, or takes one back; refused with not_found.
  Result<std::uint64_t> save_state(std::string_view name, const Intent& intent,
                                   const HistoryEntry& entry);
  Result<std::uint64_t> forget_state(std::string_view name, const HistoryEntry& entry);

  // For what reads history and saved states.
  Database& database() noexcept { return database_; }
  // What the operator must know of the files, a line each; empty: all is well.
  std::string alarm() const;
  bool has_copy() const noexcept { return database_.copy() != nullptr || path() == ":memory:"; }
  // As saved last.
  const Allocation& numbers() const noexcept { return numbers_; }
  const std::string& path() const noexcept { return database_.path(); }

 private:
  explicit Store(Database database) : database_(std::move(database)) {}

  // Calls f(digest), which writes rows and keeps their digest, as one transaction.
  template <class F>
  Status transact(F&& f);
  // The same of something that stands in history alone.
  template <class F>
  Result<std::uint64_t> record(const HistoryEntry& entry, F&& f);
  LayerNumber next_layer() const noexcept {
    return layers_.empty() ? 1 : layers_.back().number + 1;
  }
  Result<std::optional<Layer>> write_change(std::string_view difference, std::uint64_t& digest);
  Status remove_prepared_layer(std::uint64_t& digest);
  void forget_prepared() noexcept;
  Status read_intent(Saved& saved, std::uint64_t& digest);
  Status keep_copy();
  bool is_long() const noexcept;
  Status make_one_layer();

  Database database_;
  // As saved.
  Intent intent_;
  Allocation numbers_{limits_unknown};
  std::vector<Layer> layers_;
  std::uint64_t rows_digest_ = 0;  // Of objects as former releases wrote them; 0: there are none.
  // What is prepared: its layer, and what it leads to where this process has prepared it.
  std::optional<Layer> prepared_layer_;
  std::optional<Intent> prepared_;
  std::chrono::steady_clock::time_point copy_due_{};  // When it may be tried again.
};

}  // namespace cp
