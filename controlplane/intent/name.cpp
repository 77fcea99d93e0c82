// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/name.hpp"

#include "dataplane/contract/limits.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

namespace cp {

static_assert(Name::size_max + 1 == contract::name_bytes);

struct Name::Shared {
  std::atomic<std::uint32_t> owners;
  std::uint32_t size;
  std::array<char, size_max + 1> text;
};

namespace {

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > Name::size_max || !is_letter_or_digit(text[0])) return false;
  for (const char c : text) {
    if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

}  // namespace

std::optional<Name> Name::make(std::string_view text) {
  if (!is_name(text)) return std::nullopt;
  Name result;
  result.shared_ =
      new Shared{.owners = 1, .size = static_cast<std::uint32_t>(text.size()), .text = {}};
  text.copy(result.shared_->text.data(), size_max);
  return result;
}

Name::Name(const Name& other) noexcept : shared_(other.shared_) {
  // A new owner comes from a living one, so that nothing needs to be ordered.
  if (shared_ != nullptr) shared_->owners.fetch_add(1, std::memory_order_relaxed);
}

Name& Name::operator=(Name other) noexcept {
  std::swap(shared_, other.shared_);
  return *this;
}

Name::~Name() {
  if (shared_ == nullptr) return;
  // Acquire and release: pairs with itself in the other owners, whose reads of the text end
  // before the last one frees it.
  if (shared_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared_;
}

std::string_view Name::view() const noexcept {
  if (shared_ == nullptr) return {};
  return {shared_->text.data(), shared_->size};
}

}  // namespace cp
