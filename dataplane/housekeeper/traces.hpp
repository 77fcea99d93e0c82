// SPDX-License-Identifier: Apache-2.0
// Traces: filters to the workers, packets from their rings to the controller.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/housekeeper/socket.hpp"
#include "dataplane/pipeline/trace.hpp"
#include "dataplane/table/epoch.hpp"

#include <cstdint>
#include <span>

namespace dp {

class Traces {
 public:
  // One ring per worker. All outlive this.
  Traces(TraceBoard& board, std::span<TraceRing* const> rings, Epoch& epoch)
      : board_(board), rings_(rings), epoch_(epoch) {}

  base::Status add(const contract::TraceAdd& wanted);
  base::Status remove(std::uint32_t trace);
  // Its packets would have nobody to go to.
  void remove_all() { (void)board_.remove(0); }

  // Sends what the rings hold, as far as the controller takes it.
  void drain(CommandSocket& socket);
  // Gives the filters of ended traces back when no worker can read them any more.
  void release();
  bool active() const noexcept { return board_.any() || board_.ended() != 0; }
  // Packets for which a ring or the controller had no room.
  std::uint64_t lost() const noexcept;

 private:
  TraceBoard& board_;
  std::span<TraceRing* const> rings_;
  Epoch& epoch_;
  std::uint64_t lost_to_controller_ = 0;
  std::uint32_t releasing_ = 0;  // One bit per slot that had ended at grace_.
  std::uint64_t grace_ = 0;
};

}  // namespace dp
