// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/sound.hpp"

#include "controlplane/intent/limits.hpp"
#include "controlplane/store/former_rows.hpp"
#include "controlplane/store/history.hpp"
#include "controlplane/store/layers.hpp"
#include "controlplane/store/numbers.hpp"
#include "controlplane/store/prepared.hpp"
#include "controlplane/store/saved_states.hpp"
#include "controlplane/store/schema.hpp"

namespace cp {
namespace {

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

Status check_pages(Database& database) {
  const auto result = database.text("PRAGMA quick_check(1)");
  if (!result) return std::unexpected(result.error());
  if (*result == "ok") return {};
  // The first line of two names the database, which is always the same.
  return fail(database.damaged("is damaged (" + result->substr(result->rfind('\n') + 1) + ")"));
}

// What is wanted adds up to it.
Result<std::uint64_t> add_up(Database& database) {
  std::uint64_t digest = 0;
  LayerNumber layer = 0;
  Allocation numbers(limits_unknown);
  if (auto rows = read_former_rows(database, digest); !rows) {
    return std::unexpected(rows.error());
  }
  if (auto layers = add_up_layers(database, digest); !layers) {
    return std::unexpected(layers.error());
  }
  if (auto read = read_numbers(database, numbers, digest); !read) {
    return std::unexpected(read.error());
  }
  if (auto prepared = read_prepared(database, layer, digest); !prepared) {
    return std::unexpected(prepared.error());
  }
  if (auto unconfirmed = read_unconfirmed(database, digest); !unconfirmed) {
    return std::unexpected(unconfirmed.error());
  }
  return digest;
}

}  // namespace

Result<std::uint64_t> check_content(Database& database) {
  if (auto ours = check_application(database); !ours) return std::unexpected(ours.error());
  if (auto whole = check_pages(database); !whole) return std::unexpected(whole.error());
  if (auto made = bring_to_schema(database); !made) return std::unexpected(made.error());
  const auto states = database.integer("SELECT count(*) FROM state");
  if (!states) return std::unexpected(states.error());
  if (*states != 1) return fail(database.damaged("has lost its state"));
  const auto saved = database.integer("SELECT content_digest FROM state");
  if (!saved) return std::unexpected(saved.error());
  const auto digest = add_up(database);
  if (digest && *digest != static_cast<std::uint64_t>(*saved)) {
    return fail(database.damaged("is damaged: its rows do not add up"));
  }
  return digest;
}

Status check_past(Database& database) {
  if (auto sound = check_history(database); !sound) return sound;
  return check_saved_states(database);
}

}  // namespace cp
