// SPDX-License-Identifier: Apache-2.0
// The one thread that changes what workers read. Each turn: look at the socket, do a slice of the
// transaction under way, drain traces, and once in a while links, losses and counters. It never
// waits for a worker or a device, and no turn takes longer than about a millisecond.
//
// While a commit or a large frame is in work, the socket is not read: commands wait in the kernel's
// buffer, in order. When the controller goes, its open transaction is aborted, and packets never
// notice.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/neighbour_list.hpp"
#include "dataplane/housekeeper/next_hops.hpp"
#include "dataplane/housekeeper/ports.hpp"
#include "dataplane/housekeeper/predecessor.hpp"
#include "dataplane/housekeeper/publish.hpp"
#include "dataplane/housekeeper/region.hpp"
#include "dataplane/housekeeper/resolver.hpp"
#include "dataplane/housekeeper/socket.hpp"
#include "dataplane/housekeeper/successor.hpp"
#include "dataplane/housekeeper/traces.hpp"
#include "dataplane/housekeeper/transaction.hpp"
#include "dataplane/table/table_file.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace dp {

class Housekeeper {
 public:
  // Everything outlives the housekeeper; workers stop before it goes.
  struct Parts {
    Tables& tables;
    Epoch& epoch;
    CounterRegion& region;
    DeviceOpener& opener;
    std::span<Worker* const> workers;
    TraceBoard& trace_board;
    std::span<TraceRing* const> trace_rings;   // One per worker.
    std::span<FrameRings* const> frame_rings;  // The same.
    rte_mempool& pool;
    TableFile* table_file = nullptr;     // Null: nothing is adopted, and nothing kept.
    Predecessor* predecessor = nullptr;  // Null: none has the ports.
    Successor* successor = nullptr;      // Null: this process cannot be replaced.
  };

  Housekeeper(CommandSocket socket, const Parts& parts, const Publisher::Facts& facts,
              const Ports::Defaults& defaults);

  // Until `stop` (an eventfd or signalfd) is readable, or a successor has everything. An error:
  // this process cannot take the place of its predecessor, or has nothing left that could be used.
  base::Status run(int stop);
  // One turn that waits at most as long as there is nothing to do; false: that was the last.
  bool turn(int stop);

  struct LongestTurn {
    std::uint64_t wall_ns = 0;
    std::uint64_t cpu_ns = 0;  // The work itself, on whatever else the machine was busy.
  };
  const LongestTurn& longest_turn() const noexcept { return longest_turn_; }

 private:
  // A frame of records of which some are not staged yet. Borrows the socket's buffer, which is not
  // read into until the frame is done.
  struct Pending {
    contract::FrameView frame;
    std::size_t next = 0;
  };

  bool busy() const noexcept { return pending_.has_value() || transaction_.working(); }
  std::uint64_t wait_ns() const noexcept;
  bool wait(int stop);

  void read_commands();
  void lose_controller();
  void handle(const contract::FrameView& frame);
  void greet(const contract::FrameView& frame);
  base::Status control(const contract::FrameView& frame);
  void trace(const contract::FrameView& frame);
  base::Status in_transaction(const contract::FrameView& frame) const;

  void work_slice();
  base::Status stage(const contract::FrameView& frame, std::size_t index);
  void answer_commit(const Transaction::Answer& answer);
  void reply(const contract::FrameHeader& to, const base::Status& status,
             std::uint32_t refused_record = 0xffff'ffff);
  void reply(const contract::FrameHeader& to, base::Errc code, std::string_view text);
  void refuse_unknown(const contract::FrameHeader& header);

  // False: this was the last turn.
  bool replace_predecessor();
  bool serve_successor();
  void take_control_back();
  void tell_gap();

  void watch();
  void tell_links();
  void tell_neighbours();

  CommandSocket socket_;
  Parts parts_;
  Model model_;
  Ports ports_;
  NextHops next_hops_;
  Transaction transaction_;
  Publisher publisher_;
  Traces traces_;
  Resolver resolver_;
  NeighbourList neighbour_list_;

  base::Status outcome_;
  bool control_lent_ = false;            // To the successor.
  std::uint64_t ports_given_up_ns_ = 0;  // The same; 0: not yet.
  bool greeted_ = false;
  contract::Text<contract::name_bytes> controller_release_{};  // As its hello says.
  std::optional<Pending> pending_;
  contract::FrameHeader asked_{};  // The commit or abort under way, for its answer.
  std::uint64_t next_publish_ns_ = 0;
  std::uint64_t next_links_ns_ = 0;
  LongestTurn longest_turn_;
};

}  // namespace dp
