// SPDX-License-Identifier: Apache-2.0
// A million entries of the process before are there at once. Natively and uninstrumented only, for
// it is about time.
#include "dataplane/base/check.hpp"
#include "dataplane/table/table_file.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <string>

namespace {

constexpr std::uint32_t count = 1'000'000;

// In memory, as /run is.
std::string make_folder() {
  std::string name = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  name += "/weir-table-XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr);
  return name;
}

dp::ExactMatch make_table(dp::HashSeed seed) {
  auto table = dp::ExactMatch::make(count, seed);
  CHECK(table.has_value());
  return std::move(*table);
}

void leave_a_file(const std::string& path) {
  dp::ExactMatch table = make_table({1, 2});
  auto file = dp::TableFile::open(path);
  CHECK(file.has_value());
  file->begin_anew(table);
  CHECK(table.note_changes().has_value());
  for (std::uint64_t key = 1; key <= count; ++key) CHECK(table.set(key << 9, 1, 1).has_value());
  while (table.settle()) {
  }
  while (file->save(table, 1, 4711)) {
  }
  CHECK(file->usable());
}

// The goal is 30 ms on a machine that does nothing else; the bound is ten times that, of this
// thread's time.
TEST(TableFileScale, a_million_entries_are_read_and_verified_at_once) {
  const std::filesystem::path folder = make_folder();
  const std::string path = folder / "endpoints.table";
  leave_a_file(path);
  dp::ExactMatch table = make_table({3, 4});
  auto file = dp::TableFile::open(path);
  ASSERT_TRUE(file);

  const std::clock_t began = std::clock();
  const auto facts = file->find(count);
  ASSERT_TRUE(facts);
  ASSERT_TRUE(table.adopt(facts->seed, [&](auto memory) { return file->read(memory); }));
  const auto took_ms = (std::clock() - began) * 1000 / CLOCKS_PER_SEC;

  EXPECT_EQ(table.size(), count);
  for (std::uint64_t key = 1; key <= count; ++key) ASSERT_EQ(table.lookup(key << 9, 1), 1U);
  RecordProperty("ms", static_cast<int>(took_ms));
  EXPECT_LT(took_ms, 300);
  std::filesystem::remove_all(folder);
}

}  // namespace
