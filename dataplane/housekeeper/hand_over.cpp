// SPDX-License-Identifier: Apache-2.0
// A planned replacement, seen from both of its processes: the old one's control and ports go to the
// new one, and nothing else is between them.
#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/housekeeper/housekeeper.hpp"

namespace dp {

bool Housekeeper::replace_predecessor() {
  Predecessor& predecessor = *parts_.predecessor;
  if (predecessor.has_ports()) return true;
  outcome_ = predecessor.look(base::monotonic_ns());
  if (!outcome_) return false;
  if (!predecessor.has_ports()) return true;
  // Nobody else has them any more.
  socket_.listener().keep();
  if (parts_.successor != nullptr) parts_.successor->keep_listener();
  return true;
}

// Of the first commit. What the old process forwarded last was some microseconds before.
void Housekeeper::tell_gap() {
  Predecessor& predecessor = *parts_.predecessor;
  predecessor.in_force();
  if (predecessor.stopped_ns() != 0) {
    LOG(info, "taken_over", {"from_pid", predecessor.pid()},
        {"from_release", predecessor.release()},
        {"gap_us", (base::monotonic_ns() - predecessor.stopped_ns()) / 1000});
  }
  parts_.predecessor = nullptr;
}

bool Housekeeper::serve_successor() {
  // Whoever is not in force itself has nothing to give.
  if (parts_.predecessor != nullptr) return true;
  Successor& successor = *parts_.successor;
  const Successor::Stage stage = successor.look(base::monotonic_ns());
  if (control_lent_ && stage < Successor::Stage::has_control) take_control_back();
  if (stage == Successor::Stage::wants_control) {
    // Its transaction ends first, and is answered.
    if (busy() || transaction_.open() || socket_.has_backlog()) return true;
    LOG(info, "control_lent", {"effect", "frames are forwarded as was last wanted"});
    if (socket_.connected()) lose_controller();
    control_lent_ = true;
    const TableFile* file = parts_.table_file;
    successor.give_control(socket_.listener().lend(), file != nullptr ? file->descriptor() : -1,
                           base::monotonic_ns());
    return true;
  }
  if (stage != Successor::Stage::wants_ports) return true;
  if (ports_given_up_ns_ == 0) ports_given_up_ns_ = base::monotonic_ns();
  if (ports_.give_up()) return true;
  outcome_ = successor.give_ports(ports_given_up_ns_);
  if (outcome_) {
    LOG(info, "handed_over", {"closing_us", (base::monotonic_ns() - ports_given_up_ns_) / 1000});
  }
  return false;
}

void Housekeeper::take_control_back() {
  control_lent_ = false;
  socket_.listener().take_back();
  LOG(info, "control_taken_back");
}

}  // namespace dp
