// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/store.hpp"

#include "controlplane/intent/validate.hpp"
#include "controlplane/store/difference.hpp"
#include "controlplane/store/former_rows.hpp"
#include "controlplane/store/row_digest.hpp"
#include "controlplane/store/schema.hpp"

#include <array>

namespace cp {
namespace {

// Exclusive: a second control plane finds the file busy instead of fighting over it, and SQLite
// needs no shared memory beside it. FULL: a commit is on the disk when it returns. The limit gives
// back the room that one large change took in the log.
constexpr const char* settings = R"(
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cell_size_check = ON;
  PRAGMA journal_size_limit = 67108864;
)";

// Of which the names have numbers.
constexpr std::array numbered_kinds = {ObjectKind::port, ObjectKind::vtep, ObjectKind::network,
                                       ObjectKind::next_hop};

std::uint64_t number_digest(ObjectKind kind, std::string_view name, std::uint16_t number) {
  RowDigest digest('n');
  return digest.add(static_cast<char>(kind)).add_value(name).add(std::to_string(number)).value();
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

// All but what is prepared, whose difference is told beside it.
Status Store::read_intent(Saved& saved, std::uint64_t& digest) {
  LayerNumber prepared_layer = 0;
  auto prepared = read_prepared(database_, prepared_layer, digest);
  if (!prepared) return std::unexpected(prepared.error());
  saved.prepared = std::move(*prepared);
  std::uint64_t rows_digest = 0;
  auto rows = read_former_rows(database_, rows_digest);
  if (!rows) return std::unexpected(rows.error());
  auto layers = read_layers(database_);
  if (!layers) return std::unexpected(layers.error());
  digest += rows_digest;
  for (const Layer& layer : layers->rows) digest += layer.digest;

  forget_prepared();
  if (prepared_layer != 0) {
    if (layers->rows.empty() || layers->rows.back().number != prepared_layer) {
      return fail(damaged("has lost what was prepared"));
    }
    prepared_layer_ = layers->rows.back();
    saved.prepared->redo = std::move(layers->texts.back());
    layers->rows.pop_back();
    layers->texts.pop_back();
  }
  auto intent = apply_layers(*rows, std::move(layers->texts));
  if (!intent) return fail(damaged(intent.error().front().message));
  // What fits this data plane is judged when it has said its limits.
  if (auto valid = validate(*intent, limits_unknown); !valid) {
    return fail(damaged("holds no intent: " + to_string(valid.error().front())));
  }
  saved.intent = std::move(*intent);
  layers_ = std::move(layers->rows);
  rows_digest_ = rows_digest;
  return {};
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
                                      .endpoints = column(6)}},
              .prepared = std::nullopt,
              .unconfirmed = std::nullopt};
  const std::uint64_t saved_digest = column(0);
  row->start();

  std::uint64_t digest = 0;
  if (auto read = read_intent(saved, digest); !read) return std::unexpected(read.error());
  if (auto read = read_numbers(saved.allocation, digest); !read) {
    return std::unexpected(read.error());
  }
  auto unconfirmed = read_unconfirmed(database_, digest);
  if (!unconfirmed) return std::unexpected(unconfirmed.error());
  saved.unconfirmed = std::move(*unconfirmed);
  if (digest != saved_digest) return fail(damaged("its rows do not add up: it is damaged"));
  intent_ = saved.intent;
  numbers_ = saved.allocation;
  return saved;
}

// The change as the next layer, where there is any.
Result<std::optional<Layer>> Store::write_change(std::string_view difference,
                                                 std::uint64_t& digest) {
  if (difference.empty()) return std::nullopt;
  auto layer = write_layer(database_, next_layer(), difference);
  if (!layer && row_mismatch(database_)) return fail(damaged("does not hold what was saved last"));
  if (!layer) return std::unexpected(layer.error());
  digest += layer->digest;
  return *layer;
}

Status Store::remove_prepared_layer(std::uint64_t& digest) {
  if (!prepared_layer_) return {};
  digest -= prepared_layer_->digest;
  return remove_layer(database_, prepared_layer_->number);
}

void Store::forget_prepared() noexcept {
  prepared_layer_.reset();
  prepared_.reset();
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
      good = saved ? writer->update(kind, name, std::int64_t{number})
                   : writer->insert(kind, name, std::int64_t{number});
    });
  }
  if (good) return {};
  if (!row_mismatch(database_)) return fail(database_.error("write"));
  return fail(damaged("does not hold the numbers that were saved last"));
}

template <class F>
Status Store::transact(F&& f) {
  auto transaction = Transaction::begin(database_);
  if (!transaction) return std::unexpected(transaction.error());
  const auto saved_digest = database_.integer("SELECT content_digest FROM state");
  if (!saved_digest) return std::unexpected(saved_digest.error());
  auto digest = static_cast<std::uint64_t>(*saved_digest);
  if (Status done = f(digest); !done) return done;
  if (auto updated = update_digest(database_, digest); !updated) return updated;
  return transaction->commit();
}

