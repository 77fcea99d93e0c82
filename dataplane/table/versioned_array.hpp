// SPDX-License-Identifier: Apache-2.0
// Records by index in two versions: what the generation in force has, and what the next will have.
// For the small things that packets refer to by number: networks, VTEPs, port configurations.
//
// A slot is a Version word and two copies of T; the word's values 0 and 1 say which copy each
// generation sees. Staging writes the copy that the generation in force does not see, with plain
// stores: no batch reads it, because its last readers passed a quiescent point before the changes
// that retired it were settled (see version.hpp), and its next ones come after the flip.
//
//     word {older: 0, newer: 1, T}   copy 0: batches at G   copy 1: written now, batches at T
//
// One transaction: stage…, flip, all_passed, settle; or abort before the flip. As in ExactMatch.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/base/id.hpp"
#include "dataplane/table/changes.hpp"
#include "dataplane/table/memory.hpp"
#include "dataplane/table/version.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace dp {

template <class T>
class VersionedArray {
  static_assert(std::is_trivially_copyable_v<T>, "records are copied as bytes and never destroyed");
  static_assert(alignof(T) <= 64);
  static_assert(sizeof(T) <= 1024, "a place in the largest array fits 32 bits");

 public:
  static constexpr std::uint32_t count_max = 1U << 20;
  static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

  // Indices 0..count-1, all absent.
  static base::Result<VersionedArray> make(std::uint32_t count) noexcept;
  static std::size_t bytes_for(std::uint32_t count) noexcept { return count * sizeof(Slot); }

  // Workers: the record of a batch's generation, good until the batch's quiescent point; nullptr
  // where absent or out of range.
  const T* find(std::uint32_t index, base::Generation generation) const noexcept {
    if (index >= count_) return nullptr;
    const Slot& slot = slots_[index];
    return slot.record(slot.version().seen_by(generation));
  }

  // The same in two steps, for those who need the record again later in the batch: where it lies,
  // or nowhere; and what lies there.
  static constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t locate(std::uint32_t index, base::Generation generation) const noexcept {
    if (index >= count_) return nowhere;
    const std::uint32_t copy = slots_[index].version().seen_by(generation);
    if (copy == no_value) return nowhere;
    return index * static_cast<std::uint32_t>(sizeof(Slot)) +
           static_cast<std::uint32_t>(offsetof(Slot, copies)) +
           copy * static_cast<std::uint32_t>(sizeof(T));
  }
  const T& at(std::uint32_t place) const noexcept {
    return *reinterpret_cast<const T*>(memory_.get() + place);
  }

  // For who asks soon: the first line of either copy, and of the word.
  void prefetch(std::uint32_t index) const noexcept {
    const Slot* slot = slots_ + index;  // Never read: it may lie behind the last one.
    __builtin_prefetch(slot);
    __builtin_prefetch(&slot->copies[0]);
    __builtin_prefetch(&slot->copies[1]);
  }

  // The housekeeper; nothing below allocates. `next` is the generation in the making.
  base::Status stage(std::uint32_t index, const T& record, base::Generation next) noexcept;
  base::Status stage_removal(std::uint32_t index, base::Generation next) noexcept;
  // What the transaction has made of it so far; good until the next change of this index.
  const T* staged(std::uint32_t index) const noexcept {
    if (index >= count_) return nullptr;
    return slots_[index].record(slots_[index].version().newer());
  }

  // Only when every worker has passed the flip. True: more to be done.
  bool settle(std::uint32_t slots_max = unlimited) noexcept;
  // Back to what is in force; only before the flip. True: more to be done.
  bool abort(std::uint32_t slots_max = unlimited) noexcept;

  // Records as the housekeeper sees them.
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t count() const noexcept { return count_; }
  std::size_t bytes() const noexcept { return bytes_for(count_); }
  // f(index, record) for each of them, by rising index.
  template <class F>
  void for_each(F&& f) const noexcept {
    for (std::uint32_t index = 0; index < count_; ++index) {
      if (const T* record = staged(index)) f(index, *record);
    }
  }

