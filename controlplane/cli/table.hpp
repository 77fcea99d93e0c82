// SPDX-License-Identifier: Apache-2.0
// Aligned columns for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

class Table {
 public:
  // A header that ends in ">" is of a column of numbers: aligned to the right.
  explicit Table(std::vector<std::string> headers);

  void add(std::vector<std::string> row);
  bool empty() const noexcept { return rows_.empty(); }
  std::string text() const;

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// "12,345,678"
std::string with_commas(std::uint64_t number);
// "1.5 G", "980": for rates in tables.
std::string with_unit(double number);

}  // namespace cp
