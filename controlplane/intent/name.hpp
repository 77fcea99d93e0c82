// SPDX-License-Identifier: Apache-2.0
// The name of an object as the operator wrote it: a value of 8 bytes that shares its text, so
// that a million endpoints which say the same network cost its characters once.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string_view>

namespace cp {

class Name {
 public:
  // NUL-terminated it must fit contract::Text<name_bytes>.
  static constexpr std::size_t size_max = 31;

  // nullopt where `text` is no name: 1..31 letters, digits and . _ -, a letter or digit first.
  static std::optional<Name> make(std::string_view text);

  Name() = default;  // Empty: no name given.
  Name(const Name& other) noexcept;
  Name(Name&& other) noexcept : shared_(other.shared_) { other.shared_ = nullptr; }
  Name& operator=(Name other) noexcept;
  ~Name();

  bool empty() const noexcept { return shared_ == nullptr; }
  std::string_view view() const noexcept;

  friend bool operator==(const Name& left, const Name& right) noexcept {
    return left.shared_ == right.shared_ || left.view() == right.view();
  }
  friend std::strong_ordering operator<=>(const Name& left, const Name& right) noexcept {
    if (left.shared_ == right.shared_) return std::strong_ordering::equal;
    return left.view() <=> right.view();
  }

 private:
  struct Shared;

  Shared* shared_ = nullptr;  // Counted; the last Name frees it.
};

}  // namespace cp
