// SPDX-License-Identifier: Apache-2.0
// What every kept release wrote is read by this one as it was meant, and this one writes what they
// can read: old fields where they were, everything new behind them.
#include "tests/contract/golden_parts.hpp"
#include "tests/contract/samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace test {
namespace {

using contract::FrameHeader;
using contract::FrameView;
namespace fs = std::filesystem;

std::vector<fs::path> releases() {
  const char* root = std::getenv("WEIR_SOURCE_ROOT");
  if (root == nullptr) return {};
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fs::path(root) / "tests/contract/golden")) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

FrameHeader header_of(std::span<const std::byte> frame) {
  FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof header);
  return header;
}

bool equal(std::span<const std::byte> left, std::span<const std::byte> right) {
  return std::ranges::equal(left, right);
}

class Golden : public testing::TestWithParam<fs::path> {
 protected:
  Frames frames(const char* file) const { return parse_frames(read_file(GetParam() / file)); }

  // Today's sample beside the release's frame of the same name.
  void for_each_frame(auto&& f) const {
    for (const auto& [file, samples] :
         {std::pair("commands.hex", command_samples()), std::pair("events.hex", event_samples())}) {
      const Frames golden = frames(file);
      EXPECT_FALSE(golden.empty());
      for (const auto& [name, frame] : golden) {
        const auto at = std::ranges::find(samples, name, &Sample::name);
        ASSERT_NE(at, samples.end()) << name << " was known to that release";
        f(*at, frame);
      }
    }
  }
};

TEST_P(Golden, frame_is_taken_and_has_its_number) {
  for_each_frame([](const Sample& today, const std::vector<std::byte>& golden) {
    const auto view = FrameView::parse(golden);
    ASSERT_TRUE(view.has_value()) << today.name << ": " << view.error().text;
    EXPECT_EQ(view->header().type, header_of(today.frame).type) << today.name;
    EXPECT_EQ(view->header().transaction, sample_transaction) << today.name;
    EXPECT_EQ(view->header().sequence, sample_sequence) << today.name;
    EXPECT_GE(view->record_count(), 1u) << today.name;
  });
}

// The reader takes what it knows from each record and fills the rest with zero, so equal bytes up
// to the old size are equal fields.
TEST_P(Golden, record_is_todays_cut_to_its_old_size) {
  for_each_frame([](const Sample& today, const std::vector<std::byte>& golden) {
    const FrameHeader header = header_of(golden);
    ASSERT_LE(header.record_size, today.record_size) << today.name << " became smaller";
    ASSERT_EQ(header.record_count, header_of(today.frame).record_count) << today.name;
    for (std::size_t i = 0; i < header.record_count; ++i) {
      EXPECT_TRUE(equal(record_of(golden, i), record_of(today.frame, i).first(header.record_size)))
          << today.name << ": a field moved, or its sample changed";
    }
  });
}

// An old and a new process must agree whether an old record is there.
TEST_P(Golden, digest_of_a_record_is_the_same) {
  const Frames golden = frames("commands.hex");
  std::istringstream in(read_file(GetParam() / "digests.txt"));
  std::size_t compared = 0;
  std::string name;
  for (std::uint64_t digest = 0; in >> name >> digest; ++compared) {
    EXPECT_EQ(digest_of(record_of(golden.at(name), 0)), digest) << name;
  }
  EXPECT_EQ(compared, golden.size());
}

TEST_P(Golden, region_is_read_as_its_list_says) {
  const std::string bytes = read_file(GetParam() / "region.bin");
  GoldenRegion region(std::as_bytes(std::span(bytes)));

  const auto view = contract::RegionView::open(region.bytes());

  ASSERT_TRUE(view.has_value()) << view.error().text;
  EXPECT_EQ(list_region(*view), read_file(GetParam() / "region.txt"));
  for (const contract::Field& field : view->fields()) {
    const std::vector<std::uint32_t> first(field.dimension_count, 0);
    if (field.kind == contract::FieldKind::text) {
      EXPECT_EQ(view->text(field, first), contract::to_view(field.name).substr(0, 31));
    } else {
      EXPECT_EQ(view->value(field, first), field.offset) << contract::to_view(field.name);
    }
  }
}

TEST_P(Golden, totals_of_its_workers_are_read) {
  const std::string bytes = read_file(GetParam() / "region.bin");
  GoldenRegion region(std::as_bytes(std::span(bytes)));
  const auto view = contract::RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());

  const auto totals = view->read_totals(1);

  ASSERT_TRUE(totals.has_value()) << totals.error().text;
  const auto offset = [&](const char* name) {
    const contract::Field* field = view->find(name);
    return field->offset + field->dimensions[0].stride_bytes;
  };
  EXPECT_EQ(totals->rx, offset("worker.rx"));
  EXPECT_EQ(totals->held, offset("worker.held"));
  EXPECT_EQ(totals->bursts, offset("worker.bursts"));
  EXPECT_EQ(totals->drops[0], offset("worker.drops"));
}