template <class F>
Result<std::uint64_t> Store::record(const HistoryEntry& entry, F&& f) {
  std::uint64_t number = 0;
  const Status done = transact([&](std::uint64_t& digest) -> Status {
    if (Status written = f(digest); !written) return written;
    auto appended = append_history(database_, entry, {});
    if (!appended) return std::unexpected(appended.error());
    number = *appended;
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return number;
}

Status Store::prepare(const Intent& next, const Prepared& prepared) {
  const std::string difference = write_difference(intent_, next);
  std::optional<Layer> layer;
  const Status done = transact([&](std::uint64_t& digest) -> Status {
    if (auto removed = remove_prepared(database_, digest); !removed) return removed;
    if (auto removed = remove_prepared_layer(digest); !removed) return removed;
    auto written = write_change(difference, digest);
    if (!written) return std::unexpected(written.error());
    layer = *written;
    return write_prepared(database_, prepared, layer ? layer->number : 0, digest);
  });
  if (!done) return done;
  prepared_layer_ = layer;
  prepared_ = next;
  return {};
}

Status Store::give_up_prepared(const HistoryEntry& entry) {
  const auto number = record(entry, [&](std::uint64_t& digest) -> Status {
    if (auto removed = remove_prepared(database_, digest); !removed) return removed;
    return remove_prepared_layer(digest);
  });
  if (!number) return std::unexpected(number.error());
  forget_prepared();
  return {};
}

Result<std::uint64_t> Store::save(const Intent& next, const Allocation& allocation,
                                  const SaveRecord& record) {
  const bool is_prepared = prepared_ == next;
  std::optional<Layer> layer = prepared_layer_;
  std::uint64_t number = 0;
  const Status done = transact([&](std::uint64_t& digest) -> Status {
    if (!is_prepared) {
      if (auto removed = remove_prepared_layer(digest); !removed) return removed;
      auto written = write_change(write_difference(intent_, next), digest);
      if (!written) return std::unexpected(written.error());
      layer = *written;
    }
    if (auto saved = save_numbers(allocation, digest); !saved) return saved;
    if (auto removed = remove_prepared(database_, digest); !removed) return removed;
    if (auto removed = remove_unconfirmed(database_, digest); !removed) return removed;
    auto appended = append_history(database_, record.entry, write_difference(next, intent_));
    if (!appended) return std::unexpected(appended.error());
    number = *appended;
    if (record.applied) {
      if (auto saved = save_applied(*record.applied); !saved) return saved;
    }
    if (!record.confirm) return {};
    return write_unconfirmed(database_, {.number = number, .until = *record.confirm}, digest);
  });
  if (!done) return std::unexpected(done.error());
  if (layer) layers_.push_back(*layer);
  forget_prepared();
  intent_ = next;
  numbers_ = allocation;
  return number;
}

// Whether reading them takes longer than what they say is worth.
bool Store::is_long() const noexcept {
  constexpr std::size_t layers_max = 1000;
  constexpr std::uint64_t bytes_max = 16u << 20;
  if (rows_digest_ != 0 || layers_.size() > layers_max) return true;
  std::uint64_t later_bytes = 0;
  for (const Layer& layer : layers_) later_bytes += layer.bytes;
  return !layers_.empty() && later_bytes > 2 * layers_.front().bytes + bytes_max;
}

Status Store::make_one_layer() {
  std::optional<Layer> layer;
  const Status done = transact([&](std::uint64_t& digest) -> Status {
    if (auto gone = database_.execute("DELETE FROM objects; DELETE FROM layers"); !gone) {
      return gone;
    }
    digest -= rows_digest_;
    for (const Layer& each : layers_) digest -= each.digest;
    auto written = write_change(write_difference({}, intent_), digest);
    if (!written) return std::unexpected(written.error());
    layer = *written;
    return {};
  });
  if (!done) return done;
  rows_digest_ = 0;
  layers_.clear();
  if (layer) layers_.push_back(*layer);
  return {};
}

Status Store::tidy() {
  constexpr int pages_max = 1000;
  if (!prepared_layer_ && is_long()) {
    if (auto made = make_one_layer(); !made) return made;
  }
  return database_.log_pages() > pages_max ? database_.empty_log() : Status();
}

Result<std::uint64_t> Store::confirm(const HistoryEntry& entry) {
  return record(entry,
                [&](std::uint64_t& digest) { return remove_unconfirmed(database_, digest); });
}

Result<std::uint64_t> Store::save_state(std::string_view name, const Intent& intent,
                                        const HistoryEntry& entry) {
  return record(entry, [&](std::uint64_t&) -> Status {
    const auto newest = newest_entry(database_);
    if (!newest) return std::unexpected(newest.error());
    const SavedState state{
        .name = std::string(name), .number = *newest, .time_ms = entry.time_ms, .who = entry.who};
    return write_saved_state(database_, state, intent);
  });
}

Result<std::uint64_t> Store::forget_state(std::string_view name, const HistoryEntry& entry) {
  return record(entry, [&](std::uint64_t&) { return remove_saved_state(database_, name); });
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
