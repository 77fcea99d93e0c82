// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/history.hpp"

#include "controlplane/store/difference.hpp"
#include "controlplane/store/row_digest.hpp"

#include <array>

namespace cp {
namespace {

constexpr std::array<std::string_view, 7> outcomes = {
    "applied", "pending", "refused", "unfinished", "confirmed", "saved", "forgotten"};
constexpr const char* columns =
    "number, time_ms, uid, user, pid, what, outcome, reason, generation, added, changed, removed, "
    "changes, digest";

std::optional<Outcome> parse_outcome(std::string_view word) noexcept {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == word) return static_cast<Outcome>(i);
  }
  return std::nullopt;
}

std::int64_t digest_of(const HistoryEntry& entry) noexcept {
  RowDigest digest('h');
  digest.add_value(static_cast<std::int64_t>(entry.number)).add_value(entry.time_ms);
  digest.add_value(entry.who.uid).add_value(entry.who.user).add_value(entry.who.pid);
  digest.add_value(entry.what).add_value(name(entry.outcome)).add_value(entry.reason);
  digest.add_value(static_cast<std::int64_t>(entry.generation));
  for (const std::size_t count : {entry.counts.added, entry.counts.changed, entry.counts.removed}) {
    digest.add_value(static_cast<std::int64_t>(count));
  }
  return static_cast<std::int64_t>(digest.add_value(entry.changes).value());
}

std::int64_t digest_of(std::uint64_t number, std::string_view undo) noexcept {
  return static_cast<std::int64_t>(
      RowDigest('u').add_value(static_cast<std::int64_t>(number)).add(undo).value());
}

HistoryEntry read_entry(Statement& row) {
  const auto count = [&row](int column) {
    return static_cast<std::size_t>(row.integer(column));
  };
  const auto outcome = parse_outcome(row.text(6));
  HistoryEntry entry{
      .number = static_cast<std::uint64_t>(row.integer(0)),
      .time_ms = row.integer(1),
      .who = {.uid = row.integer(2), .user = std::string(row.text(3)), .pid = row.integer(4)},
      .what = std::string(row.text(5)),
      .outcome = outcome.value_or(Outcome::refused),
      .reason = std::string(row.text(7)),
      .generation = static_cast<std::uint64_t>(row.integer(8)),
      .counts = {.added = count(9), .changed = count(10), .removed = count(11)},
      .changes = std::string(row.text(12))};
  entry.sound = outcome && row.integer(13) == digest_of(entry);
  return entry;
}

Status write_undo(Database& database, std::uint64_t number, std::string_view undo) {
  auto row = Statement::make(database, "INSERT INTO undo VALUES (?, ?, ?, ?)");
  if (!row) return std::unexpected(row.error());
  row->start().bind(static_cast<std::int64_t>(number));
  row->bind(static_cast<std::int64_t>(undo.size())).bind(digest_of(number, undo)).bind(undo);
  if (row->step() != Statement::Step::done) return fail(database.error("write"));
  return {};
}

Status remove_rows(Database& database, const char* sql, std::uint64_t newest, std::uint64_t most) {
  auto statement = Statement::make(database, sql);
  if (!statement) return std::unexpected(statement.error());
  statement->start().bind(static_cast<std::int64_t>(newest));
  const auto done = statement->bind(static_cast<std::int64_t>(most)).step();
  if (done != Statement::Step::done) return fail(database.error("write"));
  return {};
}

// The newest entry and what undoes the newest change always stay.
Status trim(Database& database, std::uint64_t newest) {
  if (auto done = remove_rows(database, "DELETE FROM history WHERE number <= ?1 - ?2", newest,
                              history_entries_max);
      !done) {
    return done;
  }
  if (auto done = remove_rows(database,
                              "DELETE FROM undo WHERE number <= ?1 - ?2 AND number < (SELECT "
                              "max(number) FROM undo)",
                              newest, undo_entries_max);
      !done) {
    return done;
  }
  return remove_rows(database,
                     "DELETE FROM undo WHERE number < ?1 AND number < (SELECT max(number) FROM "
                     "undo) AND number IN (SELECT number FROM (SELECT number, sum(bytes) OVER "
                     "(ORDER BY number DESC) AS total FROM undo) WHERE total > ?2)",
                     newest, undo_bytes_max);
}

// The newest change that nothing undoes any more, or that history tells no more of: no way leads
// back beyond it.
Result<std::int64_t> farthest(Database& database) {
  return database.integer(
      "SELECT max(coalesce((SELECT max(number) FROM history WHERE outcome IN ('applied', "
      "'pending') "
      "AND number NOT IN (SELECT number FROM undo)), 0), "
      "coalesce((SELECT min(number) FROM history), 1) - 1)");
}

Error damaged(Database& database, std::uint64_t change) {
  Error error = database.error({});
  error.code = base::Errc::malformed;
  error.message = "what undoes change " + std::to_string(change) + " is damaged";
  return error;
}

Error no_way_back(std::uint64_t number, std::int64_t oldest, std::uint64_t newest) {
  Error error;
  error.code = base::Errc::not_found;
  error.object = "change " + std::to_string(number);
  error.message = "cannot be gone back to; history reaches from " + std::to_string(oldest) +
                  " to " + std::to_string(newest);
  return error;
}

}  // namespace

