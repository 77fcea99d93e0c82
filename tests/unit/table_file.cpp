// SPDX-License-Identifier: Apache-2.0
// A table in a file and back, and every way in which such a file can be wrong: what is read from it
// is either the table that was written, or refused.
#include "dataplane/table/table_file.hpp"

#include "dataplane/contract/digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace {

using base::Errc;
using dp::ExactMatch;
using dp::ImageDigest;
using dp::TableFile;
using dp::TableFileHeader;
using Bytes = std::vector<char>;
using Entries = std::map<std::uint64_t, std::uint32_t>;

constexpr dp::HashSeed seed{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344};
constexpr dp::HashSeed other_seed{1, 2};
constexpr std::uint32_t capacity = 300;
constexpr std::uint64_t digest = 4711;

ExactMatch make_table(dp::HashSeed with = other_seed, std::uint32_t size = capacity) {
  auto table = ExactMatch::make(size, with);
  EXPECT_TRUE(table.has_value());
  return std::move(*table);
}

Entries entries_of(const ExactMatch& table) {
  Entries entries;
  table.for_each([&](std::uint64_t key, std::uint32_t value) { entries.emplace(key, value); });
  return entries;
}

class TableFileTest : public testing::Test {
 protected:
  // In memory, as /run is: a disk takes milliseconds for each file that is written anew.
  TableFileTest() {
    const bool is_there = std::filesystem::is_directory("/dev/shm");
    const auto folder = is_there ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string name = folder / "weir-table-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~TableFileTest() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return (directory_ / "endpoints.table").string(); }

  TableFile open() {
    auto file = TableFile::open(path());
    EXPECT_TRUE(file.has_value());
    return std::move(*file);
  }

  // What a process leaves that had these entries: full, so that some lie in the overflow.
  Entries leave_a_file() {
    ExactMatch table = make_table(seed);
    TableFile file = open();
    file.begin_anew(table);
    EXPECT_TRUE(table.note_changes());
    for (std::uint64_t key = 1; key <= capacity; ++key) {
      EXPECT_TRUE(table.set(key << 20, static_cast<std::uint32_t>(key), 1));
    }
    settle(table);
    save(file, table, 1);
    return entries_of(table);
  }

  static void settle(ExactMatch& table) {
    while (table.settle(16)) {
    }
  }
  static void save(TableFile& file, ExactMatch& table, base::Generation generation) {
    while (file.save(table, generation, digest)) {
    }
    EXPECT_TRUE(file.usable());
  }

  static base::Result<Entries> adopt(TableFile& file, std::uint32_t size = capacity) {
    const auto facts = file.find(size);
    if (!facts) return std::unexpected(facts.error());
    ExactMatch table = make_table(other_seed, size);
    const auto adopted =
        table.adopt(facts->seed, [&](std::span<std::byte> memory) { return file.read(memory); });
    if (!adopted) {
      EXPECT_EQ(table.size(), 0U);
      EXPECT_TRUE(table.set(7, 8, 1)) << "a table that refused is a good empty one";
      EXPECT_EQ(table.lookup(7, 1), 8U);
      return std::unexpected(adopted.error());
    }
    return check(table, *facts);
  }

  // Whatever was adopted is a table that works: all is found, and can be taken out again.
  static base::Result<Entries> check(ExactMatch& table, const TableFileHeader::Facts& facts) {
    Entries entries = entries_of(table);
    EXPECT_EQ(entries.size(), table.size()) << "a key is there twice";
    if (facts.entries != entries.size()) return base::fail(Errc::malformed, "another count");
    for (const auto& [key, value] : entries) EXPECT_EQ(table.lookup(key, 1), value);
    for (const auto& [key, value] : entries) {
      EXPECT_TRUE(table.remove(key, 1));
      settle(table);
    }
    EXPECT_EQ(table.size(), 0U);
    return entries;
  }

  Bytes bytes() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const Bytes& bytes) const {
    std::ofstream(path(), std::ios::binary).write(bytes.data(), std::ssize(bytes));
    std::filesystem::permissions(path(), std::filesystem::perms(0600));
  }
  void change_header(auto&& change) const {
    Bytes all = bytes();
    TableFileHeader header;
    std::memcpy(&header, all.data(), sizeof header);
    change(header.facts);
    header.checksum = contract::record_digest(header.facts);
    std::memcpy(all.data(), &header, sizeof header);
    put(all);
  }

