// SPDX-License-Identifier: Apache-2.0
// The reader's side. The memory may be of another release or hostile: lists are copied first and
// checked then, so that a writer cannot change them in between, and every element that a checked
// field can name lies inside the mapping.
#include "dataplane/contract/region_fields.hpp"

#include <ctime>
#include <optional>

namespace contract {
namespace {

using base::Errc;
using base::fail;

// More than any release has; bounds what a hostile header makes us allocate.
constexpr std::uint32_t list_entries_max = 4096;
constexpr std::uint32_t text_bytes_max = 4096;
// A writer holds the sequence odd for well under a microsecond while it has its core, for some
// milliseconds where an interrupt or another process takes that from it (seen in one read of ten
// while the core's softirqs were flooded, 2026-11-21), and forever when it is dead.
constexpr int attempts_at_once = 1000;
constexpr int pauses_max = 200;
constexpr timespec pause{.tv_sec = 0, .tv_nsec = 100'000};

bool fits(std::uint64_t offset, std::uint64_t bytes, std::uint64_t total) noexcept {
  return offset <= total && bytes <= total - offset;
}

template <class T>
bool copy_list(std::span<const std::byte> memory, std::uint64_t offset, std::uint32_t count,
               std::vector<T>& list) {
  if (count > list_entries_max || !fits(offset, std::uint64_t{count} * sizeof(T), memory.size())) {
    return false;
  }
  list.resize(count);
  if (count > 0)
    std::memcpy(static_cast<void*>(list.data()), memory.data() + offset, count * sizeof(T));
  return true;
}

bool labels_inside(const LabelList& list, std::uint64_t total) noexcept {
  return fits(list.offset, std::uint64_t{list.count} * label_bytes, total);
}

// True where the last element ends inside and every number is aligned for an atomic load.
bool field_inside(const Field& field, std::size_t label_lists, std::uint64_t total) noexcept {
  const bool is_text = field.kind == FieldKind::text;
  if (!is_text && field.kind != FieldKind::counter && field.kind != FieldKind::gauge) return false;
  if (is_text ? field.element_bytes == 0 || field.element_bytes > text_bytes_max
              : field.element_bytes != sizeof(std::uint64_t)) {
    return false;
  }
  if (field.dimension_count > dimension_count_max) return false;

  std::uint64_t end = field.offset;
  if (!fits(end, field.element_bytes, total)) return false;
  std::uint64_t misalignment = field.offset % sizeof(std::uint64_t);
  for (std::uint32_t i = 0; i < field.dimension_count; ++i) {
    const Dimension& dimension = field.dimensions[i];
    if (dimension.label_list != no_labels && dimension.label_list >= label_lists) return false;
    misalignment |= dimension.stride_bytes % sizeof(std::uint64_t);
    if (dimension.count == 0) continue;
    // Two 32-bit factors cannot overflow 64 bits, and the sum is checked at each step.
    const std::uint64_t reach = std::uint64_t{dimension.count - 1} * dimension.stride_bytes;
    if (!fits(end, reach, total - field.element_bytes)) return false;
    end += reach;
  }
  return is_text || misalignment == 0;
}

// nullopt where an index is missing or out of range.
std::optional<std::uint64_t> element_offset(const Field& field,
                                            std::span<const std::uint32_t> indices) noexcept {
  if (indices.size() != field.dimension_count) return std::nullopt;
  std::uint64_t offset = field.offset;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= field.dimensions[i].count) return std::nullopt;
    offset += std::uint64_t{indices[i]} * field.dimensions[i].stride_bytes;
  }
  return offset;
}

std::uint64_t load(std::span<const std::byte> memory, std::uint64_t offset,
                   std::memory_order order = std::memory_order_relaxed) noexcept {
  // A lock-free load never writes, so the cast is safe on a read-only mapping.
  auto* word = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(memory.data() + offset));
  return std::atomic_ref<std::uint64_t>(*word).load(order);
}

// Where the words of WorkerTotals lie in the region; 0: that release has no such word.
using TotalsOffsets = std::array<std::uint64_t, sizeof(WorkerTotals) / sizeof(std::uint64_t)>;

