// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/configuration.hpp"

#include "controlplane/intent/validate.hpp"
#include "controlplane/plan/plan.hpp"
#include "controlplane/plan/records.hpp"
#include "dataplane/base/log.hpp"

#include <boost/asio/post.hpp>

#include <array>
#include <numeric>
#include <pwd.h>
#include <unistd.h>

namespace cp {

namespace asio = boost::asio;
using base::Errc;

namespace {

// Of a change of a million endpoints history shows the first ones, and of a list of a thousand
// names its beginning; what undoes the change has them all. Who asked is told some more.
constexpr std::size_t lines_kept_max = 20;
constexpr std::size_t line_bytes_max = 400;
constexpr std::size_t changes_told_max = 1000;

// Nobody knows whether such a transaction came through: the link finds out.
bool is_unknown(const Error& error) {
  return error.code == Errc::closed || error.code == Errc::timed_out;
}

std::string user_name(uid_t uid) {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, room.data(), room.size(), &found) != 0 || found == nullptr) {
    return {};
  }
  return found->pw_name;
}

// "root (uid 0)", "uid 1234", "weir-controlplane".
std::string who_text(const Author& who) {
  if (who.uid < 0) return who.user;
  const std::string uid = "uid " + std::to_string(who.uid);
  return who.user.empty() ? uid : who.user + " (" + uid + ")";
}

// Cut between two characters of UTF-8.
std::string beginning_of(std::string line) {
  if (line.size() <= line_bytes_max) return line;
  std::size_t end = line_bytes_max;
  while ((static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end) + "…";
}

std::string first_lines(const std::vector<Change>& changes, Owner source) {
  std::string text;
  for (std::size_t i = 0; i < std::min(changes.size(), lines_kept_max); ++i) {
    text += beginning_of(to_string(changes[i], source)) + "\n";
  }
  return text;
}

Owner owner_at(const Intent& intent, const Finding& finding) {
  return visit_kind(finding.kind, [&]<class T>(std::type_identity<T>) {
    return list_of<T>(intent)[finding.index].owner;
  });
}

// As validate(), but of what the source did not write it says whose it is.
Status judge(const Intent& intent, const Limits& limits, Owner source, const Intent& known) {
  Errors errors;
  for (Finding& finding : find_faults(intent, limits, &known)) {
    const Owner owner = owner_at(intent, finding);
    if (owner != source && source == Owner::file) {
      finding.error.message += "; it is owned by " + std::string(name(owner)) + ", not in the file";
    }
    errors.push_back(std::move(finding.error));
  }
  if (errors.empty()) return {};
  return std::unexpected(std::move(errors));
}

}  // namespace

HistoryEntry entry_of(const Peer& who, std::string what) {
  HistoryEntry entry;
  entry.time_ms = Clocks::now().wall_ms;
  entry.what = std::move(what);
  // Nobody but this process changes anything without a socket to come by.
  entry.who = {.uid = -1, .user = "weir-controlplane", .pid = ::getpid()};
  if (who.uid) entry.who = {.uid = *who.uid, .user = user_name(*who.uid), .pid = who.pid};
  if (!who.certificate.empty()) entry.who = {.uid = -1, .user = title_of(who), .pid = 0};
  return entry;
}

asio::awaitable<Result<ChangeReport>> Configuration::change(ChangeRequest request) {
  const Turns::Turn turn = co_await changes_.take();
  if (auto free = refuse_while_unconfirmed(request); !free) {
    co_return std::unexpected(free.error());
  }
  auto drafted = make_draft(request);
  if (!drafted) co_return std::unexpected(drafted.error());
  Draft& draft = *drafted;
  ChangeReport& report = draft.report;
  if (request.dry_run) {
    Allocation trial = allocation_;
    if (auto taken = trial.take_all(draft.next); !taken) co_return std::unexpected(taken.error());
    report.status = ChangeStatus::planned;
    report.records = make_plan(trial, intent_, draft.next).record_count();
    co_return std::move(report);
  }
  give_up_prepared();
  // The first apply counts even if it wants nothing: from then on somebody has said so.
  if (report.changes.empty() && said_ && !unconfirmed_) co_return std::move(report);
  if (auto free = refuse_what_cannot_be_undone(request); !free) {
    co_return std::unexpected(free.error());
  }
  auto applied = co_await put_in_force(request, draft);
  if (!applied) {
    allocation_.release_unused(intent_);
    co_return std::unexpected(applied.error());
  }
  report.status = *applied ? ChangeStatus::applied : ChangeStatus::pending;
  if (auto kept = keep(draft); !kept) {
    link_->wake();  // The data plane goes back to what is stored.
    allocation_.release_unused(intent_);
    note_refused(draft, kept.error().front());
    co_return std::unexpected(kept.error());
  }
  co_return std::move(report);
}

