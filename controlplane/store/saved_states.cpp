// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/saved_states.hpp"

#include "controlplane/store/difference.hpp"
#include "controlplane/store/row_digest.hpp"

namespace cp {
namespace {

std::int64_t digest_of(std::string_view name, std::string_view objects) noexcept {
  return static_cast<std::int64_t>(RowDigest('s').add_value(name).add(objects).value());
}

Error error_of(base::Errc code, std::string_view name, std::string message) {
  Error error;
  error.code = code;
  error.object = "saved state " + std::string(name);
  error.message = std::move(message);
  return error;
}

Error no_such_state(Database& database, std::string_view name) {
  Error error = error_of(base::Errc::not_found, name, "there is no such saved state");
  const auto states = list_saved_states(database);
  if (!states) return error;
  std::vector<std::string_view> names;
  for (const SavedState& state : *states) names.push_back(state.name);
  error.suggestion = nearest(name, names);
  return error;
}

Status check_room(Database& database, std::string_view name) {
  const auto states = list_saved_states(database);
  if (!states) return std::unexpected(states.error());
  for (const SavedState& state : *states) {
    if (state.name == name) return {};
  }
  if (states->size() < saved_states_max) return {};
  return fail(error_of(base::Errc::table_full, name,
                       "there are " + std::to_string(saved_states_max) +
                           " saved states already; `weir save NAME --delete` gives one up"));
}

}  // namespace

Status write_saved_state(Database& database, const SavedState& state, const Intent& intent) {
  if (auto room = check_room(database, state.name); !room) return room;
  const std::string objects = write_difference({}, intent);
  auto row =
      Statement::make(database, "INSERT OR REPLACE INTO saved VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!row) return std::unexpected(row.error());
  row->start().bind(std::string_view(state.name)).bind(static_cast<std::int64_t>(state.number));
  row->bind(state.time_ms).bind(state.who.uid).bind(std::string_view(state.who.user));
  row->bind(state.who.pid).bind(static_cast<std::int64_t>(objects.size()));
  row->bind(digest_of(state.name, objects)).bind(std::string_view(objects));
  if (row->step() != Statement::Step::done) return fail(database.error("write"));
  return {};
}

Status remove_saved_state(Database& database, std::string_view name) {
  auto row = Statement::make(database, "DELETE FROM saved WHERE name = ?");
  if (!row) return std::unexpected(row.error());
  if (row->start().bind(name).step() != Statement::Step::done) {
    return fail(database.error("write"));
  }
  if (sqlite3_changes(database.get()) == 1) return {};
  return fail(no_such_state(database, name));
}

Result<std::vector<SavedState>> list_saved_states(Database& database) {
  auto row = Statement::make(database,
                             "SELECT name, number, time_ms, uid, user, pid, bytes FROM saved "
                             "ORDER BY name");
  if (!row) return std::unexpected(row.error());
  row->start();
  std::vector<SavedState> states;
  Statement::Step step;
  while ((step = row->step()) == Statement::Step::row) {
    states.push_back(
        {.name = std::string(row->text(0)),
         .number = static_cast<std::uint64_t>(row->integer(1)),
         .time_ms = row->integer(2),
         .who = {.uid = row->integer(3), .user = std::string(row->text(4)), .pid = row->integer(5)},
         .bytes = static_cast<std::uint64_t>(row->integer(6))});
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  return states;
}

Status check_saved_states(Database& database) {
  auto row = Statement::make(database, "SELECT name, digest, objects FROM saved");
  if (!row) return std::unexpected(row.error());
  row->start();
  Statement::Step step;
  while ((step = row->step()) == Statement::Step::row) {
    if (row->integer(1) != digest_of(row->text(0), row->text(2))) {
      return fail(database.damaged("saved state " + std::string(row->text(0)) + " is damaged"));
    }
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  return {};
}

Result<Intent> read_saved_state(Database& database, std::string_view name) {
  auto row = Statement::make(database, "SELECT digest, objects FROM saved WHERE name = ?");
  if (!row) return std::unexpected(row.error());
  const Statement::Step step = row->start().bind(name).step();
  if (step == Statement::Step::failed) return fail(database.error("read"));
  if (step == Statement::Step::done) return fail(no_such_state(database, name));
  if (row->integer(0) != digest_of(name, row->text(1))) {
    return fail(error_of(base::Errc::malformed, name, "is damaged; save another one"));
  }
  return apply_difference({}, row->text(1));
}

}  // namespace cp
