// SPDX-License-Identifier: Apache-2.0
// What an exact-match table leaves to the next process: its memory in a file, with a header that
// says whose it is. Nobody reads packets by it: workers have memory of their own on huge pages, and
// the housekeeper copies there what a transaction has changed once that is settled.
//
//     0      header, one page: layout, sizes, seed, generation, digests, dirty
//     4096   the table's buckets as they lie in memory; what was never written is a hole
//
// Written and read by system calls, never mapped: a file that somebody shortens, or a file system
// that is full, is an error here and no signal.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/table/exact_match.hpp"
#include "dataplane/table/image_digest.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace dp {

// Grows with every change of how a table lies in memory: Entry, Version, KeyedHash, buckets.
inline constexpr std::uint32_t table_file_layout = 2;

struct TableFileHeader {
  // All that the checksum covers.
  struct Facts {
    std::array<char, 8> magic;
    std::uint32_t layout;
    std::uint32_t dirty;  // 1: somebody died between two states.
    std::uint64_t table_bytes;
    std::uint32_t capacity;
    std::uint32_t entries;
    HashSeed seed;
    std::uint64_t generation;  // Of that process; the last that changed the table.
    std::uint64_t digest;      // As the contract counts it, over all entries.
    std::uint64_t image;       // Of the buckets' bytes: ImageDigest.
    std::array<std::uint64_t, 502> reserved;
  };
  Facts facts;
  std::uint64_t checksum;
};
static_assert(sizeof(TableFileHeader) == 4096, "the buckets begin at a page");

class TableFile {
 public:
  // Makes the file where there is none. One that is not this user's own, or that another process
  // has, is left to whoever has it, and a new one takes its name.
  static base::Result<TableFile> open(std::string path);
  // That of another process, which shares its lock, and writes no more. Nothing is written here,
  // either, before save(): until then the other one may need it again.
  static TableFile borrow(std::string path, base::Descriptor file);
  static void remove(const std::string& path) noexcept;

  // What it says of the table in it. Refused, with the reason, where that cannot be one of
  // `capacity`, or where it was being changed; not_found: it is new.
  base::Result<TableFileHeader::Facts> find(std::uint32_t capacity) const noexcept;
  // The table's memory as it was written, which is what is saved from here on; refused where a bit
  // of it is another. Allocates.
  base::Status read(std::span<std::byte> table);

  // To be shared with another process.
  int descriptor() const noexcept { return file_.get(); }

  // That of an empty table from here on, or, where it was borrowed, from save() on.
  void begin_anew(const ExactMatch& table);
  // Takes over what changed since the last time, some of it: call until it returns false. The table
  // is settled and notes its changes.
  bool save(ExactMatch& table, base::Generation generation, std::uint64_t digest);

  // Removes it: nobody may take what is in it for what is in force.
  void give_up(int error_number);
  // False once that was done, as it is where a write fails: the next start is told everything.
  bool usable() const noexcept { return static_cast<bool>(file_); }
  int error_number() const noexcept { return error_number_; }
  // Of memory that it takes; 0: it is not usable.
  std::uint64_t bytes() const noexcept;

 private:
  TableFile(std::string path, base::Descriptor file, bool was_foreign)
      : path_(std::move(path)), file_(std::move(file)), was_foreign_(was_foreign) {}

  base::Result<TableFileHeader> read_header() const noexcept;
  void write(const void* bytes, std::size_t size, std::uint64_t offset);
  void write_header(const ExactMatch& table, base::Generation generation, std::uint64_t digest);

  std::string path_;
  base::Descriptor file_;
  bool was_foreign_;          // What had its name was not to be read.
  bool borrowed_ = false;     // Nothing was written yet.
  bool begins_anew_ = false;  // As soon as it may be written.
  ImageDigest image_;         // Of the buckets in it.
  bool dirty_ = false;
  int error_number_ = 0;
};

}  // namespace dp