  std::filesystem::path directory_;
};

TEST_F(TableFileTest, next_process_has_the_same_table) {
  const Entries left = leave_a_file();

  TableFile file = open();
  const auto found = file.find(capacity);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->generation, 1U);
  EXPECT_EQ(found->digest, digest);
  EXPECT_EQ(found->entries, capacity);

  const auto adopted = adopt(file);
  ASSERT_TRUE(adopted) << adopted.error().text;
  EXPECT_EQ(*adopted, left);
}

TEST_F(TableFileTest, borrowed_one_is_the_others_until_something_is_saved) {
  const Entries left = leave_a_file();
  TableFile file = open();
  const Bytes before = bytes();
  ExactMatch table = make_table(other_seed);
  TableFile borrowed = TableFile::borrow(path(), base::Descriptor(::dup(file.descriptor())));
  ASSERT_TRUE(borrowed.find(capacity));

  // As where it cannot be adopted.
  borrowed.begin_anew(table);
  ASSERT_TRUE(table.note_changes());
  ASSERT_TRUE(table.set(77, 7, 1));
  settle(table);

  EXPECT_EQ(bytes(), before);
  EXPECT_EQ(adopt(file).value_or(Entries{}), left);
  save(borrowed, table, 1);
  EXPECT_EQ(adopt(file).value_or(Entries{}), entries_of(table));
}

TEST_F(TableFileTest, borrowed_one_keeps_its_lock) {
  (void)leave_a_file();
  std::optional<TableFile> file = open();
  const TableFile borrowed = TableFile::borrow(path(), base::Descriptor(::dup(file->descriptor())));
  file.reset();

  const TableFile third = open();

  EXPECT_EQ(third.find(capacity).error().code, Errc::wrong_state);
}

TEST_F(TableFileTest, follows_transactions_and_not_those_that_are_aborted) {
  ExactMatch table = make_table(seed);
  std::optional<TableFile> file = open();
  file->begin_anew(table);
  ASSERT_TRUE(table.note_changes());
  std::mt19937 random(1);
  for (base::Generation generation = 1; generation <= 100; ++generation) {
    const bool aborts = random() % 4 == 0;
    for (unsigned i = 0; i < 1 + random() % 60; ++i) {
      const std::uint64_t key = 1 + random() % 400;
      if (random() % 3 == 0) {
        (void)table.remove(key, generation);
      } else {
        (void)table.set(key, static_cast<std::uint32_t>(random() % 9), generation);
      }
    }
    if (aborts) {
      while (table.abort(16)) {
      }
      continue;
    }
    settle(table);
    save(*file, table, generation);
    if (generation % 10 != 0) continue;
    file.reset();
    file = open();
    const auto adopted = adopt(*file);
    ASSERT_TRUE(adopted) << adopted.error().text;
    ASSERT_EQ(*adopted, entries_of(table)) << "generation " << generation;
  }
}

