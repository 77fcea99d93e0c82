// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/prepared.hpp"

#include "controlplane/store/numbers.hpp"
#include "controlplane/store/row_digest.hpp"

#include <array>
#include <charconv>

namespace cp {
namespace {

void add(RowDigest& digest, const Deadline& deadline) noexcept {
  digest.add_value(deadline.at.boot).add_value(deadline.at.boot_ms);
  digest.add_value(deadline.at.wall_ms).add_value(deadline.window_ms);
}

std::uint64_t digest_of(const Unconfirmed& unconfirmed) noexcept {
  RowDigest digest('c');
  digest.add_value(static_cast<std::int64_t>(unconfirmed.number));
  add(digest, unconfirmed.until);
  return digest.value();
}

std::uint64_t digest_of(const Prepared& prepared, LayerNumber layer) noexcept {
  RowDigest digest('p');
  const HistoryEntry& entry = prepared.entry;
  digest.add_value(entry.time_ms).add_value(entry.who.uid).add_value(entry.who.user);
  digest.add_value(entry.who.pid).add_value(entry.what).add_value(entry.changes);
  for (const std::size_t count : {entry.counts.added, entry.counts.changed, entry.counts.removed}) {
    digest.add_value(static_cast<std::int64_t>(count));
  }
  for (const std::uint64_t sum : {prepared.digests.ports, prepared.digests.networks,
                                  prepared.digests.vteps, prepared.digests.endpoints}) {
    digest.add_value(static_cast<std::int64_t>(sum));
  }
  add(digest, prepared.confirm.value_or(Deadline{}));
  digest.add_value(prepared.numbers).add_value(prepared.redo);
  if (layer != 0) digest.add_value(layer);  // Rows of former releases have none.
  return digest.value();
}

void bind(Statement& row, const Deadline& deadline) {
  row.bind(std::string_view(deadline.at.boot)).bind(deadline.at.boot_ms);
  row.bind(deadline.at.wall_ms).bind(deadline.window_ms);
}

// Four columns from `first` on.
Deadline read_deadline(Statement& row, int first) {
  return {.at = {.boot = std::string(row.text(first)),
                 .boot_ms = row.integer(first + 1),
                 .wall_ms = row.integer(first + 2)},
          .window_ms = row.integer(first + 3)};
}

Prepared read_row(Statement& row) {
  const auto count = [&row](int column) {
    return static_cast<std::size_t>(row.integer(column));
  };
  const auto sum = [&row](int column) {
    return static_cast<std::uint64_t>(row.integer(column));
  };
  Prepared prepared{
      .entry = {.time_ms = row.integer(0),
                .who = {.uid = row.integer(1),
                        .user = std::string(row.text(2)),
                        .pid = row.integer(3)},
                .what = std::string(row.text(4)),
                .counts = {.added = count(5), .changed = count(6), .removed = count(7)},
                .changes = std::string(row.text(8))},
      .digests = {.ports = sum(9), .networks = sum(10), .vteps = sum(11), .endpoints = sum(12)},
      .redo = std::string(row.text(18)),
      .numbers = std::string(row.text(17)),
      .confirm = std::nullopt};
  const Deadline deadline = read_deadline(row, 13);
  if (deadline.window_ms != 0) prepared.confirm = deadline;
  return prepared;
}

Status step(Database& database, Statement& statement) {
  if (statement.step() == Statement::Step::done) return {};
  return fail(database.error("write"));
}

}  // namespace

std::string write_numbers(const Allocation& before, const Allocation& after) {
  std::string text;
  for (const ObjectKind kind : numbered_kinds) {
    after.of(kind)->for_each([&](const std::string& name, std::uint16_t number) {
      if (before.of(kind)->find(name)) return;
      text.append(singular(kind)).append(" ").append(name).append(" ");
      text += std::to_string(number) + "\n";
    });
  }
  return text;
}

bool restore_numbers(Allocation& allocation, std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t first = line.find(' ');
    const std::size_t second = line.rfind(' ');
    if (first == line.npos || first == second) return false;
    const auto kind = parse_kind(line.substr(0, first));
    Numbers* numbers = kind ? allocation.of(*kind) : nullptr;
    std::uint16_t number = 0;
    const char* end = line.data() + line.size();
    const auto read = std::from_chars(line.data() + second + 1, end, number);
    if (numbers == nullptr || read.ec != std::errc() || read.ptr != end) return false;
    if (!numbers->restore(line.substr(first + 1, second - first - 1), number)) return false;
  }
  return true;
}

