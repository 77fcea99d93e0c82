// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/store.hpp"

#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/plan/merge.hpp"
#include "dataplane/contract/limits.hpp"

#include <array>

namespace cp {
namespace {

// The file says so in its header; "WEIR".
constexpr std::int64_t application_id = 0x57454952;
constexpr std::int64_t schema_version = 1;

// A new schema gets the next number and a step that makes it of the one before.
constexpr const char* schema_1 = R"(
  CREATE TABLE objects (kind INTEGER NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,
                        PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
  CREATE TABLE numbers (kind INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
                        PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), content_digest INTEGER NOT NULL,
                      boot_id INTEGER NOT NULL, generation INTEGER NOT NULL,
                      ports INTEGER NOT NULL, networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                      endpoints INTEGER NOT NULL) STRICT;
  INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0, 0);
  PRAGMA user_version = 1;
  PRAGMA application_id = 0x57454952;
)";

// Exclusive: a second control plane finds the file busy instead of fighting over it, and SQLite
// needs no shared memory beside it. FULL: a commit is on the disk when it returns.
constexpr const char* settings = R"(
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cell_size_check = ON;
)";

// Of which the names have numbers.
constexpr std::array numbered_kinds = {ObjectKind::port, ObjectKind::vtep, ObjectKind::network,
                                       ObjectKind::next_hop};

// FNV-1a over table, kind, key and value, mixed so that sums of similar rows do not cancel out.
// Against accidents, not forgery: who can write the file can write anything.
std::uint64_t row_digest(char table, ObjectKind kind, std::string_view key,
                         std::string_view value) {
  constexpr std::uint64_t prime = 0x100'0000'01b3;
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  const auto add = [&hash](char c) {
    hash = (hash ^ static_cast<unsigned char>(c)) * prime;
  };
  add(table);
  add(static_cast<char>(kind));
  for (const char c : key) add(c);
  add('\0');  // No key holds one.
  for (const char c : value) add(c);
  hash = (hash ^ (hash >> 32)) * 0xff51'afd7'ed55'8ccd;
  return hash ^ (hash >> 32);
}

std::uint64_t object_digest(ObjectKind kind, std::string_view key, std::string_view json) {
  return row_digest('o', kind, key, json);
}

std::uint64_t number_digest(ObjectKind kind, std::string_view name, std::uint16_t number) {
  return row_digest('n', kind, name, std::to_string(number));
}

Status check_application(Database& database) {
  const auto id = database.integer("PRAGMA application_id");
  if (!id) return std::unexpected(id.error());
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  if (*id == application_id || (*id == 0 && *tables == 0)) return {};
  Error error = database.error({});
  error.code = base::Errc::malformed;
  error.message = "is the database of another program";
  return fail(std::move(error));
}

Status check_integrity(Database& database) {
  const auto result = database.text("PRAGMA quick_check(1)");
  if (!result) return std::unexpected(result.error());
  if (*result == "ok") return {};
  Error error = database.error({});
  error.code = base::Errc::malformed;
  error.message =
      "is damaged (" + *result + "); restore a copy, or move it away to start with an empty store";
  return fail(std::move(error));
}

Status bring_to_schema(Database& database) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version == schema_version) return {};
  if (*version > schema_version || *version < 0) {
    Error error = database.error({});
    error.code = base::Errc::version_skew;
    error.message = "was written by a newer release (schema " + std::to_string(*version) +
                    "; this one knows " + std::to_string(schema_version) +
                    "); start that release, or move the file away";
    return fail(std::move(error));
  }
  auto transaction = Transaction::begin(database);
  if (!transaction) return std::unexpected(transaction.error());
  if (auto made = database.execute(schema_1); !made) return made;
  return transaction->commit();
}

// Writes rows of one table and keeps their digest.
class RowWriter {
 public:
  static Result<RowWriter> make(Database& database, const char* insert, const char* update,
                                const char* remove) {
    auto insert_statement = Statement::make(database, insert);
    auto update_statement = Statement::make(database, update);
    auto remove_statement = Statement::make(database, remove);
    if (!insert_statement) return std::unexpected(insert_statement.error());
    if (!update_statement) return std::unexpected(update_statement.error());
    if (!remove_statement) return std::unexpected(remove_statement.error());
    return RowWriter(database, std::move(*insert_statement), std::move(*update_statement),
                     std::move(*remove_statement));
  }

  template <class V>
  bool insert(ObjectKind kind, std::string_view key, V value) {
    return run(insert_.start().bind(static_cast<std::int64_t>(kind)).bind(key).bind(value));
  }
  template <class V>
  bool update(ObjectKind kind, std::string_view key, V value) {
    return run(update_.start().bind(value).bind(static_cast<std::int64_t>(kind)).bind(key));
  }
  bool remove(ObjectKind kind, std::string_view key) {
    return run(remove_.start().bind(static_cast<std::int64_t>(kind)).bind(key));
  }
  std::uint64_t rows() const noexcept { return rows_; }