TEST_F(TableFileTest, who_dies_between_two_states_leaves_nothing) {
  ExactMatch table = make_table(seed, 10'000);
  {
    TableFile file = open();
    file.begin_anew(table);
    ASSERT_TRUE(table.note_changes());
    for (std::uint64_t key = 1; key <= 10'000; ++key) ASSERT_TRUE(table.set(key, 1, 1));
    settle(table);
    ASSERT_TRUE(file.save(table, 1, digest)) << "there is more than one stretch";
  }

  EXPECT_EQ(open().find(10'000).error().code, Errc::wrong_state);
}

TEST_F(TableFileTest, a_new_file_says_nothing_and_an_empty_table_is_found_empty) {
  TableFile file = open();
  EXPECT_EQ(file.find(capacity).error().code, Errc::not_found);

  file.begin_anew(make_table(seed));
  const auto found = file.find(capacity);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->entries, 0U);
}

TEST_F(TableFileTest, refuses_every_length_but_its_own) {
  leave_a_file();
  const auto size = std::filesystem::file_size(path());
  const auto whole = bytes();
  std::vector<std::uintmax_t> lengths{size - 1, size + 1, size + 4096};
  for (std::uintmax_t length = 0; length < size; length += length < 4096 ? 1 : 512) {
    lengths.push_back(length);
  }
  for (const std::uintmax_t length : lengths) {
    put(whole);
    std::filesystem::resize_file(path(), length);
    ASSERT_FALSE(open().find(capacity)) << length << " bytes";
  }
}

TEST_F(TableFileTest, refuses_a_header_with_any_bit_flipped) {
  leave_a_file();
  const auto whole = bytes();
  const TableFile file = open();
  const int raw = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  for (std::size_t bit = 0; bit < sizeof(TableFileHeader) * 8; ++bit) {
    const char flipped = static_cast<char>(whole[bit / 8] ^ (1 << bit % 8));
    ASSERT_EQ(::pwrite(raw, &flipped, 1, static_cast<off_t>(bit / 8)), 1);
    ASSERT_FALSE(file.find(capacity)) << "bit " << bit;
    ASSERT_EQ(::pwrite(raw, &whole[bit / 8], 1, static_cast<off_t>(bit / 8)), 1);
  }
  ::close(raw);
  EXPECT_TRUE(file.find(capacity));
}

TEST_F(TableFileTest, refuses_a_table_with_any_bit_flipped) {
  leave_a_file();
  const auto whole = bytes();
  TableFile file = open();
  const int raw = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  for (std::size_t bit = sizeof(TableFileHeader) * 8; bit < whole.size() * 8; bit += 29) {
    const char flipped = static_cast<char>(whole[bit / 8] ^ (1 << bit % 8));
    ASSERT_EQ(::pwrite(raw, &flipped, 1, static_cast<off_t>(bit / 8)), 1);
    const auto adopted = adopt(file);
    ASSERT_FALSE(adopted) << "bit " << bit;
    ASSERT_EQ(adopted.error().code, Errc::malformed);
    ASSERT_EQ(::pwrite(raw, &whole[bit / 8], 1, static_cast<off_t>(bit / 8)), 1);
    ASSERT_FALSE(HasFailure()) << "bit " << bit;
  }
  ::close(raw);
  EXPECT_TRUE(adopt(file)) << "a refusal changes nothing in it";
}

// As a disk that lost some pages would leave it: each by itself is as it was once.
TEST_F(TableFileTest, refuses_parts_of_another_state_and_in_another_place) {
  leave_a_file();
  const auto whole = bytes();
  constexpr std::size_t part = ImageDigest::part_bytes;
  const std::size_t first = sizeof(TableFileHeader);
  for (std::size_t at = first; at + part <= whole.size(); at += part) {
    const auto place = static_cast<std::ptrdiff_t>(at);
    const auto other = static_cast<std::ptrdiff_t>(at == first ? first + part : first);
    Bytes with_a_hole = whole;
    std::fill_n(with_a_hole.begin() + place, part, '\0');
    Bytes moved = whole;
    std::swap_ranges(moved.begin() + place, moved.begin() + place + part, moved.begin() + other);
    for (const Bytes& damaged : {with_a_hole, moved}) {
      ASSERT_NE(damaged, whole);
      put(damaged);
      TableFile file = open();
      EXPECT_FALSE(adopt(file)) << "at " << at;
    }
  }
}

// What no accident makes: the digests are right, and the table is not.
TEST_F(TableFileTest, refuses_entries_that_are_unsettled_or_where_nobody_looks) {
  leave_a_file();
  const auto whole = bytes();
  constexpr std::size_t header = sizeof(TableFileHeader);
  const auto word_at = [&](std::size_t offset) {
    std::uint64_t word;
    std::memcpy(&word, whole.data() + header + offset, sizeof word);
    return word;
  };
  const auto code = [&](std::size_t offset, std::uint64_t word) {
    Bytes all = whole;
    std::memcpy(all.data() + header + offset, &word, sizeof word);
    put(all);
    change_header([&](auto& facts) {
      ImageDigest of_image;
      of_image.begin(all.size() - header, facts.seed);
      of_image.update(0, std::as_bytes(std::span(all)).subspan(header));
      facts.image = of_image.value();
    });
    TableFile file = open();
    ExactMatch table = make_table();
    const auto adopted = table.adopt(seed, [&](auto memory) { return file.read(memory); });
    return adopted ? Errc::ok : adopted.error().code;
  };
  std::size_t at = 0;
  while (word_at(at) == 0) at += 16;  // The first entry that is taken.

  EXPECT_EQ(code(at, word_at(at)), Errc::ok);
  EXPECT_EQ(code(at, 0), Errc::malformed) << "a value of no key";
  EXPECT_EQ(code(at + 8, 0), Errc::malformed) << "a key without value";
  EXPECT_EQ(code(at + 8, word_at(at + 8) ^ 1), Errc::malformed) << "two versions";
  EXPECT_EQ(code(at + 8, word_at(at + 8) | 1u << 30), Errc::malformed) << "kept in a replace-all";
  int refused = 0;
  for (std::uint64_t key = 1; key <= 100; ++key) refused += code(at, key) == Errc::malformed;
  EXPECT_GT(refused, 90) << "of keys that belong elsewhere few can be in any one bucket";
}

TEST_F(TableFileTest, refuses_another_layout_size_seed_and_dirt) {
  leave_a_file();
  const auto whole = bytes();
  const auto code = [&](auto&& change) {
    put(whole);
    change_header(change);
    TableFile file = open();
    const auto adopted = adopt(file);
    return adopted ? Errc::ok : adopted.error().code;
  };

  EXPECT_EQ(code([](auto&) {}), Errc::ok);
  EXPECT_EQ(code([](auto& facts) { ++facts.layout; }), Errc::version_skew);
  EXPECT_EQ(code([](auto& facts) { facts.magic[0] = 'w'; }), Errc::malformed);
  EXPECT_EQ(code([](auto& facts) { facts.dirty = 1; }), Errc::wrong_state);
  EXPECT_EQ(code([](auto& facts) { ++facts.capacity; }), Errc::invalid_argument);
  EXPECT_EQ(code([](auto& facts) { ++facts.table_bytes; }), Errc::invalid_argument);
  EXPECT_EQ(code([](auto& facts) { ++facts.seed.low; }), Errc::malformed);
  EXPECT_EQ(code([](auto& facts) { ++facts.entries; }), Errc::malformed);
  EXPECT_EQ(open().find(capacity + 100).error().code, Errc::invalid_argument);
}

TEST_F(TableFileTest, leaves_files_of_others_alone) {
  leave_a_file();
  {
    const TableFile alive = open();
    EXPECT_EQ(open().find(capacity).error().code, Errc::wrong_state) << "a process has it";
    EXPECT_TRUE(alive.find(capacity)) << "and keeps what it has";
  }
  leave_a_file();
  std::filesystem::permissions(path(), std::filesystem::perms(0644));
  EXPECT_EQ(open().find(capacity).error().code, Errc::wrong_state);

  const auto target = directory_ / "target";
  std::ofstream(target) << "somebody's";
  std::filesystem::remove(path());
  std::filesystem::create_symlink(target, path());
  open().begin_anew(make_table());
  EXPECT_EQ(std::filesystem::file_size(target), 10U);
  EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(path())));

  std::filesystem::remove(path());
  std::filesystem::create_hard_link(target, path());
  open().begin_anew(make_table());
  EXPECT_EQ(std::filesystem::file_size(target), 10U);

  EXPECT_EQ(TableFile::open("/nowhere/endpoints.table").error().code, Errc::io);
}

TEST_F(TableFileTest, is_gone_where_it_cannot_be_written) {
  ExactMatch table = make_table(seed);
  TableFile file = open();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  file.begin_anew(table);
  ASSERT_TRUE(table.note_changes());
  ASSERT_TRUE(table.set(1, 1, 1));
  settle(table);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = sizeof(TableFileHeader), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);

  while (file.save(table, 1, digest)) {
  }

  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(file.usable());
  EXPECT_EQ(file.error_number(), EFBIG);
  EXPECT_EQ(file.bytes(), 0U);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

// Where this fails, an older process's file would be read wrongly: raise table_file_layout, then
// put the new number here. The sum is that of a model of the table in another language.
TEST_F(TableFileTest, layout_is_that_of_its_number) {
  leave_a_file();
  const Bytes whole = bytes();
  std::uint64_t sum = 0xcbf2'9ce4'8422'2325;
  for (const char byte : std::span(whole).subspan(sizeof(TableFileHeader))) {
    sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100'0000'01b3;
  }
  EXPECT_EQ(dp::table_file_layout, 2U);
  EXPECT_EQ(sum, 0x2d15'316d'39b4'61c7);
  EXPECT_EQ(whole.size(), 4096 + ExactMatch::bytes_for(capacity));
}

}  // namespace
