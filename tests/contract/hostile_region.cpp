// SPDX-License-Identifier: Apache-2.0
// RegionView on bytes that want it to read outside: refused, or harmless.
#include "dataplane/contract/region.hpp"

#include <gtest/gtest.h>

#include <random>

namespace contract {
namespace {

class HostileRegion : public testing::Test {
 protected:
  HostileRegion() {
    const RegionShape shape{.worker_count = 1,
                            .port_count = 1,
                            .network_count = 1,
                            .vtep_count = 1,
                            .next_hop_count = 1,
                            .neighbour_count = 1,
                            .stages = {"transit/send"}};
    words_.resize(lay_out(shape).total_bytes / 8);
    describe_region(std::as_writable_bytes(std::span(words_)), shape);
    std::memcpy(&header_, words_.data(), sizeof header_);
  }

  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)); }

  void put_header() { std::memcpy(words_.data(), &header_, sizeof header_); }
  Field field(std::size_t index) {
    Field field;
    std::memcpy(static_cast<void*>(&field),
                bytes().data() + header_.fields_offset + index * sizeof(Field), sizeof field);
    return field;
  }
  void put_field(std::size_t index, const Field& field) {
    std::memcpy(bytes().data() + header_.fields_offset + index * sizeof(Field), &field,
                sizeof field);
  }
  bool refused() { return !RegionView::open(bytes()).has_value(); }

  RegionHeader header_{};
  std::vector<std::uint64_t> words_;
};

// Every element of every field, as a reader would walk it.
void walk(const RegionView& view) {
  for (const Field& field : view.fields()) {
    std::vector<std::uint32_t> last;
    for (std::uint32_t i = 0; i < field.dimension_count; ++i) {
      last.push_back(field.dimensions[i].count - 1);
      (void)view.label(field.dimensions[i].label_list, last.back());
    }
    (void)view.value(field, last);
    (void)view.text(field, last);
  }
  (void)view.read_totals(0);
}

TEST_F(HostileRegion, accepts_the_region_before_it_is_damaged) {
  EXPECT_FALSE(refused());
}

TEST_F(HostileRegion, refuses_every_truncation) {
  for (std::size_t length = 0; length < bytes().size(); ++length) {
    ASSERT_FALSE(RegionView::open(bytes().first(length)).has_value()) << length;
  }
}

TEST_F(HostileRegion, refuses_a_header_that_lies) {
  const RegionHeader good = header_;
  const auto refuses = [&](auto change) {
    header_ = good;
    change(header_);
    put_header();
    return refused();
  };

  EXPECT_TRUE(refuses([](RegionHeader& h) { h.magic ^= 1; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.version += 1; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.total_bytes += 1; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.total_bytes = ~0ull; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.field_count = ~0u; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.label_list_count = ~0u; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.fields_offset = ~0ull - 8; }));
  EXPECT_TRUE(refuses([](RegionHeader& h) { h.label_lists_offset = h.total_bytes; }));
}

TEST_F(HostileRegion, refuses_fields_that_lie_outside) {
  const Field good = field(1);
  const auto refuses = [&](auto change) {
    Field bad = good;
    change(bad);
    put_field(1, bad);
    const bool result = refused();
    put_field(1, good);
    return result;
  };

  EXPECT_TRUE(refuses([](Field& f) { f.offset = ~0ull - 7; }));
  EXPECT_TRUE(refuses([this](Field& f) { f.offset = header_.total_bytes; }));
  EXPECT_TRUE(refuses([](Field& f) { f.offset += 1; }));
  EXPECT_TRUE(refuses([](Field& f) { f.element_bytes = 4; }));
  EXPECT_TRUE(refuses([](Field& f) { f.kind = static_cast<FieldKind>(9); }));
  EXPECT_TRUE(refuses([](Field& f) { f.dimension_count = 5; }));
  EXPECT_TRUE(refuses([](Field& f) {
    f.dimension_count = 1;
    f.dimensions[0] = {.count = ~0u, .stride_bytes = ~7u, .label_list = no_labels};
  }));
  EXPECT_TRUE(refuses([](Field& f) {
    f.dimension_count = 1;
    f.dimensions[0] = {.count = 2, .stride_bytes = 3, .label_list = no_labels};
  }));
  EXPECT_TRUE(refuses([](Field& f) {
    f.dimension_count = 4;
    for (Dimension& d : f.dimensions) {
      d = {.count = ~0u, .stride_bytes = ~7u, .label_list = no_labels};
    }
  }));
  EXPECT_TRUE(refuses([this](Field& f) {
    f.dimension_count = 1;
    f.dimensions[0] = {.count = 1, .stride_bytes = 8, .label_list = header_.label_list_count};
  }));
  EXPECT_TRUE(refuses([](Field& f) {
    f.kind = FieldKind::text;
    f.element_bytes = ~0u;
  }));
}

TEST_F(HostileRegion, never_reads_outside_whatever_the_bytes_are) {
  std::mt19937_64 random(7);
  const std::vector<std::uint64_t> good = words_;
  const std::size_t description_words = (header_.fields_offset + 64 * sizeof(Field)) / 8;

  for (int round = 0; round < 3'000; ++round) {
    words_ = good;
    for (int change = 0; change < 4; ++change) {
      const std::size_t word = 3 + random() % (description_words - 3);
      words_[word] ^= 1ull << (random() % 64);
    }
    const auto view = RegionView::open(bytes());
    if (view) walk(*view);
  }
}

}  // namespace
}  // namespace contract
