// SPDX-License-Identifier: Apache-2.0
// SQLite's handles with their owners, and its errors as ours; what is written may be written to a
// second file, too. Nothing here knows an intent.
#pragma once

#include "controlplane/intent/error.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace cp {

class Database {
 public:
  // Creates the file with mode 0600 where there is none; ":memory:" is a store that ends with this.
  static Result<Database> open(const std::string& path);

  // Statements without results, or whose results do not matter; in the copy too.
  Status execute(const char* sql);
  void roll_back() noexcept;
  // The first column of the first row.
  Result<std::int64_t> integer(const char* sql);
  Result<std::string> text(const char* sql);

  // Whatever is written from now on is written to `copy` too, which holds the same: after it was
  // written here, and on the disk when a commit returns. A copy that fails, or turns out to hold
  // something else, refuses nothing: it is given up, which is logged.
  void keep_copy(Database copy);
  Database* copy() const noexcept { return copy_.get(); }  // nullptr: there is none.
  void give_up_copy(const Error& why);

  // Its log stays beside it when it is closed, for whoever wants to know what has happened.
  void leave_log() noexcept;

  // All of `from` in place of what is here: a new file without a copy.
  Status copy_from(Database& from);

  // The last failure, as `what` ("write") went wrong.
  Error error(std::string_view what) const;
  // `what` has been found in it, which cannot be.
  Error damaged(std::string what) const;
  // Whether a write failed because the row was there, or was not, against what the caller thinks.
  bool row_mismatch() const noexcept;

  // How many pages of changes lie beside the file, and brings them into it: not while somebody
  // waits for a commit, which is on the disk without this.
  int log_pages() const noexcept { return *log_pages_; }
  Status empty_log();

  sqlite3* get() const noexcept { return handle_.get(); }
  const std::string& path() const noexcept { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
  };

  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);  // SQLite writes it at each commit.
  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
  std::unique_ptr<Database> copy_;
};

// A prepared statement, used again and again; what writes writes to a copy too. The database is
// borrowed and stays where it is.
class Statement {
 public:
  static Result<Statement> make(Database& database, const char* sql);

  // Parameters are bound in the order of the calls; texts are borrowed until the next start().
  Statement& start() noexcept;
  Statement& bind(std::int64_t value) noexcept;
  Statement& bind(std::string_view text) noexcept;

  enum class Step : std::uint8_t { row, done, failed };
  Step step();

  std::int64_t integer(int column) noexcept { return sqlite3_column_int64(handle_.get(), column); }
  // Borrowed until the next step().
  std::string_view text(int column) noexcept;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const noexcept { sqlite3_finalize(handle); }
  };

  void step_copy();

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  std::unique_ptr<sqlite3_stmt, Finalize> copy_handle_;  // Nothing where nobody keeps a copy.
  Database* database_ = nullptr;
  int next_parameter_ = 1;
};

// Rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // In the copy after it is so here: killed in between, the copy is one commit behind.
  Status commit();

 private:
  explicit Transaction(Database& database) noexcept : database_(&database) {}

  Database* database_;  // Borrowed; nullptr once over.
};

}  // namespace cp