 private:
  RowWriter(Database& database, Statement insert, Statement update, Statement remove)
      : database_(database),
        insert_(std::move(insert)),
        update_(std::move(update)),
        remove_(std::move(remove)) {}

  // Exactly one row, or the file does not hold what the caller thinks.
  bool run(Statement& statement) {
    ++rows_;
    return statement.step() == Statement::Step::done && sqlite3_changes(database_.get()) == 1;
  }

  Database& database_;
  Statement insert_;
  Statement update_;
  Statement remove_;
  std::uint64_t rows_ = 0;
};

// Whether a write failed because the row was there, or was not, against what the caller thinks.
bool row_mismatch(const Database& database) noexcept {
  const int code = sqlite3_errcode(database.get()) & 0xff;
  return code == SQLITE_DONE || code == SQLITE_CONSTRAINT;
}

Status update_digest(Database& database, std::uint64_t digest) {
  auto statement = Statement::make(database, "UPDATE state SET content_digest = ?");
  if (!statement) return std::unexpected(statement.error());
  const auto done = statement->start().bind(static_cast<std::int64_t>(digest)).step();
  if (done != Statement::Step::done) return fail(database.error("write"));
  return {};
}

}  // namespace

Error Store::damaged(std::string what) const {
  return {.code = base::Errc::malformed,
          .message = std::move(what) +
                     "; restore a copy, or move the file away to start with an empty store",
          .object = {},
          .field = {},
          .file = path(),
          .place = {},
          .suggestion = {}};
}

Result<Store> Store::open(const std::string& path) {
  auto database = Database::open(path);
  if (!database) return std::unexpected(database.error());
  Store store(std::move(*database));
  if (auto set = store.database_.execute(settings); !set) return std::unexpected(set.error());
  if (auto ours = check_application(store.database_); !ours) return std::unexpected(ours.error());
  if (auto sound = check_integrity(store.database_); !sound) {
    return std::unexpected(sound.error());
  }
  if (auto made = bring_to_schema(store.database_); !made) return std::unexpected(made.error());
  return store;
}

Result<std::string> Store::read_objects(std::uint64_t& digest) {
  auto rows = Statement::make(database_, "SELECT key, json FROM objects WHERE kind = ?");
  if (!rows) return std::unexpected(rows.error());
  // The same text as in a file, so that there is one reader.
  std::string document = "{";
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    document += (i == 0 ? "" : ",") + json_string(plural(kind)) + ":[";
    rows->start().bind(static_cast<std::int64_t>(kind));
    Statement::Step step;
    for (bool first = true; (step = rows->step()) == Statement::Step::row; first = false) {
      digest += object_digest(kind, rows->text(0), rows->text(1));
      if (!first) document += ",\n";
      document += rows->text(1);
    }
    if (step == Statement::Step::failed) return fail(database_.error("read"));
    document += ']';
  }
  return document + "}";
}

Status Store::read_numbers(Allocation& allocation, std::uint64_t& digest) {
  auto rows = Statement::make(database_,
                              "SELECT name, number FROM numbers WHERE kind = ? "
                              "ORDER BY number");
  if (!rows) return std::unexpected(rows.error());
  for (const ObjectKind kind : numbered_kinds) {
    rows->start().bind(static_cast<std::int64_t>(kind));
    Statement::Step step;
    while ((step = rows->step()) == Statement::Step::row) {
      const auto number = static_cast<std::uint16_t>(rows->integer(1));
      digest += number_digest(kind, rows->text(0), number);
      if (rows->integer(1) != number || !allocation.of(kind)->restore(rows->text(0), number)) {
        return fail(damaged("the number of " + title_of(kind, rows->text(0)) + " cannot be"));
      }
    }
    if (step == Statement::Step::failed) return fail(database_.error("read"));
  }
  return {};
}

Result<Saved> Store::load(const Limits& limits) {
  auto row = Statement::make(database_,
                             "SELECT content_digest, boot_id, generation, ports, networks, vteps, "
                             "endpoints FROM state");
  if (!row) return std::unexpected(row.error());
  if (row->start().step() != Statement::Step::row) return fail(damaged("has lost its state"));
  const auto column = [&row](int at) {
    return static_cast<std::uint64_t>(row->integer(at));
  };
  Saved saved{.intent = {},
              .allocation = Allocation(limits),
              .applied = {.boot_id = column(1),
                          .generation = column(2),
                          .digests = {.ports = column(3),
                                      .networks = column(4),
                                      .vteps = column(5),
                                      .endpoints = column(6)}}};
  const std::uint64_t saved_digest = column(0);
  row->start();

  std::uint64_t digest = 0;
  auto document = read_objects(digest);
  if (!document) return std::unexpected(document.error());
  if (auto read = read_numbers(saved.allocation, digest); !read) {
    return std::unexpected(read.error());
  }
  if (digest != saved_digest) return fail(damaged("its rows do not add up: it is damaged"));

  // What fits this data plane is judged when it has said its limits.
  const ReadOptions options{.file = path(),
                            .bytes_max = document->size(),
                            .limits = {.ports = 64,
                                       .vteps = 65535,
                                       .networks = 65535,
                                       .endpoints = UINT32_MAX,
                                       .next_hops = contract::next_hop_count_max},
                            .key = {}};
  auto intent = read_intent(*document, Syntax::json, options);
  if (!intent) return std::unexpected(intent.error());
  saved.intent = std::move(*intent);
  numbers_ = saved.allocation;
  return saved;
}

