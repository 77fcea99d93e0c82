// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/sqlite.hpp"

#include "dataplane/base/log.hpp"
#include "dataplane/base/memory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <new>
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

// Our statements fit our tables and values: where they do not, it is the file that has changed. And
// it was opened for writing: a flag in its own header forbids it now.
bool is_other_than_written(sqlite3* handle) noexcept {
  switch (sqlite3_extended_errcode(handle)) {
    case SQLITE_ERROR:
    case SQLITE_READONLY:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH: return true;
    default: return false;
  }
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
  if (handle == nullptr) throw std::bad_alloc();
  if (opened != SQLITE_OK) return fail(database.error("open"));
  sqlite3_extended_result_codes(handle, 1);
  // A damaged file must not make SQLite run what stands in its schema.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_wal_hook(handle, note_log, database.log_pages_.get());
  return database;
}

Status Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return fail(error("execute"));
  }
  if (copy_ == nullptr) return {};
  if (auto done = copy_->execute(sql); !done) give_up_copy(done.error().front());
  return {};
}

void Database::roll_back() noexcept {
  // SQLite may have done so itself. It fails where there is no memory to read the statement with,
  // and what others write next would be part of it: the log undoes it when the file is next opened.
  // Whoever supervises us has that done now.
  if (sqlite3_get_autocommit(handle_.get()) == 0 &&
      sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr) != SQLITE_OK &&
      sqlite3_get_autocommit(handle_.get()) == 0) {
    base::end_at_once("the store does not take back an unfinished change: ended at once");
  }
  if (copy_) copy_->roll_back();
}

void Database::keep_copy(Database copy) {
  copy_ = std::make_unique<Database>(std::move(copy));
}

void Database::give_up_copy(const Error& why) {
  LOG(error, "store_copy_failed", {"reason", to_string(why)});
  copy_.reset();
}

void Database::leave_log() noexcept {
  (void)sqlite3_db_config(get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Status Database::copy_from(Database& from) {
  sqlite3_backup* backup = sqlite3_backup_init(get(), "main", from.get(), "main");
  if (backup == nullptr) return fail(error("copy"));
  (void)sqlite3_backup_step(backup, -1);  // A failure is told by the next call, too.
  if (sqlite3_backup_finish(backup) != SQLITE_OK) return fail(error("copy"));
  return {};
}

Status Database::empty_log() {
  const int done = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (done != SQLITE_OK) return fail(error("checkpoint"));
  *log_pages_ = 0;
  if (copy_ == nullptr) return {};
  if (auto emptied = copy_->empty_log(); !emptied) give_up_copy(emptied.error().front());
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
  } else if (is_other_than_written(handle_.get())) {
    error.code = base::Errc::malformed;
    error.message = std::string("is damaged (") + sqlite3_errmsg(handle_.get()) +
                    "); restore a copy, or move it away to start with an empty store";
  } else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    error.code = base::Errc::busy;
    error.message = "is in use by another process; only one control plane may have it";
  } else if (code == SQLITE_NOMEM || sqlite3_errcode(handle_.get()) == SQLITE_IOERR_NOMEM) {
    error.code = base::Errc::out_of_memory;
    error.message = "cannot " + std::string(what) + ": there is no memory";
  } else if (code == SQLITE_FULL) {
    error.message = "the disk is full; nothing was changed";
  } else {
    error.message = "cannot " + std::string(what) + ": " + sqlite3_errmsg(handle_.get());
  }
  return error;
}

Error Database::damaged(std::string what) const {
  Error error = io_error(path_, std::move(what) +
                                    "; restore a copy, or move the file away to start "
                                    "with an empty store");
  error.code = base::Errc::malformed;
  return error;
}

bool Database::row_mismatch() const noexcept {
  const int code = sqlite3_errcode(handle_.get()) & 0xff;
  return code == SQLITE_DONE || code == SQLITE_CONSTRAINT;
}

Result<Statement> Statement::make(Database& database, const char* sql) {
  const auto prepare = [sql](sqlite3* in) {
    sqlite3_stmt* handle = nullptr;
    (void)sqlite3_prepare_v3(in, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
    return handle;
  };
  Statement statement;
  statement.database_ = &database;
  statement.handle_.reset(prepare(database.get()));
  if (!statement.handle_) return fail(database.error("prepare"));
  if (database.copy() != nullptr && sqlite3_stmt_readonly(statement.handle_.get()) == 0) {
    statement.copy_handle_.reset(prepare(database.copy()->get()));
    if (!statement.copy_handle_) database.give_up_copy(database.copy()->error("prepare"));
  }
  return statement;
}

Statement& Statement::start() noexcept {
  sqlite3_reset(handle_.get());
  if (copy_handle_) sqlite3_reset(copy_handle_.get());
  next_parameter_ = 1;
  return *this;
}

Statement& Statement::bind(std::int64_t value) noexcept {
  sqlite3_bind_int64(handle_.get(), next_parameter_, value);
  if (copy_handle_) sqlite3_bind_int64(copy_handle_.get(), next_parameter_, value);
  ++next_parameter_;
  return *this;
}

Statement& Statement::bind(std::string_view text) noexcept {
  const auto bind_to = [&](sqlite3_stmt* handle) {
    sqlite3_bind_text(handle, next_parameter_, text.data(), static_cast<int>(text.size()),
                      SQLITE_STATIC);
  };
  bind_to(handle_.get());
  if (copy_handle_) bind_to(copy_handle_.get());
  ++next_parameter_;
  return *this;
}

Statement::Step Statement::step() {
  switch (sqlite3_step(handle_.get())) {
    case SQLITE_ROW: return Step::row;
    case SQLITE_DONE: break;
    default: return Step::failed;
  }
  if (copy_handle_) step_copy();
  return Step::done;
}

void Statement::step_copy() {
  Database* copy = database_->copy();
  if (copy == nullptr) return;  // Another statement has met its end.
  if (sqlite3_step(copy_handle_.get()) != SQLITE_DONE) {
    database_->give_up_copy(copy->error("write"));
  } else if (sqlite3_changes(copy->get()) != sqlite3_changes(database_->get())) {
    database_->give_up_copy(copy->damaged("does not hold what it is a copy of"));
  }
}

std::string_view Statement::text(int column) noexcept {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  // It ends texts with a zero, which takes memory: without it a sound row would look damaged.
  if (text == nullptr && sqlite3_errcode(sqlite3_db_handle(handle_.get())) == SQLITE_NOMEM) {
    base::out_of_memory();
  }
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
  if (database_ != nullptr) database_->roll_back();
}

Status Transaction::commit() {
  if (auto committed = database_->execute("COMMIT"); !committed) return committed;
  database_ = nullptr;
  return {};
}

}  // namespace cp
