// SPDX-License-Identifier: Apache-2.0
// What is counted of received frames. Sums only grow, so that a second is the difference of two.
#pragma once

#include "tools/pktgen/roce/parse.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace pktgen {

inline constexpr std::size_t parse_error_count = 9;

struct ReceiveCounters {
  std::uint64_t frames = 0;  // All that came.
  std::uint64_t bytes = 0;
  std::uint64_t roce = 0;        // Of them with a valid ICRC and a queue pair of the profile.
  std::uint64_t roce_bytes = 0;  // Of their whole frames.
  std::uint64_t tunnelled = 0;
  std::uint64_t icrc_errors = 0;
  std::uint64_t unknown_qps = 0;
  std::array<std::uint64_t, parse_error_count> not_roce{};  // By ParseError.
  std::array<std::uint64_t, 4> ecn{};                       // Of roce, by the field's two bits.
  std::uint64_t requests = 0;
  std::uint64_t acks = 0;
  std::uint64_t cnps = 0;
  std::uint64_t lost = 0;  // Gaps in PSNs; falls when a late frame comes.
  std::uint64_t late = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t too_old = 0;
  std::uint64_t wrong_clocks = 0;  // Stamps of the future: from another machine's clock.
};

// Of one queue pair.
struct FlowCounters {
  std::uint64_t bytes = 0;
  std::uint32_t frames = 0;
  std::uint32_t ce = 0;
  std::uint32_t lost = 0;
  std::uint32_t late = 0;
  std::uint32_t duplicates = 0;
};

}  // namespace pktgen
