// SPDX-License-Identifier: Apache-2.0
// Which slots a transaction has changed, in bounded memory: a short list, and beyond it a walk over
// all slots. Also refuses what the life of a transaction does not allow. Housekeeper only.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/table/memory.hpp"

#include <cstdint>
#include <utility>

namespace dp {

class Changes {
 public:
  // 4,096, not one per slot: a transaction that changes more is a bulk load, for which a walk over
  // all slots costs less than the changes did (24 MB for 1M entries: about 2 ms, in slices).
  static constexpr std::uint32_t listed_max = 4096;

  static base::Result<Changes> make(std::uint32_t slot_count) noexcept;

  // Before each change. Fails while the changes of another generation are not settled.
  base::Status open(base::Generation generation) noexcept {
    if (phase_ == Phase::idle) {
      phase_ = Phase::staging;
      generation_ = generation;
    }
    if (phase_ != Phase::staging || generation_ != generation) {
      return base::fail(base::Errc::wrong_state, "the previous transaction is not settled yet");
    }
    return {};
  }

  void add(std::uint32_t slot) noexcept {
    if (listed_ < listed_max) {
      slots_[listed_++] = slot;
    } else {
      walk_ = true;
    }
  }
  void add_all() noexcept { walk_ = true; }

  // Call `visit(slot)` for at most `slots_max` slots, among them every changed one; slots come more
  // than once and unchanged ones too. True: call again, nothing can be staged until then.
  template <class Visit>
  bool settle(std::uint32_t slots_max, Visit&& visit) noexcept {
    return finish(Phase::settling, slots_max, std::forward<Visit>(visit));
  }
  template <class Visit>
  bool abort(std::uint32_t slots_max, Visit&& visit) noexcept {
    return finish(Phase::aborting, slots_max, std::forward<Visit>(visit));
  }

 private:
  enum class Phase : std::uint8_t { idle, staging, settling, aborting };

  Changes(TableMemory memory, std::uint32_t slot_count) noexcept
      : memory_(std::move(memory)),
        slots_(reinterpret_cast<std::uint32_t*>(memory_.get())),
        slot_count_(slot_count) {}

  template <class Visit>
  bool finish(Phase phase, std::uint32_t slots_max, Visit&& visit) noexcept;

  TableMemory memory_;
  std::uint32_t* slots_;  // In memory_; listed_max of them.
  std::uint32_t slot_count_;
  std::uint32_t listed_ = 0;
  std::uint32_t cursor_ = 0;
  bool walk_ = false;  // The list is not all: visit every slot.
  Phase phase_ = Phase::idle;
  base::Generation generation_ = 0;  // Of the changes while not idle.
};

inline base::Result<Changes> Changes::make(std::uint32_t slot_count) noexcept {
  auto memory = map_table_memory(listed_max * sizeof(std::uint32_t));
  if (!memory) return std::unexpected(memory.error());
  return Changes(std::move(*memory), slot_count);
}

template <class Visit>
bool Changes::finish(Phase phase, std::uint32_t slots_max, Visit&& visit) noexcept {
  if (phase_ == Phase::idle) return false;
  phase_ = phase;

  const std::uint32_t end = walk_ ? slot_count_ : listed_;
  for (; cursor_ < end && slots_max > 0; ++cursor_, --slots_max) {
    visit(walk_ ? cursor_ : slots_[cursor_]);
  }
  if (cursor_ < end) return true;

  phase_ = Phase::idle;
  listed_ = cursor_ = 0;
  walk_ = false;
  return false;
}

}  // namespace dp
