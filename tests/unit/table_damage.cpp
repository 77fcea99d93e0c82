// SPDX-License-Identifier: Apache-2.0
// The table file that a data plane starts with, when an accident has met it: cut at any byte, any
// bit flipped. It is adopted as it was left, or refused; never another table.
//
// Bits are taken with a stride; WEIR_ROUNDS says how many of them and of lengths.
#include "dataplane/contract/digest.hpp"
#include "dataplane/housekeeper/adoption.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/start/tables.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

constexpr std::uint32_t capacity = 48;
constexpr std::uint32_t count = 40;

contract::EndpointSet endpoint(std::uint32_t number) {
  contract::EndpointSet record{.network = {1},
                               .mac = {},
                               .place = contract::EndpointPlace::vtep,
                               .reserved = 0,
                               .target = static_cast<std::uint16_t>(number % 7 + 1)};
  record.mac.bytes[0] = 2;
  record.mac.bytes[5] = static_cast<std::uint8_t>(number);
  return record;
}

std::uint64_t key_of(const contract::EndpointSet& record) {
  return dp::endpoint_key(record.network, record.mac);
}

std::uint32_t value_of(const contract::EndpointSet& record) {
  return dp::EndpointValue{record.place, record.target}.encode();
}

std::size_t rounds() {
  const char* text = std::getenv("WEIR_ROUNDS");
  return text == nullptr ? 1500 : std::strtoul(text, nullptr, 10);
}

class TableDamage : public testing::Test {
 protected:
  TableDamage() {
    const bool is_there = std::filesystem::is_directory("/dev/shm");
    const auto folder = is_there ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string name = folder / "weir-damage-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~TableDamage() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ / "endpoints.table"; }

  // What a process leaves.
  std::string left() const {
    std::uint64_t digest = 0;
    auto file = dp::TableFile::open(path());
    auto table = dp::ExactMatch::make(capacity, {3, 4});
    EXPECT_TRUE(file && table);
    file->begin_anew(*table);
    EXPECT_TRUE(table->note_changes());
    for (std::uint32_t number = 1; number <= count; ++number) {
      EXPECT_TRUE(table->set(key_of(endpoint(number)), value_of(endpoint(number)), 1));
      digest += contract::record_digest(endpoint(number));
    }
    while (table->settle()) {
    }
    while (file->save(*table, 77, digest)) {
    }
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void put(const std::string& bytes) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes;
    std::filesystem::permissions(path(), std::filesystem::perms(0600));
  }

  // How many endpoints the next process has of it: all, each as it was, or none.
  std::uint32_t adopted(const std::string& bytes) const {
    put(bytes);
    auto tables =
        dp::make_tables({.networks = 8, .vteps = 8, .endpoints = capacity, .next_hops = 8});
    auto file = dp::TableFile::open(path());
    EXPECT_TRUE(tables);
    if (!file) return 0;
    dp::Model model(*tables);
    const std::uint32_t found = dp::adopt_endpoints(*file, *tables, model);
    EXPECT_EQ(found, tables->endpoints.size());
    EXPECT_EQ(found == 0, model.digests().endpoints == 0);
    for (std::uint32_t number = 1; number <= count; ++number) {
      const auto value = tables->endpoints.lookup(key_of(endpoint(number)), 1);
      EXPECT_EQ(value, found == 0 ? dp::no_value : value_of(endpoint(number))) << number;
    }
    return found;
  }

 private:
  std::filesystem::path directory_;
};

TEST_F(TableDamage, cut_anywhere_it_is_refused) {
  const std::string whole = left();
  ASSERT_EQ(adopted(whole), count);

  const std::size_t stride = std::max<std::size_t>(1, whole.size() / rounds());
  for (std::size_t size = 0; size < whole.size(); size += stride) {
    ASSERT_EQ(adopted(whole.substr(0, size)), 0u) << size << " bytes";
  }
}

TEST_F(TableDamage, with_any_bit_flipped_it_is_the_same_table_or_refused) {
  const std::string whole = left();
  std::size_t refused = 0;

  const std::size_t stride = std::max<std::size_t>(1, whole.size() * 8 / rounds()) | 1;
  for (std::size_t bit = 0; bit < whole.size() * 8; bit += stride) {
    std::string bad = whole;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const std::uint32_t found = adopted(bad);
    ASSERT_TRUE(found == 0 || found == count) << "bit " << bit;
    ASSERT_FALSE(HasFailure()) << "bit " << bit;
    refused += found == 0 ? 1 : 0;
  }
  EXPECT_GT(refused, 0u);
}

}  // namespace
