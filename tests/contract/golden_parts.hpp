// SPDX-License-Identifier: Apache-2.0
// What lies in the folder of a release under tests/contract/golden, and how this release makes it.
// README.md there says what each file is; golden_write.cpp writes them, golden.cpp reads them.
#pragma once

#include "dataplane/contract/region.hpp"
#include "dataplane/table/table_file.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace test {

// Name of a verb or event → its frame; "name\n" and lines of hex.
using Frames = std::map<std::string, std::vector<std::byte>, std::less<>>;
std::string to_text(const Frames& frames);
Frames parse_frames(const std::string& text);
std::span<const std::byte> record_of(std::span<const std::byte> frame, std::size_t index);
// What a record of whatever size adds to its table's digest.
std::uint64_t digest_of(std::span<const std::byte> record);

// Of a small gateway; every release makes it of this shape.
contract::RegionShape golden_shape();
// Cache-line aligned memory of a region.
class GoldenRegion {
 public:
  // Each number holds the offset where it lies, each text its name.
  static GoldenRegion make();
  explicit GoldenRegion(std::span<const std::byte> bytes);

  std::span<std::byte> bytes() noexcept {
    return std::as_writable_bytes(std::span(lines_)).first(size_);
  }

 private:
  struct alignas(contract::cache_line_bytes) Line {
    std::array<std::byte, contract::cache_line_bytes> bytes;
  };
  explicit GoldenRegion(std::size_t size);

  std::size_t size_;
  std::vector<Line> lines_;
};

// One line a field: name, unit, kind, element bytes, offset, dimensions as name:count:labels; then
// one line a list of labels.
std::string list_region(const contract::RegionView& view);

// The table in a release's table file: key → value.
inline constexpr std::uint32_t golden_capacity = 20;
inline constexpr std::uint64_t golden_digest = 4711;
std::map<std::uint64_t, std::uint32_t> golden_entries();
void write_golden_table(const std::string& path);

}  // namespace test