Status Store::save_objects(const Intent& before, const Intent& after, std::uint64_t& digest) {
  auto writer = RowWriter::make(database_, "INSERT INTO objects VALUES (?, ?, ?)",
                                "UPDATE objects SET json = ? WHERE kind = ? AND key = ?",
                                "DELETE FROM objects WHERE kind = ? AND key = ?");
  if (!writer) return std::unexpected(writer.error());
  bool good = true;
  const auto save_list = [&]<class T>(const std::vector<T>& old_list,
                                      const std::vector<T>& new_list) {
    constexpr ObjectKind kind = kind_of_type<T>;
    Merge<T>(old_list, new_list).for_each([&](const T* old_object, const T* new_object) {
      if (!good || (old_object != nullptr && new_object != nullptr && *old_object == *new_object)) {
        return;
      }
      const std::string key = key_of(old_object != nullptr ? *old_object : *new_object);
      if (old_object != nullptr) digest -= object_digest(kind, key, to_json(*old_object));
      if (new_object == nullptr) {
        good = writer->remove(kind, key);
        return;
      }
      const std::string json = to_json(*new_object);
      digest += object_digest(kind, key, json);
      good = old_object != nullptr ? writer->update<std::string_view>(kind, key, json)
                                   : writer->insert<std::string_view>(kind, key, json);
    });
  };
  save_list(before.ports, after.ports);
  save_list(before.vteps, after.vteps);
  save_list(before.networks, after.networks);
  save_list(before.endpoints, after.endpoints);
  save_list(before.next_hops, after.next_hops);
  save_list(before.host_rules, after.host_rules);
  save_list(before.queues, after.queues);
  rows_changed_ += writer->rows();
  if (good) return {};
  if (!row_mismatch(database_)) return fail(database_.error("write"));
  return fail(damaged("does not hold what was saved last"));
}

Status Store::save_numbers(const Allocation& allocation, std::uint64_t& digest) {
  auto writer = RowWriter::make(database_, "INSERT INTO numbers VALUES (?, ?, ?)",
                                "UPDATE numbers SET number = ? WHERE kind = ? AND name = ?",
                                "DELETE FROM numbers WHERE kind = ? AND name = ?");
  if (!writer) return std::unexpected(writer.error());
  bool good = true;
  for (const ObjectKind kind : numbered_kinds) {
    const Numbers& before = *numbers_.of(kind);
    const Numbers& after = *allocation.of(kind);
    before.for_each([&](const std::string& name, std::uint16_t number) {
      if (!good || after.find(name)) return;
      digest -= number_digest(kind, name, number);
      good = writer->remove(kind, name);
    });
    after.for_each([&](const std::string& name, std::uint16_t number) {
      const auto saved = before.find(name);
      if (!good || saved == number) return;
      if (saved) digest -= number_digest(kind, name, *saved);
      digest += number_digest(kind, name, number);
      good = saved ? writer->update<std::int64_t>(kind, name, number)
                   : writer->insert<std::int64_t>(kind, name, number);
    });
  }
  rows_changed_ += writer->rows();
  if (good) return {};
  if (!row_mismatch(database_)) return fail(database_.error("write"));
  return fail(damaged("does not hold the numbers that were saved last"));
}

Status Store::save(const Intent& before, const Intent& after, const Allocation& allocation) {
  rows_changed_ = 0;
  auto transaction = Transaction::begin(database_);
  if (!transaction) return std::unexpected(transaction.error());
  const auto saved_digest = database_.integer("SELECT content_digest FROM state");
  if (!saved_digest) return std::unexpected(saved_digest.error());
  auto digest = static_cast<std::uint64_t>(*saved_digest);
  if (auto saved = save_objects(before, after, digest); !saved) return saved;
  if (auto saved = save_numbers(allocation, digest); !saved) return saved;
  if (auto updated = update_digest(database_, digest); !updated) return updated;
  if (auto committed = transaction->commit(); !committed) return committed;
  numbers_ = allocation;
  return {};
}

Status Store::save_applied(const Applied& applied) {
  auto row = Statement::make(database_,
                             "UPDATE state SET boot_id = ?, generation = ?, ports = ?, "
                             "networks = ?, vteps = ?, endpoints = ?");
  if (!row) return std::unexpected(row.error());
  row->start();
  for (const std::uint64_t value :
       {applied.boot_id, applied.generation, applied.digests.ports, applied.digests.networks,
        applied.digests.vteps, applied.digests.endpoints}) {
    row->bind(static_cast<std::int64_t>(value));
  }
  if (row->step() != Statement::Step::done) return fail(database_.error("write"));
  return {};
}

}  // namespace cp
