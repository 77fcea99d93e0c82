// SPDX-License-Identifier: Apache-2.0
// One transaction from begin to its end, in steps that each take well under a millisecond. Nothing
// it stages is seen by a packet before the flip; after a refusal everything is as it was.
//
//   commit: sweep ─► check ─► ports free ─► ports up ─► derive ─► flip ─► all workers passed ─►
//   (answered)
//           ─► settle tables ─► save endpoints ─► removed ports closed ─► done
//   abort, or a refused commit: ports as before ─► tables aborted ─► model restored ─► done
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/housekeeper/derive.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/next_hops.hpp"
#include "dataplane/housekeeper/ports.hpp"
#include "dataplane/housekeeper/predecessor.hpp"
#include "dataplane/table/epoch.hpp"
#include "dataplane/table/table_file.hpp"
#include "dataplane/table/tables.hpp"

#include <cstdint>
#include <optional>

namespace dp {

class Transaction {
 public:
  // What a finished step has to tell the controller, at most one per commit or abort.
  struct Answer {
    bool is_commit;
    base::Status status;
    base::PortId failed_port = base::no_port;  // Whose device refused.
  };

  // All outlive this; `tsc_hz` for rates.
  Transaction(Tables& tables, Epoch& epoch, Model& model, Ports& ports, NextHops& next_hops,
              std::uint64_t tsc_hz)
      : tables_(tables),
        epoch_(epoch),
        model_(model),
        ports_(ports),
        next_hops_(next_hops),
        derivation_(tsc_hz) {}

  // Has the ports until the first commit opens some; outlives this.
  void replace(Predecessor& predecessor) noexcept { predecessor_ = &predecessor; }
  // Where endpoints are kept for the next process; outlives this.
  void save_to(TableFile& file) noexcept { file_ = &file; }

  bool open() const noexcept { return phase_ == Phase::staging; }
  // A commit or abort is under way: step() until it is not.
  bool working() const noexcept { return phase_ > Phase::staging; }
  // It waits for workers or for the port thread, and a step would only look again.
  bool waiting() const noexcept;
  std::uint32_t id() const noexcept { return id_; }
  bool refused() const noexcept { return refused_; }

  base::Status begin(std::uint32_t id, contract::TableSet replaced);
  // A record was refused: only an abort can follow.
  void refuse() noexcept { refused_ = true; }
  void commit();
  // Also where nothing is open: then it is answered at the next step.
  void abort();
  std::optional<Answer> step();

 private:
  enum class Phase : std::uint8_t {
    idle,
    staging,
    sweep,
    check,
    take_ports,
    prepare_ports,
    derive,
    pass,
    settle,
    save,
    finish_ports,
    undo_ports,
    undo_tables,
  };

  void complain_of_late_workers();
  std::optional<Answer> settle();
  std::optional<Answer> undo_tables();
  bool save();
  void fail(const base::Error& error);

  Tables& tables_;
  Epoch& epoch_;
  Model& model_;
  Ports& ports_;
  NextHops& next_hops_;
  Derivation derivation_;
  TableFile* file_ = nullptr;
  Predecessor* predecessor_ = nullptr;
  Phase phase_ = Phase::idle;
  std::uint32_t id_ = 0;
  bool refused_ = false;
  bool is_commit_ = false;  // What the work under way was asked for.
  base::Status outcome_;
  base::PortId failed_port_ = base::no_port;
  base::Generation next_ = 0;
  std::uint64_t late_ns_ = 0;  // When to complain of workers that have not passed.
};

}  // namespace dp