// name → the words of its line but for where it lies.
std::map<std::string, std::vector<std::string>> words_by_name(const std::string& list) {
  std::map<std::string, std::vector<std::string>> lines;
  std::istringstream in(list);
  for (std::string line; std::getline(in, line);) {
    std::istringstream rest(line);
    std::string name;
    rest >> name;
    if (name == "labels") {
      rest >> name;
      name.insert(0, "labels ");
    }
    for (std::string word; rest >> word;) {
      if (!word.starts_with("at=")) lines[name].push_back(word);
    }
  }
  return lines;
}

// "drop_reason:46:drop_reason" → without the count, which grows.
std::string without_count(const std::string& dimension) {
  const std::size_t first = dimension.find(':');
  if (first == std::string::npos) return dimension;
  const std::size_t second = dimension.find(':', first + 1);
  return dimension.substr(0, first) + (second == std::string::npos ? "" : dimension.substr(second));
}

// What a reader of that release looks for is still there, and means the same.
TEST_P(Golden, fields_of_its_region_are_in_todays) {
  GoldenRegion region = GoldenRegion::make();
  const auto view = contract::RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());
  auto today = words_by_name(list_region(*view));

  for (auto& [name, words] : words_by_name(read_file(GetParam() / "region.txt"))) {
    ASSERT_TRUE(today.contains(name)) << name << " is gone";
    std::vector<std::string>& now = today[name];
    if (name.starts_with("labels ")) {
      ASSERT_GE(now.size(), words.size()) << name;
      now.resize(words.size());  // Appended, never put between.
    } else {
      std::ranges::transform(words, words.begin(), without_count);
      std::ranges::transform(now, now.begin(), without_count);
    }
    EXPECT_EQ(now, words) << name;
  }
}

// Adopted as it is, or told from today's by its layout number: nothing between.
TEST_P(Golden, table_file_is_adopted_or_of_another_layout) {
  std::string folder = (fs::temp_directory_path() / "weir-golden-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const fs::path path = fs::path(folder) / "endpoints.table";
  fs::copy_file(GetParam() / "endpoints.table", path);
  fs::permissions(path, fs::perms(0600));
  auto file = dp::TableFile::open(path);
  ASSERT_TRUE(file.has_value());

  const auto facts = file->find(golden_capacity);

  if (facts) {
    EXPECT_EQ(facts->digest, golden_digest);
    auto table = dp::ExactMatch::make(golden_capacity, {1, 2});
    ASSERT_TRUE(table.has_value());
    ASSERT_TRUE(table->adopt(facts->seed, [&](auto memory) { return file->read(memory); }));
    std::map<std::uint64_t, std::uint32_t> entries;
    table->for_each([&](std::uint64_t key, std::uint32_t value) { entries.emplace(key, value); });
    EXPECT_EQ(entries, golden_entries());
    for (const auto& [key, value] : entries) EXPECT_EQ(table->lookup(key, 1), value);
  } else {
    EXPECT_EQ(facts.error().code, base::Errc::version_skew) << facts.error().text;
  }
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Release, Golden, testing::ValuesIn(releases()), [](const auto& release) {
  std::string name = release.param.filename().string();
  std::ranges::replace(name, '.', '_');
  return name;
});

// What a release that is yet to come may send: a number nobody has, records that grew.
TEST(Future, grown_record_is_read_up_to_where_it_is_known) {
  std::vector<Sample> samples = command_samples();
  std::ranges::move(event_samples(), std::back_inserter(samples));
  for (const Sample& sample : samples) {
    const std::size_t grown_size = sample.record_size + 12;
    const FrameHeader header = header_of(sample.frame);
    std::vector<std::byte> records;
    for (std::size_t i = 0; i < header.record_count; ++i) {
      const auto record = record_of(sample.frame, i);
      records.insert(records.end(), record.begin(), record.end());
      records.insert(records.end(), 12, std::byte{0xee});
    }
    auto frame =
        contract::make_frame(header.type, 1, 1, records.data(), grown_size, header.record_count);
    FrameHeader later = header_of(frame);
    later.version = contract::version_now + 1;
    std::memcpy(frame.data(), &later, sizeof later);

    const auto view = FrameView::parse(frame);

    ASSERT_TRUE(view.has_value()) << sample.name;
    const auto last = view->record<contract::EndpointSet>(header.record_count - 1);
    const auto known = record_of(sample.frame, header.record_count - 1);
    const std::size_t size = std::min(known.size(), sizeof last);
    EXPECT_EQ(std::memcmp(&last, known.data(), size), 0) << sample.name;
  }
}

}  // namespace
}  // namespace test
