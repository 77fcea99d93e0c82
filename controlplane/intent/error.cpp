// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/error.hpp"

#include <algorithm>
#include <numeric>

namespace cp {
namespace {

// Optimal string alignment: inserted, lost, changed and swapped characters each cost 1.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

}  // namespace

std::string to_string(const Error& error) {
  std::string text;
  if (!error.file.empty()) text += error.file + ":";
  if (error.place.line != 0) {
    if (error.file.empty()) text += "line ";
    text += std::to_string(error.place.line) + ":";
    if (error.place.column != 0) text += std::to_string(error.place.column) + ":";
  }
  if (!text.empty()) text += " ";
  if (!error.object.empty()) text += error.object + ": ";
  if (!error.field.empty()) text += error.field + ": ";
  text += error.message;
  if (!error.suggestion.empty()) text += " (nearest: " + error.suggestion + ")";
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  // A word of 64 characters and more is no slip of the fingers, and the distance is quadratic.
  if (word.empty() || word.size() >= 64) return {};
  std::string_view best;
  // A third of the word may be wrong: "mto" means mtu, "foo" means nothing.
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() >= 64) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  if (best.empty()) {
    // "peer_port" for "port", "unknown" for "unknown_unicast": one holds the other.
    for (const std::string_view candidate : candidates) {
      if (word.size() < 3 || candidate.size() < 3 || candidate.size() >= 64) continue;
      if (candidate.starts_with(word) || word.starts_with(candidate)) return std::string(candidate);
    }
  }
  return std::string(best);
}

}  // namespace cp
