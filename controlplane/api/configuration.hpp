// SPDX-License-Identifier: Apache-2.0
// The intent in force and the one way to change it: validate the whole, plan the difference, have
// the data plane commit it, store it. Refused anywhere means changed nowhere.
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
#include "controlplane/store/store.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>

namespace cp {

// What is to be done to the intent, and by whom.
struct ChangeRequest {
  std::function<Status(Intent&)> edit;
  std::string what;  // "apply", "batch": for the log.
  Peer who;
  bool dry_run = false;
};

enum class ChangeStatus : std::uint8_t {
  applied,    // In force in the data plane, and stored.
  pending,    // Stored; the data plane gets it when it is there.
  unchanged,  // Nothing to do.
  planned,    // A dry run.
};

struct ChangeReport {
  ChangeStatus status = ChangeStatus::unchanged;
  std::vector<Change> changes;
  std::size_t records = 0;  // That the data plane was, or would be, sent.
  std::uint64_t generation = 0;
};

class Configuration : public LinkOwner {
 public:
  // All borrowed; they outlive the configuration.
  Configuration(Store& store, Events& events, Traces& traces)
      : store_(store), events_(events), traces_(traces) {}

  // Takes what is stored. The link is made after us and must be named before it runs.
  Status load();
  void use(Link& link) { link_ = &link; }

  boost::asio::awaitable<Result<ChangeReport>> change(ChangeRequest request);

  const Intent& intent() const noexcept { return intent_; }
  const Allocation& allocation() const noexcept { return allocation_; }
  const Limits& limits() const noexcept { return limits_; }
  PositionNames position_names() const;

  // LinkOwner
  void on_limits(const Limits& limits) override;
  std::optional<contract::Digests> wanted_digests() override;
  Plan everything() override;
  const Allocation& names() override { return allocation_; }
  void on_event(const contract::FrameView& event) override;
  void on_status(const LinkStatus& status) override;

 private:
  boost::asio::awaitable<Result<bool>> program(const Intent& next, const Plan& plan);
  void tell_neighbour(const contract::NeighbourChange& change);
  void note_applied(const LinkStatus& status);
  Status keep(Intent next, const ChangeRequest& request, ChangeReport& report);

  Store& store_;
  Events& events_;
  Traces& traces_;
  Link* link_ = nullptr;
  Turns changes_;  // One change at a time.
  Intent intent_;
  Allocation allocation_;
  Limits limits_;
  bool said_ = false;  // Somebody has said what is wanted, be it nothing.
  Applied applied_;    // As stored.
  contract::Digests digests_{};
};

}  // namespace cp