// The edit, judged as a whole. Nothing has happened yet.
Result<Configuration::Draft> Configuration::make_draft(ChangeRequest& request) {
  Draft draft{
      .next = intent_, .digests = {}, .fits = 0, .entry = {}, .report = {.source = request.source}};
  if (auto edited = request.edit(draft.next); !edited) return std::unexpected(edited.error());
  sort(draft.next);
  if (!request.edits_owners) keep_owners(intent_, draft.next, request.source);
  const Intent& known = request.judged ? *request.judged : intent_;
  if (auto valid = judge(draft.next, limits_, request.source, known);
      !valid && !request.must_hold) {
    return std::unexpected(valid.error());
  }
  ChangeReport& report = draft.report;
  report.changes = summarise_changes(intent_, draft.next, changes_told_max);
  report.generation = link_->status().generation;
  const OwnerCounts owned = owned_after(report.changes);
  report.others = std::accumulate(owned.begin(), owned.end(), std::size_t{0}) -
                  owned[static_cast<std::size_t>(request.source)];
  draft.entry = entry_of(request.who, std::move(request.what));
  draft.entry.counts = report.changes.counts;
  draft.entry.changes = first_lines(report.changes.first, request.source);
  return draft;
}

OwnerCounts Configuration::owned_after(const ChangeSummary& changes) const noexcept {
  OwnerCounts owned = owned_;
  for (std::size_t i = 0; i < owned.size(); ++i) {
    owned[i] += static_cast<std::size_t>(changes.more_of[i]);  // Less: it wraps to the right sum.
  }
  return owned;
}

// Gives what is new its numbers, and says what all adds up to with them.
Status Configuration::number(Draft& draft) {
  if (auto taken = allocation_.take_all(draft.next); !taken) return taken;
  draft.digests = digests_after(digests_, intent_, draft.next, allocation_);
  draft.fits = fits_;
  return {};
}

// On disk first, then in the data plane. True: in force; false: no data plane was there to say so.
asio::awaitable<Result<bool>> Configuration::put_in_force(const ChangeRequest& request,
                                                          Draft& draft) {
  if (auto numbered = number(draft); !numbered) co_return std::unexpected(numbered.error());
  const Plan plan = make_plan(allocation_, intent_, draft.next);
  draft.report.records = plan.record_count();
  if (request.confirm_within) draft.report.confirm = deadline_in(*request.confirm_within);
  if (!link_->connected()) co_return false;

  const Prepared prepared{.entry = draft.entry,
                          .digests = draft.digests,
                          .redo = {},
                          .numbers = write_numbers(store_.numbers(), allocation_),
                          .confirm = draft.report.confirm};
  if (auto written = store_.prepare(draft.next, prepared); !written) {
    co_return std::unexpected(written.error());
  }
  auto applied = co_await program(draft.next, plan);
  if (!applied && request.must_hold) {
    LOG(error, "revert_refused", {"reason", to_string(applied.error().front())});
    co_return false;
  }
  if (!applied) note_refused(draft, applied.error().front());
  // The window begins when the change does.
  if (request.confirm_within) draft.report.confirm = deadline_in(*request.confirm_within);
  co_return applied;
}

