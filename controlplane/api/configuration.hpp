// SPDX-License-Identifier: Apache-2.0
// The intent in force and the one way to change it: validate the whole, plan the difference, write
// it down, have the data plane commit it, store it. Refused anywhere means changed nowhere. What
// nobody confirms in time is undone, and every change is undone by history.
#pragma once

#include "controlplane/api/events.hpp"
#include "controlplane/api/http.hpp"
#include "controlplane/api/traces.hpp"
#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"
#include "controlplane/link/link.hpp"
#include "controlplane/link/position_names.hpp"
#include "controlplane/plan/allocation.hpp"
#include "controlplane/plan/changes.hpp"
#include "controlplane/plan/owners.hpp"
#include "controlplane/store/store.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>

namespace cp {

// What is to be done to the intent, and by whom.
struct ChangeRequest {
  std::function<Status(Intent&)> edit;
  std::string what;  // "apply", "set port wire0": for history and the log.
  Peer who;
  bool dry_run = false;
  Owner source = Owner::command;
  // True: the edit has said whose each object is. False: what is new is the source's.
  bool edits_owners = false;
  std::optional<std::chrono::milliseconds> confirm_within = std::nullopt;
  // A way back, which may be gone while a change waits for its confirmation.
  bool goes_back = false;
  // Kept even where the data plane refuses it: it was in force before.
  bool must_hold = false;
  // Judged already, and what the edit takes from: what it leaves as it is need not be judged again.
  std::optional<Intent> judged = std::nullopt;
};

enum class ChangeStatus : std::uint8_t {
  applied,    // In force in the data plane, and stored.
  pending,    // Stored; the data plane gets it when it is there.
  unchanged,  // Nothing to do.
  planned,    // A dry run.
};

struct ChangeReport {
  ChangeStatus status = ChangeStatus::unchanged;
  Owner source = Owner::command;
  ChangeSummary changes;
  std::size_t records = 0;  // That the data plane was, or would be, sent.
  std::uint64_t generation = 0;
  std::uint64_t number = 0;  // In history; 0: it is not there.
  std::size_t others = 0;    // Objects afterwards that are not the source's.
  std::optional<Deadline> confirm = std::nullopt;
};

class Configuration : public LinkOwner {
 public:
  // All borrowed; they outlive the configuration.
  Configuration(Store& store, Events& events, Traces& traces)
      : store_(store), events_(events), traces_(traces) {}

  // Takes what is stored. The link is made after us and must be named before it runs.
  Status load();
  void use(Link& link) { link_ = &link; }
  // From now on time counts: what was unconfirmed when the last process ended is undone on time.
  void start(boost::asio::any_io_executor executor);

  boost::asio::awaitable<Result<ChangeReport>> change(ChangeRequest request);
  // What waits for it stays. Refused where nothing does.
  boost::asio::awaitable<Result<std::uint64_t>> confirm(Peer who);
  // Gives the state a name, or takes one back.
  boost::asio::awaitable<Status> save_state(std::string name, Peer who);
  boost::asio::awaitable<Status> forget_state(std::string name, Peer who);

  const Intent& intent() const noexcept { return intent_; }
  const Allocation& allocation() const noexcept { return allocation_; }
  const Limits& limits() const noexcept { return limits_; }
  const std::optional<Unconfirmed>& unconfirmed() const noexcept { return unconfirmed_; }
  Store& store() noexcept { return store_; }
  PositionNames position_names() const;

  // LinkOwner
  void on_limits(const Limits& limits) override;
  void on_in_force(const contract::Digests& digests) override;
  std::optional<contract::Digests> wanted_digests() override;
  Plan everything(contract::TableSet tables) override;
  const Allocation& names() override { return allocation_; }
  void on_event(const contract::FrameView& event) override;
  void on_status(const LinkStatus& status) override;

 private:
  // A change on its way: what it leads to, and what is told of it.
  struct Draft {
    Intent next;
    contract::Digests digests;  // Of next, once its names have numbers.
    std::uint64_t fits = 0;     // As Configuration's then.
    HistoryEntry entry;
    ChangeReport report;
  };

  // configuration.cpp
  Result<Draft> make_draft(ChangeRequest& request);
  boost::asio::awaitable<Result<bool>> put_in_force(const ChangeRequest& request, Draft& draft);
  Status number(Draft& draft);
  OwnerCounts owned_after(const ChangeSummary& changes) const noexcept;
  boost::asio::awaitable<Result<bool>> program(const Intent& next, const Plan& plan);
  void note_refused(Draft& draft, const Error& why);
  Status keep(Draft& draft);
  void tell_changed(const Draft& draft);
  void tidy_later();

  // configuration_link.cpp
  void tell_neighbour(const contract::NeighbourChange& change);
  void note_applied(const LinkStatus& status);

  // configuration_time.cpp
  Status refuse_while_unconfirmed(const ChangeRequest& request) const;
  Status refuse_what_cannot_be_undone(const ChangeRequest& request) const;
  boost::asio::awaitable<void> wait_for_confirmation(std::uint64_t number);
  boost::asio::awaitable<bool> revert(std::uint64_t number);
  void wait_for(const Unconfirmed& unconfirmed);
  void give_up_prepared();
  void finish_prepared(const contract::Digests& digests);

  Store& store_;
  Events& events_;
  Traces& traces_;
  Link* link_ = nullptr;
  boost::asio::any_io_executor executor_;
  Turns changes_;  // One change at a time.
  Intent intent_;
  OwnerCounts owned_{};
  Allocation allocation_;
  Limits limits_;
  std::uint64_t fits_ = 0;  // How often a smaller data plane has taken numbers away.
  bool said_ = false;       // Somebody has said what is wanted, be it nothing.
  Applied applied_;         // As stored.
  contract::Digests digests_{};
  // Of the process before: the first data plane's digests say whether it came to pass.
  std::optional<Prepared> prepared_;
  std::optional<Unconfirmed> unconfirmed_;
};

// What stands in history of who asked and when; the rest is the caller's.
HistoryEntry entry_of(const Peer& who, std::string what);

}  // namespace cp