 private:
  // Large records start on a line of their own, so that neighbours do not share one.
  static constexpr std::size_t alignment = sizeof(T) >= 64 ? 64 : (alignof(T) > 8 ? alignof(T) : 8);

  struct alignas(alignment) Slot {
    std::uint64_t word;  // A Version; written by the housekeeper, read by workers.
    T copies[2];

    // Relaxed: version.hpp says why.
    Version version() const noexcept {
      // Until C++26, atomic_ref takes no const object.
      auto& field = const_cast<std::uint64_t&>(word);
      return Version{std::atomic_ref(field).load(std::memory_order_relaxed)};
    }
    void put(Version version) noexcept {
      std::atomic_ref(word).store(version.word(), std::memory_order_relaxed);
    }
    const T* record(std::uint32_t copy) const noexcept {
      return copy == no_value ? nullptr : &copies[copy];
    }
  };

  VersionedArray(TableMemory memory, std::uint32_t count, Changes changes) noexcept
      : memory_(std::move(memory)),
        slots_(reinterpret_cast<Slot*>(memory_.get())),
        count_(count),
        changes_(std::move(changes)) {}

  TableMemory memory_;
  Slot* slots_;  // In memory_; zeroed memory is absent records.
  std::uint32_t count_;
  std::uint32_t size_ = 0;
  Changes changes_;
};

template <class T>
base::Result<VersionedArray<T>> VersionedArray<T>::make(std::uint32_t count) noexcept {
  if (count == 0 || count > count_max) {
    return base::fail(base::Errc::invalid_argument, "an array holds 1 to 1,048,576 records");
  }
  auto memory = map_table_memory(bytes_for(count));
  if (!memory) return std::unexpected(memory.error());
  auto changes = Changes::make(count);
  if (!changes) return std::unexpected(changes.error());
  return VersionedArray(std::move(*memory), count, std::move(*changes));
}

template <class T>
base::Status VersionedArray<T>::stage(std::uint32_t index, const T& record,
                                      base::Generation next) noexcept {
  if (index >= count_) {
    return base::fail(base::Errc::invalid_argument, "an index beyond the table's size");
  }
  if (auto open = changes_.open(next); !open) return open;

  Slot& slot = slots_[index];
  const Version before = slot.version();
  const std::uint32_t copy = before.older() == 0 ? 1 : 0;
  std::construct_at(&slot.copies[copy], record);
  slot.put(before.staged(copy, next));
  size_ += static_cast<std::uint32_t>(before.newer() == no_value);
  if (!before.changed()) changes_.add(index);
  return {};
}

template <class T>
base::Status VersionedArray<T>::stage_removal(std::uint32_t index, base::Generation next) noexcept {
  if (staged(index) == nullptr) return base::fail(base::Errc::not_found, "no such record");
  if (auto open = changes_.open(next); !open) return open;

  Slot& slot = slots_[index];
  const Version before = slot.version();
  slot.put(before.staged(no_value, next));
  --size_;
  if (!before.changed()) changes_.add(index);
  return {};
}

template <class T>
bool VersionedArray<T>::settle(std::uint32_t slots_max) noexcept {
  return changes_.settle(slots_max, [this](std::uint32_t index) {
    Slot& slot = slots_[index];
    const Version version = slot.version();
    if (version.changed()) slot.put(version.settled());
  });
}

template <class T>
bool VersionedArray<T>::abort(std::uint32_t slots_max) noexcept {
  return changes_.abort(slots_max, [this](std::uint32_t index) {
    Slot& slot = slots_[index];
    const Version version = slot.version();
    size_ -= static_cast<std::uint32_t>(version.newer() != no_value);
    size_ += static_cast<std::uint32_t>(version.older() != no_value);
    if (version.changed()) slot.put(version.aborted());
  });
}

}  // namespace dp
