// SPDX-License-Identifier: Apache-2.0
// Changes and time: those that are undone unless somebody confirms them, and those that were under
// way when the process before ended.
#include "controlplane/api/answer.hpp"
#include "controlplane/api/configuration.hpp"
#include "controlplane/link/essential.hpp"
#include "controlplane/plan/records.hpp"
#include "controlplane/store/difference.hpp"
#include "dataplane/base/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

namespace cp {

namespace asio = boost::asio;
using base::Errc;
using std::chrono::milliseconds;

namespace {

// The steady clock stands still while the machine sleeps; a deadline does not.
constexpr milliseconds look_at_clock{500};
constexpr milliseconds retry{1000};

Error error_of(Errc code, std::string message, std::string object = {}) {
  Error error;
  error.code = code;
  error.message = std::move(message);
  error.object = std::move(object);
  return error;
}

std::string title(std::uint64_t number) {
  return "change " + std::to_string(number);
}

}  // namespace

Status Configuration::refuse_while_unconfirmed(const ChangeRequest& request) const {
  if (!unconfirmed_ || request.dry_run) return {};
  // What goes back for good; else the deadline before would be forgotten for a later one.
  if (request.goes_back && !request.confirm_within) return {};
  const auto seconds = time_left(unconfirmed_->until).count() / 1000;
  return fail(error_of(Errc::wrong_state,
                       "waits for its confirmation for another " + std::to_string(seconds) +
                           " s: `weir confirm` keeps it, `weir rollback` undoes it",
                       title(unconfirmed_->number)));
}

Status Configuration::refuse_what_cannot_be_undone(const ChangeRequest& request) const {
  if (request.confirm_within && !said_ && link_->status().generation != 0) {
    return fail(error_of(Errc::wrong_state,
                         "the data plane does what another store told it, and nothing here could "
                         "undo this change: make it without --confirm-within"));
  }
  return {};
}

void Configuration::start(asio::any_io_executor executor) {
  executor_ = std::move(executor);
  tidy_later();
  if (!unconfirmed_) return;
  LOG(info, "unconfirmed_change_found", {"number", unconfirmed_->number},
      {"left_ms", time_left(unconfirmed_->until).count()});
  wait_for(*unconfirmed_);
}

void Configuration::wait_for(const Unconfirmed& unconfirmed) {
  unconfirmed_ = unconfirmed;
  asio::co_spawn(executor_, wait_for_confirmation(unconfirmed.number), essential);
}

asio::awaitable<void> Configuration::wait_for_confirmation(std::uint64_t number) {
  asio::steady_timer timer(executor_);
  while (unconfirmed_ && unconfirmed_->number == number) {
    milliseconds pause = std::min(time_left(unconfirmed_->until), look_at_clock);
    if (pause == milliseconds(0)) pause = co_await revert(number) ? milliseconds(0) : retry;
    timer.expires_after(pause);
    boost::system::error_code ignored;  // Nobody cancels it.
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

// True: done, or no longer to be done.
asio::awaitable<bool> Configuration::revert(std::uint64_t number) {
  bool in_time = false;
  ChangeRequest request{
      .edit = [&](Intent& intent) -> Status {
        // Somebody may have confirmed it while we waited for our turn.
        in_time = !unconfirmed_ || unconfirmed_->number != number;
        if (in_time) return fail(error_of(Errc::wrong_state, "has been decided", title(number)));
        auto before = undo_history(store_.database(), intent, number - 1);
        if (!before) return std::unexpected(before.error());
        intent = std::move(*before);
        return {};
      },
      .what = "undo change " + std::to_string(number) + ": nobody confirmed it",
      .who = {},
      .edits_owners = true,
      .goes_back = true,
      .must_hold = true};
  const auto reverted = co_await change(std::move(request));
  if (reverted || in_time) co_return true;
  LOG(error, "revert_failed", {"number", number}, {"reason", to_string(reverted.error().front())});
  co_return false;
}

asio::awaitable<Result<std::uint64_t>> Configuration::confirm(Peer who) {
  const Turns::Turn turn = co_await changes_.take();
  if (!unconfirmed_) {
    co_return fail(error_of(Errc::wrong_state,
                            "nothing waits for a confirmation; `weir history` shows whether a "
                            "change was undone"));
  }
  give_up_prepared();
  const std::uint64_t number = unconfirmed_->number;
  HistoryEntry entry = entry_of(who, "confirm change " + std::to_string(number));
  entry.outcome = Outcome::confirmed;
  if (auto kept = store_.confirm(entry); !kept) co_return std::unexpected(kept.error());
  unconfirmed_.reset();
  LOG(info, "change_confirmed", {"number", number});
  events_.publish("change_confirmed", {{"number", number}});
  co_return number;
}

asio::awaitable<Status> Configuration::save_state(std::string name, Peer who) {
  const Turns::Turn turn = co_await changes_.take();
  HistoryEntry entry = entry_of(who, "save " + name);
  entry.outcome = Outcome::saved;
  if (auto saved = store_.save_state(name, intent_, entry); !saved) {
    co_return std::unexpected(saved.error());
  }
  co_return Status();
}

asio::awaitable<Status> Configuration::forget_state(std::string name, Peer who) {
  const Turns::Turn turn = co_await changes_.take();
  HistoryEntry entry = entry_of(who, "forget " + name);
  entry.outcome = Outcome::forgotten;
  if (auto gone = store_.forget_state(name, entry); !gone) co_return std::unexpected(gone.error());
  co_return Status();
}

// Somebody changes something before any data plane has said what is in force: nobody was told that
// this was done, and now it never will have been.
void Configuration::give_up_prepared() {
  if (!prepared_) return;
  HistoryEntry entry = std::move(prepared_->entry);
  prepared_.reset();
  entry.outcome = Outcome::unfinished;
  entry.reason = "the control plane ended before the data plane answered";
  LOG(warning, "unfinished_change_given_up", {"what", entry.what});
  // A failure is met again, and told, by who writes next: a save ends what was prepared.
  if (auto noted = store_.give_up_prepared(entry); !noted) {
    LOG(error, "store_failed", {"reason", to_string(noted.error().front())});
  }
}

// The data plane says what is in force. Is it what was prepared, then the change came to pass and
// only the last save is missing.
void Configuration::finish_prepared(const contract::Digests& digests) {
  Allocation allocation = allocation_;
  auto next = digests == prepared_->digests && restore_numbers(allocation, prepared_->numbers)
                  ? apply_difference(intent_, prepared_->redo)
                  : fail(Error{});
  if (!next || digests_of(*next, allocation) != digests) return give_up_prepared();
  allocation.release_unused(*next);
  const LinkStatus& link = link_->status();
  SaveRecord record{
      .entry = prepared_->entry,
      .applied =
          Applied{.boot_id = link.boot_id, .generation = link.generation, .digests = digests},
      .confirm = prepared_->confirm};
  record.entry.what += " (finished after a restart)";
  record.entry.generation = link.generation;
  const auto number = store_.save(*next, allocation, record);
  if (!number) {
    LOG(error, "store_failed", {"reason", to_string(number.error().front())});
    return give_up_prepared();
  }
  LOG(info, "unfinished_change_found_in_force", {"number", *number}, {"what", record.entry.what});
  prepared_.reset();
  intent_ = std::move(*next);
  owned_ = count_owners(intent_);
  allocation_ = std::move(allocation);
  digests_ = digests;
  applied_ = *record.applied;
  said_ = true;
  unconfirmed_.reset();  // Where it was the way back that was under way.
  if (record.confirm) wait_for({.number = *number, .until = *record.confirm});
}

}  // namespace cp
