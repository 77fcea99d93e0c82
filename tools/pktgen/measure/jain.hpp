// SPDX-License-Identifier: Apache-2.0
// Jain's index of fairness (Jain, Chiu, Hawe 1984): 1 where all have the same, 1/n where one has it
// all.
#pragma once

#include <span>

namespace pktgen {

// 1 where nobody has anything.
inline double jain_index(std::span<const double> shares) noexcept {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 1 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace pktgen
