// SPDX-License-Identifier: Apache-2.0
// What the first 16 bytes of a generated payload say: which transmission of its QP the frame is,
// and when it left. Retransmissions count on, so a receiver tells loss from what RC repairs.
#pragma once

#include "dataplane/base/byte_order.hpp"

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

namespace pktgen {

using Time = std::uint64_t;  // Picoseconds of some clock: at 800 Gb/s a byte takes 10.
inline constexpr Time ps_per_ns = 1'000, ps_per_us = 1'000'000, ps_per_ms = 1'000'000'000,
                      ps_per_s = 1'000'000'000'000;
inline constexpr Time never = std::numeric_limits<Time>::max();

struct Stamp {
  static constexpr std::uint32_t magic = 0x5765'6972;  // "Weir".

  base::be32 mark{magic};
  base::be32 sequence;
  base::be64 sent_at;
};
static_assert(sizeof(Stamp) == 16 && alignof(Stamp) == 1);

inline std::optional<Stamp> read_stamp(std::span<const std::uint8_t> payload) noexcept {
  Stamp stamp;
  if (payload.size() < sizeof stamp) return std::nullopt;
  std::memcpy(&stamp, payload.data(), sizeof stamp);
  if (stamp.mark != base::be32(Stamp::magic)) return std::nullopt;
  return stamp;
}

}  // namespace pktgen
