// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/numbers.hpp"

#include "controlplane/store/row_digest.hpp"

#include <array>

namespace cp {
namespace {

std::uint64_t number_digest(ObjectKind kind, std::string_view name, std::uint16_t number) {
  RowDigest digest('n');
  return digest.add(static_cast<char>(kind)).add_value(name).add(std::to_string(number)).value();
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

  template <class... V>
  bool insert(ObjectKind kind, std::string_view key, V... values) {
    insert_.start().bind(static_cast<std::int64_t>(kind)).bind(key);
    (insert_.bind(values), ...);
    return run(insert_);
  }
  template <class... V>
  bool update(ObjectKind kind, std::string_view key, V... values) {
    update_.start();
    (update_.bind(values), ...);
    return run(update_.bind(static_cast<std::int64_t>(kind)).bind(key));
  }
  bool remove(ObjectKind kind, std::string_view key) {
    return run(remove_.start().bind(static_cast<std::int64_t>(kind)).bind(key));
  }

 private:
  RowWriter(Database& database, Statement insert, Statement update, Statement remove)
      : database_(database),
        insert_(std::move(insert)),
        update_(std::move(update)),
        remove_(std::move(remove)) {}

  // Exactly one row, or the file does not hold what the caller thinks.
  bool run(Statement& statement) {
    return statement.step() == Statement::Step::done && sqlite3_changes(database_.get()) == 1;
  }

  Database& database_;
  Statement insert_;
  Statement update_;
  Statement remove_;
};

}  // namespace

Status read_numbers(Database& database, Allocation& allocation, std::uint64_t& digest) {
  auto rows = Statement::make(database,
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
        return fail(
            database.damaged("the number of " + title_of(kind, rows->text(0)) + " cannot be"));
      }
    }
    if (step == Statement::Step::failed) return fail(database.error("read"));
  }
  return {};
}

Status write_numbers(Database& database, const Allocation& saved, const Allocation& allocation,
                     std::uint64_t& digest) {
  auto writer = RowWriter::make(database, "INSERT INTO numbers VALUES (?, ?, ?)",
                                "UPDATE numbers SET number = ? WHERE kind = ? AND name = ?",
                                "DELETE FROM numbers WHERE kind = ? AND name = ?");
  if (!writer) return std::unexpected(writer.error());
  bool good = true;
  for (const ObjectKind kind : numbered_kinds) {
    const Numbers& before = *saved.of(kind);
    const Numbers& after = *allocation.of(kind);
    before.for_each([&](const std::string& name, std::uint16_t number) {
      if (!good || after.find(name)) return;
      digest -= number_digest(kind, name, number);
      good = writer->remove(kind, name);
    });
    after.for_each([&](const std::string& name, std::uint16_t number) {
      const auto former = before.find(name);
      if (!good || former == number) return;
      if (former) digest -= number_digest(kind, name, *former);
      digest += number_digest(kind, name, number);
      good = former ? writer->update(kind, name, std::int64_t{number})
                    : writer->insert(kind, name, std::int64_t{number});
    });
  }
  if (good) return {};
  if (!database.row_mismatch()) return fail(database.error("write"));
  return fail(database.damaged("does not hold the numbers that were saved last"));
}

}  // namespace cp
