// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/run.hpp"

#include "dataplane/packet/batch.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace pktgen {
namespace {

// Longest sleep while frames may come: what it adds to their delay at most.
constexpr Time nap = 200 * ps_per_us;
constexpr Time nap_of_senders = 1 * ps_per_ms;
// What is due sooner waits, so that it leaves together with what is due next.
constexpr std::int64_t shortest = 100 * ps_per_us;
constexpr Time stop_asked_every = 5 * ps_per_ms;

Sums difference(const Sums& now, const Sums& before) noexcept {
  Sums all = now;
  const auto subtract = [](auto& value, auto earlier) {
    value -= earlier;
  };
  subtract(all.sent.frames, before.sent.frames);
  subtract(all.sent.bytes, before.sent.bytes);
  subtract(all.sent.requests, before.sent.requests);
  subtract(all.sent.acks, before.sent.acks);
  subtract(all.sent.cnps, before.sent.cnps);
  subtract(all.sent.repeated, before.sent.repeated);
  subtract(all.sent.refused, before.sent.refused);
  subtract(all.sent.late_ns, before.sent.late_ns);
  subtract(all.received.frames, before.received.frames);
  subtract(all.received.bytes, before.received.bytes);
  subtract(all.received.roce, before.received.roce);
  subtract(all.received.roce_bytes, before.received.roce_bytes);
  subtract(all.received.icrc_errors, before.received.icrc_errors);
  subtract(all.received.cnps, before.received.cnps);
  subtract(all.received.acks, before.received.acks);
  subtract(all.received.requests, before.received.requests);
  subtract(all.received.duplicates, before.received.duplicates);
  subtract(all.received.late, before.received.late);
  subtract(all.received.lost, before.received.lost);
  for (std::size_t i = 0; i < all.received.ecn.size(); ++i) {
    subtract(all.received.ecn[i], before.received.ecn[i]);
  }
  return all;
}

bool listen(Traffic& traffic, std::size_t number, dp::Port& port, base::QueueId queue,
            const Clock& clock) {
  // Longer than any frame of ours; what comes in several buffers is copied here.
  static thread_local std::array<std::uint8_t, 16 * 1024> copy;
  dp::Batch batch;
  dp::receive(port, queue, batch);
  if (batch.empty()) return false;
  const Time now = clock.now();
  for (rte_mbuf* mbuf : batch.mbufs()) {
    const std::uint32_t bytes = std::min<std::uint32_t>(mbuf->pkt_len, copy.size());
    const auto* data =
        static_cast<const std::uint8_t*>(rte_pktmbuf_read(mbuf, 0, bytes, copy.data()));
    if (data != nullptr) traffic.take({data, bytes}, number, now);
  }
  return true;
}

bool listen(Traffic& traffic, std::span<const ListenedPort> ports, const Clock& clock) {
  bool heard = false;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    for (std::uint16_t queue = 0; queue < ports[i].rx_queues; ++queue) {
      heard |= listen(traffic, i, *ports[i].port, base::QueueId{queue}, clock);
    }
  }
  return heard;
}

void sleep_for(Time time) noexcept {
  timespec wait{.tv_sec = static_cast<time_t>(time / ps_per_s),
                .tv_nsec = static_cast<long>(time % ps_per_s / ps_per_ns)};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, nullptr);
}

class Loop {
 public:
  Loop(Traffic& traffic, std::span<const ListenedPort> ports, const Clock& clock,
       const RunConfig& config, Result& result)
      : traffic_(traffic),
        ports_(ports),
        clock_(clock),
        config_(config),
        result_(result),
        started_(clock.now()),
        second_began_(started_),
        sent_until_(started_) {}

  void run() {
    result_.ended = "done";
    while (true) {
      const Time now = clock_.now();
      // Both, each time: neither waits for the other to have nothing to do.
      bool busy = traffic_.poll(now);
      if (config_.carry) config_.carry(traffic_.is_done(now));
      if (listen(traffic_, ports_, clock_)) {
        busy = true;
      }
      if (now - second_began_ >= ps_per_s) close_second(now);
      if (ask_for_stop(now) || is_over(now, busy)) break;
      if (!busy && !config_.spin) rest(now);
    }
    close_second(clock_.now());
    result_.seconds = seconds_of(sent_until_ - started_);
    traffic_.conclude(result_);
  }

 private:
  static double seconds_of(Time time) noexcept {
    return static_cast<double>(time) / static_cast<double>(ps_per_s);
  }

  // True where it shall end at once: who asks again does not want to wait for the other side.
  bool ask_for_stop(Time now) {
    if (now - stop_asked_ < stop_asked_every) return false;
    stop_asked_ = now;
    signalfd_siginfo signal;
    const bool asked = config_.stop >= 0 && ::read(config_.stop, &signal, sizeof signal) > 0;
    if (asked && stopped_) return true;
    if (asked) {
      end("interrupted");
    } else if (!stopped_ && now - started_ >= config_.seconds * ps_per_s) {
      end("time");
    }
    return false;
  }
  void end(const char* reason) {
    traffic_.stop();
    stopped_ = true;
    result_.ended = reason;
  }
  // Sent all, and nothing more comes.
  bool is_over(Time now, bool busy) {
    if (!traffic_.is_done(now)) {
      sent_until_ = now;
      return false;
    }
    if (config_.carry) return !busy;
    const bool sent_nothing = traffic_.sums().sent.frames == 0;
    return ports_.empty() || sent_nothing || now - sent_until_ >= config_.drain_ms * ps_per_ms;
  }

  void rest(Time now) {
    const Time longest = ports_.empty() ? nap_of_senders : nap;
    const Time due = traffic_.next_due();
    // Due already: the port takes nothing, or all buffers are under way.
    const auto wait = std::max<std::int64_t>(static_cast<std::int64_t>(due - now), shortest);
    const Time time = due == never ? longest : std::min(static_cast<Time>(wait), longest);
    config_.sleep ? config_.sleep(time) : sleep_for(time);
  }

  void close_second(Time now) {
    Second second{.at_s = seconds_of(now - started_), .length_s = seconds_of(now - second_began_)};
    if (second.length_s <= 0) return;
    const Sums sums = traffic_.sums();
    second.sums = difference(sums, before_);
    traffic_.close_second(second);
    before_ = sums;
    second_began_ = now;
    if (config_.each_second) config_.each_second(second);
    result_.series.push_back(std::move(second));
  }

  Traffic& traffic_;
  std::span<const ListenedPort> ports_;
  const Clock& clock_;
  const RunConfig& config_;
  Result& result_;
  Time started_;
  Time second_began_;
  Time sent_until_;
  Time stop_asked_ = 0;
  bool stopped_ = false;
  Sums before_;
};

}  // namespace

void run(Traffic& traffic, std::span<const ListenedPort> listened_to, const Clock& clock,
         const RunConfig& config, Result& result) {
  // Naps end when they should: by default the kernel may add 50 µs.
  (void)::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // Refused: they are a little longer.
  Loop(traffic, listened_to, clock, config, result).run();
}

}  // namespace pktgen
