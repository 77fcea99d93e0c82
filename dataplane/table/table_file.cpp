// SPDX-License-Identifier: Apache-2.0
#include "dataplane/table/table_file.hpp"

#include "dataplane/contract/digest.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dp {

using base::Errc;
using base::fail;

namespace {

using Facts = TableFileHeader::Facts;

constexpr std::array<char, 8> magic{'W', 'E', 'I', 'R', 't', 'b', 'l', '\0'};
constexpr mode_t mode = S_IRUSR | S_IWUSR;

// A regular file of this user's, which nobody else reads and no other name leads to.
bool is_own(int file) noexcept {
  struct stat found{};
  return ::fstat(file, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == ::geteuid() &&
         (found.st_mode & (S_IRWXG | S_IRWXO)) == 0 && found.st_nlink == 1;
}

// The lock goes with the last descriptor: who gets it knows that no dying process writes any more.
base::Descriptor open_own(const std::string& path, int flags) noexcept {
  flags |= O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
  base::Descriptor file(::open(path.c_str(), flags, mode));
  const bool is_ours = file && is_own(file.get()) && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
  return is_ours ? std::move(file) : base::Descriptor();
}

bool read_all(int file, std::span<std::byte> bytes, std::uint64_t offset) noexcept {
  while (!bytes.empty()) {
    const ssize_t size = ::pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(size));
    offset += static_cast<std::uint64_t>(size);
  }
  return true;
}

}  // namespace

base::Result<TableFile> TableFile::open(std::string path) {
  base::Descriptor file = open_own(path, 0);
  const bool is_foreign = !file;
  if (is_foreign) {
    ::unlink(path.c_str());
    file = open_own(path, O_EXCL);
  }
  if (!file) return fail(Errc::io, "the table file cannot be made", errno);
  return TableFile(std::move(path), std::move(file), is_foreign);
}

TableFile TableFile::borrow(std::string path, base::Descriptor file) {
  TableFile borrowed(std::move(path), std::move(file), false);
  borrowed.borrowed_ = true;
  return borrowed;
}

void TableFile::remove(const std::string& path) noexcept {
  ::unlink(path.c_str());
}

base::Result<TableFileHeader> TableFile::read_header() const noexcept {
  TableFileHeader header;
  if (!read_all(file_.get(), std::as_writable_bytes(std::span(&header, 1)), 0)) {
    return fail(Errc::malformed, "is shorter than its header");
  }
  const Facts& facts = header.facts;
  if (facts.magic != magic) return fail(Errc::malformed, "is no table file");
  if (facts.layout != table_file_layout) {
    return fail(Errc::version_skew, "is of a release whose tables lie otherwise in memory");
  }
  if (header.checksum != contract::record_digest(facts)) {
    return fail(Errc::malformed, "has a damaged header");
  }
  return header;
}

base::Result<Facts> TableFile::find(std::uint32_t capacity) const noexcept {
  struct stat found{};
  if (::fstat(file_.get(), &found) != 0) return fail(Errc::io, "cannot be looked at", errno);
  if (was_foreign_) return fail(Errc::wrong_state, "is another user's, or a process has it open");
  if (found.st_size == 0) return fail(Errc::not_found, "is new");
  const auto header = read_header();
  if (!header) return std::unexpected(header.error());

  const Facts& facts = header->facts;
  if (facts.dirty != 0) return fail(Errc::wrong_state, "was being changed when its process died");
  const std::size_t bytes = ExactMatch::bytes_for(capacity);
  if (facts.capacity != capacity || facts.table_bytes != bytes) {
    return fail(Errc::invalid_argument, "is of a table of another size (--endpoints)");
  }
  if (static_cast<std::uint64_t>(found.st_size) != sizeof *header + bytes) {
    return fail(Errc::malformed, "has not the length that its header says");
  }
  return facts;
}

base::Status TableFile::read(std::span<std::byte> table) {
  const auto header = read_header();
  if (!header) return std::unexpected(header.error());
  if (!read_all(file_.get(), table, sizeof(TableFileHeader))) {
    return fail(Errc::io, "cannot be read", errno);
  }
  image_.begin(table.size(), header->facts.seed);
  image_.update(0, table);
  if (image_.value() == header->facts.image) return {};
  return fail(Errc::malformed, "is damaged");
}

void TableFile::begin_anew(const ExactMatch& table) {
  if (!file_) return;
  begins_anew_ = borrowed_;
  if (borrowed_) return;
  const auto bytes = static_cast<off_t>(sizeof(TableFileHeader) + table.bytes());
  // To nothing first: what was there is gone, and what is not written reads as zero.
  if (::ftruncate(file_.get(), 0) != 0 || ::ftruncate(file_.get(), bytes) != 0) {
    return give_up(errno);
  }
  dirty_ = false;
  image_.begin(table.bytes(), table.seed());
  constexpr std::array<std::byte, ImageDigest::part_bytes> zeros{};
  for (std::size_t at = 0; at < table.bytes(); at += zeros.size()) {
    image_.update(at, std::span(zeros).first(std::min(zeros.size(), table.bytes() - at)));
  }
  write_header(table, 0, 0);
}

bool TableFile::save(ExactMatch& table, base::Generation generation, std::uint64_t digest) {
  borrowed_ = false;
  if (begins_anew_) begin_anew(table);
  if (!file_) return false;
  const bool more = table.take_changed([&](std::size_t offset, std::span<const std::byte> bytes) {
    if (!dirty_) {
      dirty_ = true;
      write_header(table, generation, digest);
    }
    image_.update(offset, bytes);
    write(bytes.data(), bytes.size(), sizeof(TableFileHeader) + offset);
  });
  if (more || !dirty_) return more;
  dirty_ = false;
  write_header(table, generation, digest);
  return false;
}

std::uint64_t TableFile::bytes() const noexcept {
  struct stat found{};
  if (!file_ || ::fstat(file_.get(), &found) != 0) return 0;
  constexpr std::uint64_t block_bytes = 512;  // Whatever the file system's are: stat(2).
  return static_cast<std::uint64_t>(found.st_blocks) * block_bytes;
}

void TableFile::write(const void* bytes, std::size_t size, std::uint64_t offset) {
  if (!file_) return;
  const ssize_t written = ::pwrite(file_.get(), bytes, size, static_cast<off_t>(offset));
  // Signals are blocked, and files are written whole or where there is no more room.
  if (written != static_cast<ssize_t>(size)) give_up(written < 0 ? errno : ENOSPC);
}

void TableFile::write_header(const ExactMatch& table, base::Generation generation,
                             std::uint64_t digest) {
  TableFileHeader header{};
  header.facts.magic = magic;
  header.facts.layout = table_file_layout;
  header.facts.dirty = dirty_ ? 1 : 0;
  header.facts.table_bytes = table.bytes();
  header.facts.capacity = table.capacity();
  header.facts.entries = table.size();
  header.facts.seed = table.seed();
  header.facts.generation = generation;
  header.facts.digest = digest;
  header.facts.image = image_.value();
  header.checksum = contract::record_digest(header.facts);
  write(&header, sizeof header, 0);
}

void TableFile::give_up(int error_number) {
  if (!file_) return;
  ::unlink(path_.c_str());
  (void)!::ftruncate(file_.get(), 0);  // Its memory, should somebody else have it open.
  file_.reset();
  error_number_ = error_number;
}

}  // namespace dp
