// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/sqlite.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cp {
namespace {

Error io_error(const std::string& path, std::string message) {
  return {.code = base::Errc::io,
          .message = std::move(message),
          .object = {},
          .field = {},
          .file = path,
          .place = {},
          .suggestion = {}};
}

// SQLite would create the file readable by all; it gives the files beside it the same mode. And it
// would take a file of a few bytes for a new one: what is left of a store must not become an empty
// one.
Status prepare_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(io_error(path, std::string("cannot open: ") + std::strerror(errno)));
  struct stat status{};
  const bool is_private = ::fchmod(fd, 0600) == 0 && ::fstat(fd, &status) == 0;
  const int error = errno;
  // Closed before SQLite opens it: closing later would drop SQLite's locks (fcntl).
  ::close(fd);
  if (!is_private) {
    return fail(io_error(path, std::string("cannot set its mode: ") + std::strerror(error)));
  }
  constexpr ::off_t page_bytes_min = 512;
  if (status.st_size == 0 || status.st_size >= page_bytes_min) return {};
  Error cut = io_error(path, "is no SQLite database; move it away to start with an empty store");
  cut.code = base::Errc::malformed;
  return fail(std::move(cut));
}

// Only where nobody has emptied the log for long: it does not grow for ever.
constexpr int log_pages_max = 16384;

int note_log(void* pages, sqlite3* handle, const char* database, int count) {
  *static_cast<int*>(pages) = count;
  // A failure is met again by who reads or writes.
  if (count > log_pages_max) (void)sqlite3_wal_checkpoint(handle, database);
  return SQLITE_OK;
}

}  // namespace

Result<Database> Database::open(const std::string& path) {
  if (path != ":memory:") {
    if (auto made = prepare_file(path); !made) return std::unexpected(made.error());
  }
  Database database;
  database.path_ = path;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  database.handle_.reset(handle);
  if (handle == nullptr) return fail(io_error(path, "no memory for SQLite"));
  if (opened != SQLITE_OK) return fail(database.error("open"));
  sqlite3_extended_result_codes(handle, 1);
  // A damaged file must not make SQLite run what stands in its schema.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_wal_hook(handle, note_log, database.log_pages_.get());
  return database;
}

Status Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return fail(error("execute"));
}

Status Database::empty_log() {
  const int done = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (done != SQLITE_OK) return fail(error("checkpoint"));
  *log_pages_ = 0;
  return {};
}

Result<std::int64_t> Database::integer(const char* sql) {
  auto statement = Statement::make(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  if (statement->start().step() != Statement::Step::row) return fail(error("read"));
  return statement->integer(0);
}

Result<std::string> Database::text(const char* sql) {
  auto statement = Statement::make(*this, sql);
  if (!statement) return std::unexpected(statement.error());
  if (statement->start().step() != Statement::Step::row) return fail(error("read"));
  return std::string(statement->text(0));
}

Error Database::error(std::string_view what) const {
  const int code = sqlite3_errcode(handle_.get()) & 0xff;
  Error error = io_error(path_, {});
  if (code == SQLITE_NOTADB) {
    error.code = base::Errc::malformed;
    error.message = "is no SQLite database; move it away to start with an empty store";
  } else if (code == SQLITE_CORRUPT) {
    error.code = base::Errc::malformed;
    error.message = "is damaged; restore a copy, or move it away to start with an empty store";
  } else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    error.code = base::Errc::busy;
    error.message = "is in use by another process; only one control plane may have it";
  } else if (code == SQLITE_FULL) {
    error.message = "the disk is full; nothing was changed";
  } else {
    error.message = "cannot " + std::string(what) + ": " + sqlite3_errmsg(handle_.get());
  }
  return error;
}

Result<Statement> Statement::make(Database& database, const char* sql) {
  sqlite3_stmt* handle = nullptr;
  const int made =
      sqlite3_prepare_v3(database.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  Statement statement;
  statement.handle_.reset(handle);
  if (made != SQLITE_OK) return fail(database.error("prepare"));
  return statement;
}

Statement& Statement::start() noexcept {
  sqlite3_reset(handle_.get());
  next_parameter_ = 1;
  return *this;
}

Statement& Statement::bind(std::int64_t value) noexcept {
  sqlite3_bind_int64(handle_.get(), next_parameter_++, value);
  return *this;
}

Statement& Statement::bind(std::string_view text) noexcept {
  sqlite3_bind_text(handle_.get(), next_parameter_++, text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
  return *this;
}

Statement::Step Statement::step() noexcept {
  switch (sqlite3_step(handle_.get())) {
    case SQLITE_ROW: return Step::row;
    case SQLITE_DONE: return Step::done;
    default: return Step::failed;
  }
}

std::string_view Statement::text(int column) noexcept {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Result<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) {
    return std::unexpected(begun.error());
  }
  return Transaction(database);
}

Transaction::~Transaction() {
  // Where this fails too, the journal undoes it when the file is next opened.
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Status Transaction::commit() {
  if (auto committed = database_->execute("COMMIT"); !committed) return committed;
  database_ = nullptr;
  return {};
}

}  // namespace cp