Status write_prepared(Database& database, const Prepared& prepared, LayerNumber layer,
                      std::uint64_t& digest) {
  auto row = Statement::make(database,
                             "INSERT INTO prepared VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                             "?, ?, ?, ?, ?, ?, ?, ?)");
  if (!row) return std::unexpected(row.error());
  const HistoryEntry& entry = prepared.entry;
  row->start().bind(entry.time_ms).bind(entry.who.uid).bind(std::string_view(entry.who.user));
  row->bind(entry.who.pid).bind(std::string_view(entry.what));
  for (const std::size_t count : {entry.counts.added, entry.counts.changed, entry.counts.removed}) {
    row->bind(static_cast<std::int64_t>(count));
  }
  row->bind(std::string_view(entry.changes));
  for (const std::uint64_t sum : {prepared.digests.ports, prepared.digests.networks,
                                  prepared.digests.vteps, prepared.digests.endpoints}) {
    row->bind(static_cast<std::int64_t>(sum));
  }
  const Deadline deadline = prepared.confirm.value_or(Deadline{});
  bind(*row, deadline);
  row->bind(std::string_view(prepared.numbers)).bind(std::string_view(prepared.redo)).bind(layer);
  digest += digest_of(prepared, layer);
  return step(database, *row);
}

Status write_unconfirmed(Database& database, const Unconfirmed& unconfirmed,
                         std::uint64_t& digest) {
  auto row = Statement::make(database, "INSERT INTO unconfirmed VALUES (1, ?, ?, ?, ?, ?)");
  if (!row) return std::unexpected(row.error());
  row->start().bind(static_cast<std::int64_t>(unconfirmed.number));
  bind(*row, unconfirmed.until);
  digest += digest_of(unconfirmed);
  return step(database, *row);
}

Status remove_prepared(Database& database, std::uint64_t& digest) {
  std::uint64_t sum = 0;
  LayerNumber layer = 0;
  auto prepared = read_prepared(database, layer, sum);
  if (!prepared) return std::unexpected(prepared.error());
  digest -= sum;
  return *prepared ? database.execute("DELETE FROM prepared") : Status();
}

Status remove_unconfirmed(Database& database, std::uint64_t& digest) {
  std::uint64_t sum = 0;
  auto unconfirmed = read_unconfirmed(database, sum);
  if (!unconfirmed) return std::unexpected(unconfirmed.error());
  digest -= sum;
  return *unconfirmed ? database.execute("DELETE FROM unconfirmed") : Status();
}

Result<std::optional<Prepared>> read_prepared(Database& database, LayerNumber& layer,
                                              std::uint64_t& digest) {
  auto row = Statement::make(
      database,
      "SELECT time_ms, uid, user, pid, what, added, changed, removed, changes, ports, networks, "
      "vteps, endpoints, boot, boot_ms, wall_ms, window_ms, numbers, redo, layer FROM prepared");
  if (!row) return std::unexpected(row.error());
  const Statement::Step found = row->start().step();
  if (found == Statement::Step::failed) return fail(database.error("read"));
  if (found == Statement::Step::done) return std::nullopt;
  Prepared prepared = read_row(*row);
  layer = row->integer(19);
  digest += digest_of(prepared, layer);
  return prepared;
}

Result<std::optional<Unconfirmed>> read_unconfirmed(Database& database, std::uint64_t& digest) {
  auto row = Statement::make(database,
                             "SELECT number, boot, boot_ms, wall_ms, window_ms FROM unconfirmed");
  if (!row) return std::unexpected(row.error());
  const Statement::Step found = row->start().step();
  if (found == Statement::Step::failed) return fail(database.error("read"));
  if (found == Statement::Step::done) return std::nullopt;
  Unconfirmed unconfirmed{.number = static_cast<std::uint64_t>(row->integer(0)),
                          .until = read_deadline(*row, 1)};
  digest += digest_of(unconfirmed);
  return unconfirmed;
}

}  // namespace cp
