// SPDX-License-Identifier: Apache-2.0
// What a process left, with any bytes changed: refused, or a table that works, whatever it is that
// it then says. The header's checksum, which nobody guesses, is right where the first byte says so.
#include "dataplane/table/table_file.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/contract/digest.hpp"
#include "tests/fuzz/input.hpp"

#include <cstring>
#include <fcntl.h>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using Bytes = std::vector<std::byte>;

// Small, so that a few bytes of input change what matters.
constexpr std::uint32_t capacity = 24;
constexpr dp::HashSeed seed{1, 2};

std::string path() {
  return "/tmp/weir-fuzz-" + std::to_string(::getpid()) + ".table";
}

dp::ExactMatch make_table() {
  auto table = dp::ExactMatch::make(capacity, {3, 4});
  CHECK(table.has_value());
  return std::move(*table);
}

void settle(dp::ExactMatch& table) {
  while (table.settle()) {
  }
}

Bytes read_file() {
  const base::Descriptor file(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  Bytes bytes(sizeof(dp::TableFileHeader) + dp::ExactMatch::bytes_for(capacity));
  CHECK(::read(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

void write_file(const Bytes& bytes) {
  const base::Descriptor file(
      ::open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  CHECK(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

Bytes good_file() {
  auto table = dp::ExactMatch::make(capacity, seed);
  auto file = dp::TableFile::open(path());
  CHECK(table && file);
  file->begin_anew(*table);
  CHECK(table->note_changes().has_value());
  for (std::uint32_t key = 1; key <= capacity; ++key) CHECK(table->set(key, key, 1).has_value());
  settle(*table);
  while (file->save(*table, 1, 7)) {
  }
  return read_file();
}

void use(dp::ExactMatch& table) {
  std::map<std::uint64_t, std::uint32_t> entries;
  table.for_each([&](std::uint64_t key, std::uint32_t value) { entries.emplace(key, value); });
  CHECK(entries.size() == table.size());
  for (const auto& [key, value] : entries) CHECK(table.lookup(key, 1) == value);
  while (!entries.empty()) {
    CHECK(table.remove(entries.begin()->first, 1).has_value());
    settle(table);
    entries.erase(entries.begin());
    for (const auto& [key, value] : entries) CHECK(table.lookup(key, 1) == value);
  }
  CHECK(table.size() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Bytes good = good_file();
  fuzz::Input input(data, size);
  Bytes bytes = good;
  const std::uint8_t how = input.byte();
  while (!input.empty()) {
    const std::size_t at = input.number() % bytes.size();
    bytes[at] = std::byte{input.byte()};
  }
  if ((how & 1) != 0) {
    dp::TableFileHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.checksum = contract::record_digest(header.facts);
    std::memcpy(bytes.data(), &header, sizeof header);
  }
  write_file(bytes);

  auto file = dp::TableFile::open(path());
  CHECK(file.has_value());
  dp::ExactMatch table = make_table();
  if (const auto facts = file->find(capacity)) {
    (void)table.adopt(facts->seed, [&](std::span<std::byte> memory) { return file->read(memory); });
  }
  use(table);
  CHECK(table.set(1, 2, 1).has_value() && table.lookup(1, 1) == 2);
  dp::TableFile::remove(path());
  return 0;
}
