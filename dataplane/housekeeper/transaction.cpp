// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/transaction.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/housekeeper/publish.hpp"

#include <cstring>

namespace dp {
namespace {

// Slots looked at per table and step: 64 KiB of it, some 10 us.
constexpr std::uint32_t slots_per_slice = 4096;
// A batch takes microseconds; a worker that needs a second is stuck or starved.
constexpr std::uint64_t late_after_ns = 1'000'000'000;

// f(table) for each; true where any says that there is more.
template <class F>
bool any_table(Tables& tables, F&& f) {
  bool more = f(tables.ports);
  more |= f(tables.networks);
  more |= f(tables.vteps);
  more |= f(tables.network_by_vni);
  more |= f(tables.vtep_by_address);
  more |= f(tables.port_by_vlan);
  more |= f(tables.endpoints);
  more |= f(tables.host_rules);
  more |= f(tables.queues);
  return more;
}

}  // namespace

bool Transaction::waiting() const noexcept {
  return phase_ == Phase::take_ports || phase_ == Phase::prepare_ports || phase_ == Phase::pass ||
         phase_ == Phase::finish_ports || phase_ == Phase::undo_ports;
}

base::Status Transaction::begin(std::uint32_t id, contract::TableSet replaced) {
  if (phase_ != Phase::idle) {
    return base::fail(base::Errc::wrong_state, "a transaction is open; commit or abort it first");
  }
  if (id == 0) {
    return base::fail(base::Errc::invalid_argument, "a transaction's number is not 0");
  }
  // Who names no table before the first generation takes all for empty, and knows of no adoption.
  if (replaced == 0 && epoch_.current() == 0 && tables_.endpoints.size() != 0) {
    replaced = static_cast<contract::TableSet>(contract::Table::endpoints);
  }
  next_ = epoch_.current() + 1;
  model_.begin(next_, replaced);
  if (contract::has(replaced, contract::Table::endpoints)) {
    if (auto status = tables_.endpoints.begin_replace(next_); !status) return status;
  }
  id_ = id;
  refused_ = false;
  phase_ = Phase::staging;
  return {};
}

void Transaction::commit() {
  failed_port_ = base::no_port;
  CHECK(phase_ == Phase::staging);
  is_commit_ = true;
  outcome_ = {};
  phase_ = Phase::sweep;
  if (refused_) {
    outcome_ = base::fail(base::Errc::wrong_state,
                          "a record of this transaction was refused; abort and begin again");
    phase_ = Phase::undo_tables;
  }
}

void Transaction::abort() {
  is_commit_ = false;
  outcome_ = {};
  phase_ = Phase::undo_tables;
}

void Transaction::fail(const base::Error& error) {
  outcome_ = std::unexpected(error);
  phase_ = phase_ < Phase::prepare_ports ? Phase::undo_tables : Phase::undo_ports;
}

std::optional<Transaction::Answer> Transaction::step() {
  switch (phase_) {
    case Phase::idle:
    case Phase::staging: break;
    case Phase::sweep:
      if (!model_.sweep()) phase_ = Phase::check;
      break;
    case Phase::check: {
      const auto more = model_.check();
      if (!more) {
        fail(more.error());
      } else if (!*more) {
        phase_ = Phase::take_ports;
      }
      break;
    }
    case Phase::take_ports:
      if (predecessor_ != nullptr && predecessor_->take_ports()) break;
      predecessor_ = nullptr;
      ports_.plan(model_);
      phase_ = Phase::prepare_ports;
      break;
    case Phase::prepare_ports: {
      const auto more = ports_.prepare();
      if (!more) {
        failed_port_ = ports_.failed_port();
        fail(more.error());
      } else if (!*more) {
        next_hops_.plan();
        derivation_.restart();
        phase_ = Phase::derive;
      }
      break;
    }
    case Phase::derive: {
      const auto more = derivation_.step(model_, ports_.facts(), next_hops_, tables_, next_);
      if (!more) {
        fail(more.error());
      } else if (!*more) {
        CHECK(epoch_.flip() == next_);
        late_ns_ = base::monotonic_ns() + late_after_ns;
        phase_ = Phase::pass;
      }
      break;
    }
    case Phase::pass:
      if (!epoch_.all_passed(next_)) {
        complain_of_late_workers();
        break;
      }
      model_.keep();
      next_hops_.keep();
      phase_ = Phase::settle;
      return Answer{.is_commit = true, .status = {}};
    case Phase::settle: return settle();
    case Phase::save:
      if (!save()) phase_ = Phase::finish_ports;
      break;
    case Phase::finish_ports:
      if (!ports_.finish()) phase_ = Phase::idle;
      break;
    case Phase::undo_ports:
      if (!ports_.undo()) phase_ = Phase::undo_tables;
      break;
    case Phase::undo_tables: return undo_tables();
  }
  return std::nullopt;
}

// The generation is in force and cannot be taken back: all that is left is to wait, and to say so.
void Transaction::complain_of_late_workers() {
  if (base::monotonic_ns() < late_ns_) return;
  late_ns_ += late_after_ns;
  LOG(error, "workers_late", {"generation", next_}, {"workers", epoch_.late_workers(next_)},
      {"effect", "the commit is not answered until they move on"});
}

std::optional<Transaction::Answer> Transaction::settle() {
  if (!any_table(tables_, [](auto& table) { return table.settle(slots_per_slice); })) {
    phase_ = Phase::save;
  }
  return std::nullopt;
}

// After the answer, as settling: what a process that dies here leaves is thrown away.
bool Transaction::save() {
  if (file_ == nullptr) return false;
  const bool more = file_->save(tables_.endpoints, next_, model_.digests_in_force().endpoints);
  if (file_->usable()) return more;
  LOG(error, "table_file_lost", {"reason", std::strerror(file_->error_number())},
      {"effect", "after a restart the control plane sends all endpoints"});
  file_ = nullptr;
  return false;
}

std::optional<Transaction::Answer> Transaction::undo_tables() {
  if (any_table(tables_, [](auto& table) { return table.abort(slots_per_slice); })) {
    return std::nullopt;
  }
  model_.restore();
  next_hops_.restore();
  phase_ = Phase::idle;
  return Answer{.is_commit = is_commit_, .status = outcome_, .failed_port = failed_port_};
}

}  // namespace dp
