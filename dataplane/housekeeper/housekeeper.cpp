// SPDX-License-Identifier: Apache-2.0
// The turn: what is looked at, in which order, and how long to wait. Commands stand in
// commands.cpp.
#include "dataplane/housekeeper/housekeeper.hpp"

#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/housekeeper/adoption.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <poll.h>
#include <utility>

namespace dp {
namespace {

constexpr std::uint64_t us = 1000;
constexpr std::uint64_t ms = 1000 * us;

constexpr std::uint64_t publish_interval_ns = 1000 * ms;
// So soon a lost link is noticed of which the kernel says nothing, or not at once.
constexpr std::uint64_t links_interval_ns = 10 * ms;
constexpr std::uint64_t trace_interval_ns = 5 * ms;  // Rings hold 128 packets.
constexpr std::uint64_t look_again_ns = 100 * us;    // At workers that have not passed yet.
// Half of the promised millisecond, because the last slice of it may be a long one.
constexpr std::uint64_t work_budget_ns = 500 * us;

std::uint64_t thread_cpu_ns() noexcept {
  return base::clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

}  // namespace

Housekeeper::Housekeeper(CommandSocket socket, const Parts& parts, const Publisher::Facts& facts,
                         const Ports::Defaults& defaults)
    : socket_(std::move(socket)),
      parts_(parts),
      model_(parts.tables),
      ports_(parts.opener, parts.workers, parts.epoch, defaults),
      next_hops_(parts.tables.next_hops, model_, ports_),
      transaction_(parts.tables, parts.epoch, model_, ports_, next_hops_, facts.tsc_hz),
      publisher_(parts.region, parts.tables, model_, ports_, next_hops_, parts.pool, facts),
      traces_(parts.trace_board, parts.trace_rings, parts.epoch),
      resolver_(model_, ports_, next_hops_,
                {.rings = parts.frame_rings, .pool = parts.pool, .seed = facts.boot_id}),
      neighbour_list_(parts.region, model_, resolver_) {
  if (parts.predecessor != nullptr) transaction_.replace(*parts.predecessor);
  if (parts.table_file == nullptr) return;
  publisher_.adopted(adopt_endpoints(*parts.table_file, parts.tables, model_));
  transaction_.save_to(*parts.table_file);
}

base::Status Housekeeper::run(int stop) {
  while (turn(stop)) {
  }
  return outcome_;
}

std::uint64_t Housekeeper::wait_ns() const noexcept {
  if (pending_) return 0;
  if (ports_given_up_ns_ != 0) return look_again_ns;
  if (transaction_.working()) return transaction_.waiting() ? look_again_ns : 0;
  const std::uint64_t now = base::monotonic_ns();
  const std::uint64_t next = std::min(next_publish_ns_, next_links_ns_);
  const std::uint64_t timer = std::min(next > now ? next - now : 0, resolver_.wait_ns(now));
  return traces_.active() ? std::min(timer, trace_interval_ns) : timer;
}

bool Housekeeper::wait(int stop) {
  // A descriptor below 0 is not looked at: both are left out while commands must wait.
  const Successor* successor = parts_.successor;
  std::array<pollfd, 7> descriptors{
      pollfd{.fd = stop, .events = POLLIN, .revents = 0},
      pollfd{.fd = busy() ? -1 : socket_.listener().get(), .events = POLLIN, .revents = 0},
      pollfd{.fd = ports_.descriptor(), .events = POLLIN, .revents = 0},
      pollfd{.fd = busy() ? -1 : socket_.controller(),
             // Who does not take answers is not asked for more commands.
             .events = static_cast<short>(socket_.has_backlog() ? POLLOUT : POLLIN),
             .revents = 0},
      pollfd{.fd = ports_.link_descriptor(), .events = POLLIN, .revents = 0},
      pollfd{
          .fd = successor != nullptr ? successor->listener() : -1, .events = POLLIN, .revents = 0},
      pollfd{.fd = successor != nullptr ? successor->connection() : -1,
             .events = POLLIN,
             .revents = 0}};
  const std::uint64_t ns = wait_ns();
  const timespec timeout{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                         .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  // Interrupted (net_tap sends signals): a turn without news does no harm.
  if (::ppoll(descriptors.data(), descriptors.size(), &timeout, nullptr) <= 0) return true;
  // One that went away is noticed first, so that the next is not told `busy`.
  if ((descriptors[3].revents & POLLHUP) == 0 && descriptors[1].revents != 0) {
    if (socket_.accept()) greeted_ = false;
  }
  return descriptors[0].revents == 0;
}

bool Housekeeper::turn(int stop) {
  if (!wait(stop)) return false;

  const std::uint64_t started_ns = base::monotonic_ns();
  const std::uint64_t started_cpu_ns = thread_cpu_ns();
  publisher_.heartbeat();
  if (parts_.predecessor != nullptr && !replace_predecessor()) return false;
  // Before commands are read: between two transactions.
  if (parts_.successor != nullptr && !serve_successor()) return false;
  ports_.turn();
  if (next_hops_.update()) publisher_.publish_next_hops();
  if (!busy()) read_commands();
  work_slice();
  resolver_.turn();
  tell_neighbours();
  traces_.drain(socket_);
  traces_.release();
  watch();
  longest_turn_.wall_ns = std::max(longest_turn_.wall_ns, base::monotonic_ns() - started_ns);
  longest_turn_.cpu_ns = std::max(longest_turn_.cpu_ns, thread_cpu_ns() - started_cpu_ns);
  return true;
}

void Housekeeper::work_slice() {
  const std::uint64_t deadline = base::monotonic_ns() + work_budget_ns;
  do {
    if (pending_) {
      // A few records between looks at the clock.
      for (int i = 0; i < 64 && pending_; ++i) {
        const contract::FrameHeader header = pending_->frame.header();
        if (pending_->next == pending_->frame.record_count()) {
          pending_.reset();
          reply(header, {});
          break;
        }
        const base::Status status = stage(pending_->frame, pending_->next);
        if (!status) {
          const auto refused = static_cast<std::uint32_t>(pending_->next);
          transaction_.refuse();
          pending_.reset();
          reply(header, status, refused);
          break;
        }
        ++pending_->next;
      }
    } else if (transaction_.working()) {
      if (const auto answer = transaction_.step()) answer_commit(*answer);
      if (transaction_.waiting()) return;
    } else {
      return;
    }
  } while (base::monotonic_ns() < deadline);
}

void Housekeeper::watch() {
  const std::uint64_t now = base::monotonic_ns();
  if (now >= next_links_ns_) {
    next_links_ns_ = now + links_interval_ns;
    ports_.observe();
    resolver_.look_at_ports();
  }
  tell_links();
  if (now >= next_publish_ns_) {
    next_publish_ns_ = now + publish_interval_ns;
    publisher_.controller(socket_.connected());
    publisher_.traces_lost(traces_.lost());
    if (parts_.table_file != nullptr) publisher_.table_file(parts_.table_file->bytes());
    publisher_.neighbours(resolver_.counters(), resolver_.unsent());
    publisher_.publish_all();
    neighbour_list_.publish();
    ports_.retry();
  }
}

void Housekeeper::tell_links() {
  const auto changes = publisher_.changed_links();
  if (changes.empty()) return;
  for (const contract::LinkChange& change : changes) {
    LOG(info, "link_change", {"port", change.port.value}, {"up", change.up != 0},
        {"gone", change.gone != 0}, {"speed_mbps", change.speed_mbps});
  }
  // Lost on a controller that does not read; the region tells the state in any case.
  if (!greeted_ || !socket_.has_room()) return;
  socket_.send(contract::make_frame<contract::LinkChange>(
      static_cast<std::uint16_t>(contract::EventType::link_change), 0, 0,
      std::span<const contract::LinkChange>(changes)));
}

void Housekeeper::tell_neighbours() {
  const auto events = resolver_.take_events();
  if (!events.empty()) {
    publisher_.publish_next_hops();
    neighbour_list_.publish();
  }
  for (const NeighbourEvent& event : events) {
    const contract::NeighbourChange change{.port = event.port,
                                           .what = event.kind,
                                           .reserved = 0,
                                           .mac = event.mac,
                                           .before = event.before,
                                           .address = event.address};
    LOG(info, "neighbour_change", {"what", contract::name(event.kind)}, {"port", event.port.value},
        {"address", base::to_string(event.address)}, {"mac", base::to_string(event.mac)},
        {"before", base::to_string(event.before)});
    if (!greeted_ || !socket_.has_room()) continue;
    socket_.send(contract::make_frame<contract::NeighbourChange>(
        static_cast<std::uint16_t>(contract::EventType::neighbour_change), 0, 0,
        std::span<const contract::NeighbourChange>(&change, 1)));
  }
}

}  // namespace dp
