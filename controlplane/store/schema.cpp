// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/schema.hpp"

#include <array>

namespace cp {
namespace {

// A new schema gets the next number and a step that makes it of the one before. No step is ever
// changed: files of all releases are out there.
constexpr const char* step_1 = R"(
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

// Owners, history, and changes under way. Until then a whole file replaced everything, so that all
// there is is the file's; its rows add up to the same digest as before.
constexpr const char* step_2 = R"(
  ALTER TABLE objects ADD COLUMN owner TEXT NOT NULL DEFAULT 'file';
  CREATE TABLE history (number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,
                        uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                        what TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
                        generation INTEGER NOT NULL, added INTEGER NOT NULL,
                        changed INTEGER NOT NULL, removed INTEGER NOT NULL, changes TEXT NOT NULL,
                        digest INTEGER NOT NULL) STRICT;
  CREATE TABLE undo (number INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, digest INTEGER NOT NULL,
                     difference TEXT NOT NULL) STRICT;
  CREATE TABLE prepared (id INTEGER PRIMARY KEY CHECK (id = 1), time_ms INTEGER NOT NULL,
                         uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                         what TEXT NOT NULL, added INTEGER NOT NULL, changed INTEGER NOT NULL,
                         removed INTEGER NOT NULL, changes TEXT NOT NULL, ports INTEGER NOT NULL,
                         networks INTEGER NOT NULL, vteps INTEGER NOT NULL,
                         endpoints INTEGER NOT NULL, boot TEXT NOT NULL, boot_ms INTEGER NOT NULL,
                         wall_ms INTEGER NOT NULL, window_ms INTEGER NOT NULL,
                         numbers TEXT NOT NULL, redo TEXT NOT NULL) STRICT;
  CREATE TABLE unconfirmed (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL,
                            boot TEXT NOT NULL, boot_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
                            window_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE saved (name TEXT PRIMARY KEY, number INTEGER NOT NULL, time_ms INTEGER NOT NULL,
                      uid INTEGER NOT NULL, user TEXT NOT NULL, pid INTEGER NOT NULL,
                      bytes INTEGER NOT NULL, digest INTEGER NOT NULL,
                      objects TEXT NOT NULL) STRICT;
  PRAGMA user_version = 2;
)";

// Differences in place of a row an object: a change writes what it changes, once, and a million
// objects are one text. The rows there are become the first difference at the next start.
constexpr const char* step_3 = R"(
  CREATE TABLE layers (number INTEGER PRIMARY KEY, difference TEXT NOT NULL) STRICT;
  ALTER TABLE prepared ADD COLUMN layer INTEGER NOT NULL DEFAULT 0;
  PRAGMA user_version = 3;
)";

constexpr std::array steps = {step_1, step_2, step_3};
static_assert(steps.size() == schema_version);

}  // namespace

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
  for (auto step = static_cast<std::size_t>(*version); step < steps.size(); ++step) {
    if (auto made = database.execute(steps[step]); !made) return made;
  }
  return transaction->commit();
}

}  // namespace cp