// By name, as another release may have them elsewhere, more of them, or not all.
TotalsOffsets find_totals(const RegionView& view, std::uint32_t worker) noexcept {
  TotalsOffsets offsets{};
  for (const Member& member : worker_members()) {
    char name[64] = "worker.";
    member.name.copy(name + 7, sizeof name - 8);
    const Field* field = view.find(name);
    if (field == nullptr || field->kind == FieldKind::text) continue;
    const bool is_list = !member.dimensions[0].name.empty();
    std::array<std::uint32_t, 2> indices{worker, 0};
    for (; indices[1] < (is_list ? member.dimensions[0].slots : 1); ++indices[1]) {
      const auto at = element_offset(*field, std::span(indices).first(is_list ? 2 : 1));
      if (at) offsets[member.offset / sizeof(std::uint64_t) + indices[1]] = *at;
    }
  }
  return offsets;
}

}  // namespace

base::Result<RegionView> RegionView::open(std::span<const std::byte> memory) {
  RegionHeader header{};
  if (memory.size() < sizeof header) return fail(Errc::malformed, "region shorter than its header");
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % sizeof(std::uint64_t) != 0) {
    return fail(Errc::invalid_argument, "region is not mapped at an aligned address");
  }
  std::memcpy(&header, memory.data(), sizeof header);
  if (header.magic != region_magic) return fail(Errc::malformed, "region has no magic number");
  if (header.version != region_version) {
    return fail(Errc::version_skew, "region is of a layout that this release cannot read");
  }
  if (header.total_bytes > memory.size()) {
    return fail(Errc::malformed, "region is larger than what was mapped");
  }

  RegionView view;
  view.memory_ = memory.first(header.total_bytes);
  if (!copy_list(view.memory_, header.label_lists_offset, header.label_list_count,
                 view.label_lists_) ||
      !copy_list(view.memory_, header.fields_offset, header.field_count, view.fields_)) {
    return fail(Errc::malformed, "region's lists lie outside of it");
  }
  for (const LabelList& list : view.label_lists_) {
    if (!labels_inside(list, view.memory_.size())) {
      return fail(Errc::malformed, "region's labels lie outside of it");
    }
  }
  for (const Field& field : view.fields_) {
    if (!field_inside(field, view.label_lists_.size(), view.memory_.size())) {
      return fail(Errc::malformed, "region has a field that lies outside of it");
    }
  }
  return view;
}

const Field* RegionView::find(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (to_view(field.name) == name) return &field;
  }
  return nullptr;
}

std::string RegionView::label(std::uint32_t label_list, std::uint32_t position) const {
  if (label_list >= label_lists_.size()) return {};
  const LabelList& list = label_lists_[label_list];
  if (position >= list.count) return {};
  Text<label_bytes> text;
  std::memcpy(text.data(), memory_.data() + list.offset + std::uint64_t{position} * label_bytes,
              label_bytes);
  return std::string(to_view(text));
}

std::uint64_t RegionView::value(const Field& field,
                                std::span<const std::uint32_t> indices) const noexcept {
  if (field.kind == FieldKind::text) return 0;
  const auto offset = element_offset(field, indices);
  return offset ? load(memory_, *offset) : 0;
}

std::string RegionView::text(const Field& field, std::span<const std::uint32_t> indices) const {
  if (field.kind != FieldKind::text) return {};
  const auto offset = element_offset(field, indices);
  if (!offset) return {};
  std::string copy(reinterpret_cast<const char*>(memory_.data() + *offset), field.element_bytes);
  copy.resize(::strnlen(copy.data(), copy.size()));
  return copy;
}

base::Result<WorkerTotals> RegionView::read_totals(std::uint32_t worker) const noexcept {
  const TotalsOffsets offsets = find_totals(*this, worker);
  static_assert(offsetof(WorkerTotals, sequence) == 0);
  const std::uint64_t sequence = offsets[0];
  if (sequence == 0) return fail(Errc::not_found, "no such worker");

  for (int attempt = 1; attempt < attempts_at_once * pauses_max; ++attempt) {
    if (attempt % attempts_at_once == 0) ::nanosleep(&pause, nullptr);
    // Acquire pairs with the release in end_totals(): after an even number its values are seen.
    const std::uint64_t before = load(memory_, sequence, std::memory_order_acquire);
    if (before % 2 != 0) continue;
    TotalsOffsets words{};
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (offsets[i] != 0) words[i] = load(memory_, offsets[i]);
    }
    // Pairs with the fence in begin_totals(): had we read a newer value, we see the odd number.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (load(memory_, sequence) != before) continue;
    WorkerTotals totals;
    static_assert(sizeof totals == sizeof words);
    std::memcpy(static_cast<void*>(&totals), words.data(), sizeof totals);
    return totals;
  }
  return fail(Errc::timed_out, "a worker stopped while it wrote its totals");
}

}  // namespace contract
