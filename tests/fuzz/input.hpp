// SPDX-License-Identifier: Apache-2.0
// A fuzzer's bytes, read from the front as choices and pieces. Zero where they have ended, so that
// every input means something.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t number() {
    const std::uint8_t high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  // Up to `bytes` of what is left.
  std::vector<std::uint8_t> take(std::size_t bytes) {
    const auto piece = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(piece.size());
    return {piece.begin(), piece.end()};
  }
  std::vector<std::uint8_t> take_all() { return take(rest_.size()); }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace fuzz
