// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/golden_parts.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/contract/digest.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace test {

using contract::Dimension;
using contract::Field;
using contract::FieldKind;
using contract::to_view;

namespace {

constexpr std::size_t bytes_per_line = 32;

std::byte byte_of(std::string_view digits) {
  return static_cast<std::byte>(std::stoi(std::string(digits), nullptr, 16));
}

std::string_view name_of(FieldKind kind) {
  switch (kind) {
    case FieldKind::counter: return "counter";
    case FieldKind::gauge: return "gauge";
    case FieldKind::text: return "text";
  }
  return "unknown";
}

// f(offset) for each element of the field.
template <class F>
void for_each_element(const Field& field, F&& f, std::uint32_t dimension = 0,
                      std::uint64_t offset = 0) {
  if (dimension == field.dimension_count) return f(field.offset + offset);
  for (std::uint32_t i = 0; i < field.dimensions[dimension].count; ++i) {
    for_each_element(field, f, dimension + 1,
                     offset + std::uint64_t{i} * field.dimensions[dimension].stride_bytes);
  }
}

}  // namespace

std::string to_text(const Frames& frames) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const auto& [name, frame] : frames) {
    text += name;
    for (std::size_t i = 0; i < frame.size(); ++i) {
      if (i % bytes_per_line == 0) text += "\n ";
      text += digits[static_cast<unsigned>(frame[i]) >> 4];
      text += digits[static_cast<unsigned>(frame[i]) & 15];
    }
    text += '\n';
  }
  return text;
}

Frames parse_frames(const std::string& text) {
  Frames frames;
  std::vector<std::byte>* frame = nullptr;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(' ')) {
      frame = &frames[line];
      continue;
    }
    CHECK(frame != nullptr);
    for (std::size_t i = 1; i + 1 < line.size(); i += 2) {
      frame->push_back(byte_of(std::string_view(line).substr(i, 2)));
    }
  }
  return frames;
}

std::span<const std::byte> record_of(std::span<const std::byte> frame, std::size_t index) {
  contract::FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof header);
  return frame.subspan(sizeof header + index * header.record_size, header.record_size);
}

std::uint64_t digest_of(std::span<const std::byte> record) {
  std::array<std::byte, 1024> filled{};  // Zeros at the end do not count.
  CHECK(record.size() <= filled.size());
  std::ranges::copy(record, filled.begin());
  return contract::record_digest(filled);
}

contract::RegionShape golden_shape() {
  return {.worker_count = 2,
          .port_count = 2,
          .network_count = 2,
          .vtep_count = 2,
          .next_hop_count = 2,
          .neighbour_count = 2,
          .stages = {"host_to_wire/parse_frame", "wire_to_host/parse_outer"}};
}

GoldenRegion::GoldenRegion(std::size_t size)
    : size_(size), lines_((size + contract::cache_line_bytes - 1) / contract::cache_line_bytes) {}

GoldenRegion::GoldenRegion(std::span<const std::byte> bytes) : GoldenRegion(bytes.size()) {
  std::memcpy(lines_.data(), bytes.data(), bytes.size());
}

GoldenRegion GoldenRegion::make() {
  const contract::RegionShape shape = golden_shape();
  GoldenRegion region(contract::lay_out(shape).total_bytes);
  contract::describe_region(region.bytes(), shape);
  const auto view = contract::RegionView::open(region.bytes());
  CHECK(view.has_value());
  for (const Field& field : view->fields()) {
    for_each_element(field, [&](std::uint64_t offset) {
      std::byte* at = region.bytes().data() + offset;
      if (field.kind == FieldKind::text) {
        const std::string_view name = to_view(field.name);
        std::memcpy(at, name.data(), std::min<std::size_t>(name.size(), field.element_bytes - 1));
      } else {
        std::memcpy(at, &offset, sizeof offset);
      }
    });
  }
  return region;
}

std::string list_region(const contract::RegionView& view) {
  std::ostringstream out;
  for (const Field& field : view.fields()) {
    out << to_view(field.name) << " unit=" << to_view(field.unit) << ' ' << name_of(field.kind)
        << " bytes=" << field.element_bytes << " at=" << field.offset;
    for (const Dimension& dimension : std::span(field.dimensions).first(field.dimension_count)) {
      out << ' ' << to_view(dimension.name) << ':' << dimension.count;
      if (dimension.label_list != contract::no_labels) {
        out << ':' << to_view(view.label_lists()[dimension.label_list].name);
      }
    }
    out << '\n';
  }
  for (std::uint32_t list = 0; list < view.label_lists().size(); ++list) {
    out << "labels " << to_view(view.label_lists()[list].name);
    for (std::uint32_t i = 0; i < view.label_lists()[list].count; ++i) {
      out << ' ' << view.label(list, i);
    }
    out << '\n';
  }
  return out.str();
}

std::map<std::uint64_t, std::uint32_t> golden_entries() {
  std::map<std::uint64_t, std::uint32_t> entries;
  for (std::uint32_t i = 1; i <= golden_capacity; ++i) entries[std::uint64_t{i} << 20] = i;
  return entries;
}

void write_golden_table(const std::string& path) {
  constexpr dp::HashSeed seed{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344};
  auto table = dp::ExactMatch::make(golden_capacity, seed);
  auto file = dp::TableFile::open(path);
  CHECK(table && file);
  file->begin_anew(*table);
  CHECK(table->note_changes().has_value());
  for (const auto& [key, value] : golden_entries()) CHECK(table->set(key, value, 1).has_value());
  while (table->settle(16)) {
  }
  while (file->save(*table, 1, golden_digest)) {
  }
  CHECK(file->usable());
}

}  // namespace test
