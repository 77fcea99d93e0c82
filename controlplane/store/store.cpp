// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/store.hpp"

#include "controlplane/intent/validate.hpp"
#include "controlplane/store/alarm.hpp"
#include "controlplane/store/difference.hpp"
#include "controlplane/store/files.hpp"
#include "controlplane/store/former_rows.hpp"
#include "controlplane/store/numbers.hpp"

namespace cp {
namespace {

Status update_digest(Database& database, std::uint64_t digest) {
  auto statement = Statement::make(database, "UPDATE state SET content_digest = ?");
  if (!statement) return std::unexpected(statement.error());
  const auto done = statement->start().bind(static_cast<std::int64_t>(digest)).step();
  if (done != Statement::Step::done) return fail(database.error("write"));
  return {};
}

}  // namespace

Result<Store> Store::open(const std::string& path) {
  auto database = open_files(path);
  if (!database) return std::unexpected(database.error());
  return Store(std::move(*database));
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
      return fail(database_.damaged("has lost what was prepared"));
    }
    prepared_layer_ = layers->rows.back();
    saved.prepared->redo = std::move(layers->texts.back());
    layers->rows.pop_back();
    layers->texts.pop_back();
  }
  auto intent = apply_layers(*rows, std::move(layers->texts));
  if (!intent) return fail(database_.damaged(intent.error().front().message));
  // What fits this data plane is judged when it has said its limits.
  if (auto valid = validate(*intent, limits_unknown); !valid) {
    return fail(database_.damaged("holds no intent: " + to_string(valid.error().front())));
  }
  saved.intent = std::move(*intent);
  layers_ = std::move(layers->rows);
  rows_digest_ = rows_digest;
  return {};
}

Result<Saved> Store::load(const Limits& limits) {
  auto row = Statement::make(database_,
                             "SELECT content_digest, boot_id, generation, ports, networks, vteps, "
                             "endpoints FROM state");
  if (!row) return std::unexpected(row.error());
  if (row->start().step() != Statement::Step::row)
    return fail(database_.damaged("has lost its state"));
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
  if (auto read = read_numbers(database_, saved.allocation, digest); !read) {
    return std::unexpected(read.error());
  }
  auto unconfirmed = read_unconfirmed(database_, digest);
  if (!unconfirmed) return std::unexpected(unconfirmed.error());
  saved.unconfirmed = std::move(*unconfirmed);
  if (digest != saved_digest) return fail(database_.damaged("is damaged: its rows do not add up"));
  intent_ = saved.intent;
  numbers_ = saved.allocation;
  return saved;
}

// The change as the next layer, where there is any.
Result<std::optional<Layer>> Store::write_change(std::string_view difference,
                                                 std::uint64_t& digest) {
  if (difference.empty()) return std::nullopt;
  auto layer = write_layer(database_, next_layer(), difference);
  if (!layer && database_.row_mismatch()) {
    return fail(database_.damaged("does not hold what was saved last"));
  }
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
    if (auto saved = write_numbers(database_, numbers_, allocation, digest); !saved) return saved;
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

std::string Store::alarm() const {
  std::string alarm = read_alarm(path());
  if (!has_copy()) {
    alarm += (alarm.empty() ? "" : "\n") + copy_path(path()) +
             " cannot be written, and is tried again; its log says why";
  }
  return alarm;
}

// All is copied: not at each change of a disk that is full.
Status Store::keep_copy() {
  using std::chrono::steady_clock;
  if (has_copy() || steady_clock::now() < copy_due_) return {};
  copy_due_ = steady_clock::now() + std::chrono::minutes(1);
  return renew_copy(database_);
}

Status Store::tidy() {
  constexpr int pages_max = 1000;
  if (auto kept = keep_copy(); !kept) return kept;
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
