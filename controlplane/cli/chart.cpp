// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace cp {
namespace {

// From nothing to a whole character in eighths.
constexpr std::array<const char*, 9> across = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
constexpr std::array<const char*, 9> upward = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

// The column in which `value` lies; the last one for all beyond.
std::size_t column_of(double value, double full, std::size_t width) {
  const double at = full > 0 ? value / full * static_cast<double>(width) : 0;
  return std::min(static_cast<std::size_t>(std::max(at, 0.0)), width - 1);
}

std::size_t eighths_of(double value, double full, std::size_t width) {
  if (full <= 0 || value <= 0) return 0;
  const double at = std::min(value / full, 1.0) * static_cast<double>(width) * 8;
  // Whatever is there is seen.
  return std::max<std::size_t>(1, static_cast<std::size_t>(at));
}

}  // namespace

std::string bar_text(const Bar& bar, double full, std::size_t width) {
  if (width == 0) return {};
  const std::size_t filled = eighths_of(bar.value, full, width);
  std::string text;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t here = std::min<std::size_t>(filled - std::min(filled, i * 8), 8);
    const bool is_lower = bar.lower && column_of(*bar.lower, full, width) == i;
    const bool is_upper = bar.upper && column_of(*bar.upper, full, width) == i;
    if (is_lower || is_upper) {
      text += here == 8 ? "╫" : "┊";
    } else if (here == 0 && bar.highest > bar.value && column_of(bar.highest, full, width) == i) {
      text += "╵";
    } else {
      text += across[here];
    }
  }
  return text;
}

std::string history_text(const std::deque<double>& values, double full, std::size_t width) {
  std::string text;
  const std::size_t shown = std::min(values.size(), width);
  for (std::size_t i = shown; i < width; ++i) text += ' ';
  for (std::size_t i = values.size() - shown; i < values.size(); ++i) {
    text += upward[eighths_of(values[i], full, 1)];
  }
  return text;
}

double scale_for(double largest) noexcept {
  if (!(largest > 1)) return 1;
  const double tens = std::pow(10, std::floor(std::log10(largest)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (largest <= step * tens) return step * tens;
  }
  return 10 * tens;
}

}  // namespace cp