// In history only: the change did not come to pass.
void Configuration::note_refused(Draft& draft, const Error& why) {
  draft.entry.outcome = Outcome::refused;
  draft.entry.reason = to_string(why);
  if (auto noted = store_.give_up_prepared(draft.entry); !noted) {
    LOG(error, "store_failed", {"reason", to_string(noted.error().front())});
  }
}

asio::awaitable<Result<bool>> Configuration::program(const Intent& next, const Plan& plan) {
  if (link_->in_sync() && plan.empty()) co_return true;
  std::expected<std::uint64_t, Error> generation = 0;
  if (link_->in_sync()) {
    generation = co_await link_->transact(plan, contract::replace_nothing);
  } else {
    const Plan everything = plan_all(allocation_, next);
    generation = co_await link_->transact(everything, contract::replace_all);
  }
  if (generation) co_return true;
  if (is_unknown(generation.error())) co_return false;
  co_return fail(std::move(generation.error()));
}

Status Configuration::load() {
  auto saved = store_.load(limits_);
  if (!saved) return std::unexpected(saved.error());
  intent_ = std::move(saved->intent);
  allocation_ = std::move(saved->allocation);
  applied_ = saved->applied;
  prepared_ = std::move(saved->prepared);
  unconfirmed_ = std::move(saved->unconfirmed);
  const auto newest = newest_change(store_.database());
  if (!newest) return std::unexpected(newest.error());
  said_ = intent_ != Intent{} || applied_.boot_id != 0 || *newest != 0;
  owned_ = count_owners(intent_);
  digests_ = digests_of(intent_, allocation_);
  return {};
}

// Stores what has been decided and makes it what is wanted.
Status Configuration::keep(Draft& draft) {
  if (draft.fits != fits_) {  // Another data plane came while we waited.
    if (auto numbered = number(draft); !numbered) return numbered;
  }
  ChangeReport& report = draft.report;
  Allocation allocation = allocation_;
  allocation.release_unused(draft.next);
  const contract::Digests& digests = draft.digests;
  const LinkStatus& link = link_->status();
  SaveRecord record{.entry = draft.entry, .applied = std::nullopt, .confirm = report.confirm};
  record.entry.outcome = Outcome::pending;
  if (report.status == ChangeStatus::applied) {
    record.entry.outcome = Outcome::applied;
    record.entry.generation = link.generation;
    record.applied = {.boot_id = link.boot_id, .generation = link.generation, .digests = digests};
  }
  const auto number = store_.save(draft.next, allocation, record);
  if (!number) return std::unexpected(number.error());
  intent_ = std::move(draft.next);
  owned_ = owned_after(report.changes);
  allocation_ = std::move(allocation);
  digests_ = digests;
  if (record.applied) applied_ = *record.applied;
  said_ = true;
  report.number = *number;
  report.generation = link.generation;
  draft.entry = std::move(record.entry);
  unconfirmed_.reset();
  if (record.confirm) wait_for({.number = *number, .until = *record.confirm});
  if (report.status == ChangeStatus::pending) link_->wake();
  tell_changed(draft);
  tidy_later();
  return {};
}

// Who waits for the answer gets it first.
void Configuration::tidy_later() {
  if (!executor_) return;
  asio::post(executor_, [this] {
    if (auto done = store_.tidy(); !done) {
      LOG(warning, "store_failed", {"reason", to_string(done.error().front())});
    }
  });
}

void Configuration::tell_changed(const Draft& draft) {
  const HistoryEntry& entry = draft.entry;
  const ChangeReport& report = draft.report;
  const std::string who = who_text(entry.who);
  const bool pending = report.status == ChangeStatus::pending;
  LOG(info, "intent_changed", {"number", report.number}, {"what", entry.what}, {"who", who},
      {"pid", entry.who.pid}, {"generation", report.generation}, {"records", report.records},
      {"pending", pending ? "yes" : "no"}, {"confirmed", report.confirm ? "no" : "yes"});
  events_.publish("intent_changed", {{"number", report.number},
                                     {"what", entry.what},
                                     {"who", who},
                                     {"generation", report.generation},
                                     {"changes", report.changes.size()},
                                     {"pending", pending},
                                     {"confirmed", !report.confirm}});
}

}  // namespace cp