std::string_view name(Outcome outcome) noexcept {
  return outcomes[static_cast<std::size_t>(outcome)];
}

bool changes_intent(Outcome outcome) noexcept {
  return outcome == Outcome::applied || outcome == Outcome::pending;
}

Result<std::uint64_t> append_history(Database& database, const HistoryEntry& entry,
                                     std::string_view undo) {
  const auto newest = newest_entry(database);
  if (!newest) return std::unexpected(newest.error());
  HistoryEntry numbered = entry;
  numbered.number = *newest + 1;
  auto row = Statement::make(
      database, "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!row) return std::unexpected(row.error());
  row->start().bind(static_cast<std::int64_t>(numbered.number)).bind(numbered.time_ms);
  row->bind(numbered.who.uid).bind(std::string_view(numbered.who.user)).bind(numbered.who.pid);
  row->bind(std::string_view(numbered.what)).bind(name(numbered.outcome));
  row->bind(std::string_view(numbered.reason));
  row->bind(static_cast<std::int64_t>(numbered.generation));
  for (const std::size_t count :
       {numbered.counts.added, numbered.counts.changed, numbered.counts.removed}) {
    row->bind(static_cast<std::int64_t>(count));
  }
  row->bind(std::string_view(numbered.changes)).bind(digest_of(numbered));
  if (row->step() != Statement::Step::done) return fail(database.error("write"));
  if (changes_intent(numbered.outcome)) {
    if (auto written = write_undo(database, numbered.number, undo); !written) {
      return std::unexpected(written.error());
    }
  }
  if (auto trimmed = trim(database, numbered.number); !trimmed) {
    return std::unexpected(trimmed.error());
  }
  return numbered.number;
}

Result<std::vector<HistoryEntry>> read_history(Database& database, std::size_t most,
                                               std::uint64_t before) {
  const auto oldest = farthest(database);
  if (!oldest) return std::unexpected(oldest.error());
  const std::string sql = std::string("SELECT ") + columns +
                          " FROM history WHERE ?1 = 0 OR number < ?1 ORDER BY number DESC LIMIT ?2";
  auto row = Statement::make(database, sql.c_str());
  if (!row) return std::unexpected(row.error());
  row->start().bind(static_cast<std::int64_t>(before)).bind(static_cast<std::int64_t>(most));
  std::vector<HistoryEntry> entries;
  Statement::Step step;
  while ((step = row->step()) == Statement::Step::row) {
    entries.push_back(read_entry(*row));
    entries.back().reachable = entries.back().number >= static_cast<std::uint64_t>(*oldest);
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  return entries;
}

Status check_history(Database& database) {
  const std::string sql = std::string("SELECT ") + columns + " FROM history";
  auto row = Statement::make(database, sql.c_str());
  if (!row) return std::unexpected(row.error());
  row->start();
  Statement::Step step;
  while ((step = row->step()) == Statement::Step::row) {
    const HistoryEntry entry = read_entry(*row);
    if (!entry.sound) {
      return fail(database.damaged("what it tells of change " + std::to_string(entry.number) +
                                   " is damaged"));
    }
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  auto undo = Statement::make(database, "SELECT number, digest, difference FROM undo");
  if (!undo) return std::unexpected(undo.error());
  undo->start();
  while ((step = undo->step()) == Statement::Step::row) {
    const auto change = static_cast<std::uint64_t>(undo->integer(0));
    if (undo->integer(1) != digest_of(change, undo->text(2))) {
      return fail(damaged(database, change));
    }
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  return {};
}

Result<Intent> undo_history(Database& database, const Intent& now, std::uint64_t number) {
  const auto oldest = farthest(database);
  if (!oldest) return std::unexpected(oldest.error());
  const auto newest = newest_entry(database);
  if (!newest) return std::unexpected(newest.error());
  if (number < static_cast<std::uint64_t>(*oldest) || number > *newest) {
    return fail(no_way_back(number, *oldest, *newest));
  }
  auto row = Statement::make(database,
                             "SELECT number, digest, difference FROM undo WHERE number > ? ORDER "
                             "BY number DESC");
  if (!row) return std::unexpected(row.error());
  row->start().bind(static_cast<std::int64_t>(number));
  std::vector<std::string> undos;
  Statement::Step step;
  while ((step = row->step()) == Statement::Step::row) {
    const auto change = static_cast<std::uint64_t>(row->integer(0));
    if (row->integer(1) != digest_of(change, row->text(2))) return fail(damaged(database, change));
    undos.emplace_back(row->text(2));
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  return apply_difference(now, undos.size() == 1 ? undos[0] : join_differences(undos));
}

Result<std::uint64_t> newest_entry(Database& database) {
  const auto number = database.integer("SELECT coalesce(max(number), 0) FROM history");
  if (!number) return std::unexpected(number.error());
  return static_cast<std::uint64_t>(*number);
}

Result<std::uint64_t> newest_change(Database& database) {
  const auto number = database.integer(
      "SELECT max(coalesce((SELECT max(number) FROM history WHERE outcome IN ('applied', "
      "'pending')), 0), coalesce((SELECT max(number) FROM undo), 0))");
  if (!number) return std::unexpected(number.error());
  return static_cast<std::uint64_t>(*number);
}

}  // namespace cp
