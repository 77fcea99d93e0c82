// SPDX-License-Identifier: Apache-2.0
// The one description of a profile's fields: reading a file and printing the help are two visitors
// of it. To add a field: a member in model.hpp and its line in fields.cpp.
#pragma once

#include "tools/pktgen/profile/model.hpp"

#include <concepts>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace pktgen {

struct NumberText {
  std::string_view help;
  std::uint64_t least = 0;
  std::uint64_t most = UINT32_MAX;
  std::string_view unit = {};
  bool scaled = false;  // 20k, 100M and 25G may be written.
};

class Visitor {
 public:
  using Fields = std::function<void(Visitor&)>;
  virtual ~Visitor() = default;

  template <std::unsigned_integral T>
  void number(std::string_view name, T& value, const NumberText& text) {
    std::uint64_t wide = value;
    visit_number(name, wide, text);
    value = static_cast<T>(wide);  // The described range lies within the member's type.
  }
  template <class E>
  void choice(std::string_view name, E& value, std::span<const std::string_view> words,
              std::string_view help) {
    auto index = static_cast<std::size_t>(value);
    visit_choice(name, index, words, help);
    value = static_cast<E>(index);
  }
  void flag(std::string_view name, bool& value, std::string_view help) {
    static constexpr std::string_view words[] = {"no", "yes"};
    auto index = std::size_t{value};
    visit_choice(name, index, words, help);
    value = index == 1;
  }
  virtual void text(std::string_view name, std::string& value, std::string_view help) = 0;
  virtual void mac(std::string_view name, base::MacAddress& value, std::string_view help) = 0;
  virtual void ip(std::string_view name, base::IpAddress& value, std::string_view help) = 0;
  // A map of its own; `present` where it matters whether it is written at all.
  virtual void section(std::string_view name, std::string_view help, const Fields& fields,
                       bool* present = nullptr) = 0;
  // `item` is called for each, and makes it.
  virtual void list(std::string_view name, std::string_view help, const Fields& item) = 0;

 private:
  virtual void visit_number(std::string_view name, std::uint64_t& value,
                            const NumberText& text) = 0;
  virtual void visit_choice(std::string_view name, std::size_t& value,
                            std::span<const std::string_view> words, std::string_view help) = 0;
};

void visit(Visitor& visitor, Profile& profile);

// What may stand in a profile, for --fields.
std::string fields_text();

}  // namespace pktgen
