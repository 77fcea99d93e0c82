// SPDX-License-Identifier: Apache-2.0
// Bars and lines of characters: how much waits in a queue, now and lately. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace cp {

// One bar: its value, the highest so far, and where lines are drawn across it.
struct Bar {
  double value = 0;
  double highest = 0;
  std::optional<double> lower;  // Kmin.
  std::optional<double> upper;  // Kmax.
};

// `bar` on a scale that ends at `full`, in `width` columns, each an eighth of a character fine:
// "████▌   ┊     ┊  ╵".
std::string bar_text(const Bar& bar, double full, std::size_t width);

// The last values as little columns, the newest at the right: "▁▂▅█".
std::string history_text(const std::deque<double>& values, double full, std::size_t width);

// Where a scale ends that shows all of them and does not change with every look: 1, 2 or 5 and
// zeros.
double scale_for(double largest) noexcept;

}  // namespace cp
