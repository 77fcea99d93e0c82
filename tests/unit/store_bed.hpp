// SPDX-License-Identifier: Apache-2.0
// A store in a folder of its own, and what its tests save there.
#pragma once

#include "controlplane/store/store.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

inline cp::Allocation allocation_of(const cp::Intent& intent) {
  cp::Allocation allocation;
  EXPECT_TRUE(allocation.take_all(intent));
  return allocation;
}

// A change as history tells it.
inline cp::SaveRecord record_of(std::string what = "apply") {
  cp::SaveRecord record;
  record.entry = {.time_ms = 1000,
                  .who = {.uid = 0, .user = "root", .pid = 7},
                  .what = std::move(what),
                  .outcome = cp::Outcome::applied};
  return record;
}

// What is no change of the intent.
inline cp::HistoryEntry entry_with(cp::Outcome outcome) {
  cp::HistoryEntry entry;
  entry.what = name(outcome);
  entry.outcome = outcome;
  return entry;
}

class StoreFile : public testing::Test {
 protected:
  // In memory, as a disk takes milliseconds for each of some thousand commits.
  StoreFile() {
    const bool is_there = std::filesystem::is_directory("/dev/shm");
    const auto folder = is_there ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = folder / "weir_store_XXXXXX";
    const char* made = ::mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    directory_ = pattern;
  }
  ~StoreFile() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/intent.db"; }
  cp::Store open() const {
    auto store = cp::Store::open(path());
    EXPECT_TRUE(store) << to_string(store.error().front());
    return std::move(*store);
  }
  std::string open_error() const {
    const auto store = cp::Store::open(path());
    return store ? "" : to_string(store.error().front());
  }
  std::string read_file() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write_file(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes;
  }

 private:
  std::string directory_;
};
