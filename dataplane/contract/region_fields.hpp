// SPDX-License-Identifier: Apache-2.0
// The members of counters.hpp as a list: name, unit, help, place. Private to region*.cpp and its
// tests; readers of a region use RegionView, which needs no list of its own.
#pragma once

#include "dataplane/contract/region.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace contract {

// The label lists of a region, in their order.
enum class Labels : std::uint32_t {
  drop_reason,
  packet_kind,
  ecn,
  stage,
  host_class,
  depth,
  gap,
  count,
  none = no_labels
};

// One dimension inside a block.
struct MemberDimension {
  std::string_view name;
  Labels labels;
  std::uint32_t count;  // Positions that have a name.
  std::uint32_t slots;  // Positions that have room.
  std::uint32_t stride_bytes;
};

// One member of a block.
struct Member {
  std::string_view name;
  std::string_view unit;
  FieldKind kind;
  std::string_view help;
  std::size_t offset;
  std::array<MemberDimension, 2> dimensions{};  // Those without a name are absent.
  std::uint32_t element_bytes = 8;
};

std::span<const Member> worker_members() noexcept;
std::span<const Member> gap_members() noexcept;
std::span<const Member> stage_members() noexcept;
std::span<const Member> port_members() noexcept;
std::span<const Member> network_members() noexcept;
std::span<const Member> vtep_members() noexcept;
std::span<const Member> port_state_members() noexcept;
std::span<const Member> worker_place_members() noexcept;
std::span<const Member> next_hop_members() noexcept;
std::span<const Member> neighbour_members() noexcept;
std::span<const Member> queue_members() noexcept;
std::span<const Member> global_members() noexcept;

// Header, label lists and fields together.
std::uint64_t description_bytes(const RegionShape& shape) noexcept;

}  // namespace contract
