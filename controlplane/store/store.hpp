// SPDX-License-Identifier: Apache-2.0
// The intent on disk: one row per object, the numbers of names, and what the data plane last said.
// Every save is one transaction that is on the disk when it returns, and touches only rows that
// changed. One process has the file at a time.
//
// What is saved adds up to a digest that is saved with it, so that a flipped bit is not taken for
// what the operator wants.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/plan/allocation.hpp"
#include "controlplane/store/sqlite.hpp"
#include "dataplane/contract/digest.hpp"

#include <cstdint>
#include <string>

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
};

class Store {
 public:
  // Creates what is missing. Refuses files of newer releases, damaged ones and other programs'.
  static Result<Store> open(const std::string& path);

  // The last saved state, checked; empty in a new store. `limits` are the allocation's.
  Result<Saved> load(const Limits& limits);

  // From what load() or the last save left (`before`) to `after`, with the numbers of its names.
  // Refused, and nothing changed, where the file does not hold `before`.
  Status save(const Intent& before, const Intent& after, const Allocation& allocation);
  Status save_applied(const Applied& applied);

  const std::string& path() const noexcept { return database_.path(); }
  // Rows that the last save() wrote or deleted; for tests of its thrift.
  std::uint64_t rows_changed() const noexcept { return rows_changed_; }

 private:
  explicit Store(Database database) : database_(std::move(database)) {}

  Status save_objects(const Intent& before, const Intent& after, std::uint64_t& digest);
  Status save_numbers(const Allocation& allocation, std::uint64_t& digest);
  Result<std::string> read_objects(std::uint64_t& digest);
  Status read_numbers(Allocation& allocation, std::uint64_t& digest);
  Error damaged(std::string what) const;

  Database database_;
  // As saved.
  Allocation numbers_{Limits{.ports = 64, .vteps = 65535, .networks = 65535, .next_hops = 32767}};
  std::uint64_t rows_changed_ = 0;
};

}  // namespace cp
