// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/worker.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/contract/gaps.hpp"

#include <rte_cycles.h>

#include <algorithm>

namespace dp {
namespace {

// One burst in 256 is run stage by stage with its cycles taken: below 1 % of the work, and some
// thousand samples a second under load.
constexpr std::uint32_t bursts_per_sample = 256;

// A sleep takes some microseconds more than it is asked for.
constexpr std::uint64_t shortest_sleep_ns = 5'000;

// Of one worker that has other work (README.md, 2026-11-29).
constexpr std::uint64_t twin_reads_per_second = 20'000;

}  // namespace

Worker::Worker(const Config& config, const Tables& tables, Epoch& epoch,
               contract::WorkerBlock counters, rte_mempool& pool, const Links& links)
    : id_(config.id),
      epoch_(epoch),
      from_housekeeper_(links.frames.from_housekeeper),
      bell_(links.frames.bell),
      environment_{.tables = tables,
                   .counters = counters,
                   .pool = pool,
                   .worker = config.id,
                   .seed = config.seed},
      tracer_(links.board, links.traces, config.id),
      exits_(environment_, *this, tracer_, links.frames.to_housekeeper),
      idle_(config.idle),
      tsc_hz_(rte_get_tsc_hz()),
      twins_rest_cycles_(tsc_hz_ / twin_reads_per_second),
      quarters_us_per_cycle_((std::uint64_t{4'000'000} << 32) / tsc_hz_) {}

void Worker::run() noexcept {
  CHECK(epoch_.register_worker(id_));
  while (!stopping_.load(std::memory_order_relaxed)) {
    const bool tired = idle_.is_tired();
    // From here on its bell is rung: the turn sees what came before.
    if (tired) bell_.listen();
    if (turn() > 0) {
      if (tired) bell_.stop_listening();
      idle_.found_frames();
    } else if (tired) {
      rest();
    } else {
      idle_.found_nothing();
    }
  }
  epoch_.unregister_worker(id_);
}

void Worker::rest() noexcept {
  const std::uint64_t due_ns = queues_due_in_ns();
  if (due_ns > 0 && !stopping_.load(std::memory_order_relaxed)) {
    // Before it looks at the assignment, so that whoever gives it another one sees that it naps, or
    // it watches the ports of that one. That of its last turn may be gone since it was quiescent.
    naps_.fetch_add(1, std::memory_order_seq_cst);
    current_ = assignment_.load(std::memory_order_seq_cst);
    nap_.begin(bell_.descriptor());
    const std::uint64_t sleep_ns = std::min(idle_.sleep_ns(watch_all()), due_ns);
    // Asleep it holds nothing of the tables, and commits need not wait for it.
    epoch_.offline(id_);
    const Nap::Woken woken = nap_.sleep(sleep_ns);
    naps_.fetch_add(1, std::memory_order_release);
    epoch_.online(id_);
    turned_at_ = 0;
    exits_.totals().idle_ns += nap_.slept_ns();
    idle_.woke(woken);
    if (woken == Nap::Woken::by_bell) bell_.hush();
  }
  bell_.stop_listening();
}

// Whether all that it has to look at will wake it.
bool Worker::watch_all() noexcept {
  // Frames that wait in its queues, for a rate or the device, have nobody to tell of them.
  bool all = bell_.descriptor() >= 0 && exits_.totals().held == 0;
  if (!idle_.trusts_ports()) return false;
  if (current_ == nullptr) return all;
  for (const RxSource& source : current_->sources) {
    all &= nap_.watch(wake_descriptor(*current_->ports[source.port.value], source.queue));
  }
  for (Port* port : current_->ports) {
    if (port != nullptr) all &= finish_sending(*port, base::QueueId{id_.value});
  }
  return all;
}

std::uint64_t Worker::queues_due_in_ns() const noexcept {
  if (exits_.queues_due() == never) return never;
  const std::uint64_t now = rte_rdtsc();
  if (exits_.queues_due() <= now) return 0;
  const auto ns = static_cast<std::uint64_t>(static_cast<double>(exits_.queues_due() - now) * 1e9 /
                                             static_cast<double>(tsc_hz_));
  return ns < shortest_sleep_ns ? 0 : ns;
}

std::uint32_t Worker::turn(std::uint64_t later_cycles) noexcept {
  const std::uint64_t started = rte_rdtsc();
  count_gap(started);
  environment_.generation = epoch_.enter_batch();
  environment_.turn_cycles = started + later_cycles;
  // Pairs with assign().
  current_ = assignment_.load(std::memory_order_acquire);
  std::uint32_t frames = 0;
  if (current_ != nullptr) {
    exits_.use_queues(current_->all_queues, current_->home_queues);
    frames = serve_all(Round::all_but_twins);
    if (frames == 0 || started - twins_read_at_ > twins_rest_cycles_) {
      twins_read_at_ = started;
      frames += serve_all(Round::twins);
    }
    if (!from_housekeeper_.empty()) [[unlikely]]  // Some a second.
      send_for_housekeeper();
    frames += exits_.serve_queues();
  }
  publish(frames, started);
  epoch_.quiescent(id_);
  return frames;
}

std::uint32_t Worker::serve_all(Round round) noexcept {
  std::uint32_t frames = 0;
  for (const RxSource& source : current_->sources) frames += serve(source, round);
  return frames;
}

std::uint32_t Worker::serve(const RxSource& source, Round round) noexcept {
  const PortRecord* port =
      environment_.tables.ports.find(source.port.value, environment_.generation);
  if (port == nullptr) return 0;
  if ((port->role == contract::PortRole::host) != (round == Round::twins)) return 0;
  AnyPipeline* pipeline = pipelines_.by_role[static_cast<std::size_t>(port->role)].get();
  if (pipeline == nullptr) return 0;

  receive(*current_->ports[source.port.value], source.queue, batch_);
  const std::uint16_t frames = batch_.size();
  if (frames == 0) return 0;

  std::uint64_t bytes = 0;
  BufferKinds buffers;
  for (std::uint16_t i = 0; i < frames; ++i) {
    bytes += batch_.mbuf(i)->pkt_len;
    buffers.see(*batch_.mbuf(i));
  }
  if (!buffers.all_plain()) batch_.note_odd_buffers();
  contract::PortCounters& counters = environment_.counters.ports[source.port.value];
  contract::add(counters.rx_packets, frames);
  contract::add(counters.rx_bytes, bytes);
  exits_.totals().rx += frames;
  ++exits_.totals().bursts;

  environment_.in_port = port;
  batch_.reset_metas(source.port, port->network);
  const Mode mode = choose_mode();
  pipeline->run(batch_, exits_, mode);
  if (!exits_.diverted().empty()) [[unlikely]]  // The host's own traffic is little beside RDMA.
    run_diverted(mode);
  if (mode == Mode::observed) tracer_.finish();
  return frames;
}

void Worker::run_diverted(Mode mode) noexcept {
  Batch& diverted = exits_.diverted();
  if (batch_.has_odd_buffers()) diverted.note_odd_buffers();
  pipelines_.diverted->run(diverted, exits_, mode);
  diverted.received(0);  // What was noted of these packets is no news of the next ones.
}

void Worker::send_for_housekeeper() noexcept {
  // It has frames for the underlay only.
  AnyPipeline* pipeline =
      pipelines_.by_role[static_cast<std::size_t>(contract::PortRole::underlay)].get();
  if (pipeline == nullptr) return;
  while (!batch_.full()) {
    FrameRing::Frame frame = from_housekeeper_.pop();
    if (!frame.mbuf) break;
    batch_.push(frame.mbuf.release(),
                {.out_port = frame.port, .in_port = frame.port, .trace_slot = no_trace});
  }
  exits_.created(batch_.size());
  pipeline->send(batch_, exits_);
}

Mode Worker::choose_mode() noexcept {
  if (tracer_.active()) [[unlikely]] {  // Traces are asked for by hand.
    tracer_.begin(batch_, environment_.generation);
    return Mode::observed;
  }
  if (bursts_until_sample_-- == 0) [[unlikely]] {  // Once in 256 bursts.
    bursts_until_sample_ = bursts_per_sample - 1;
    return Mode::observed;
  }
  return Mode::fast;
}

Egress::Sent Worker::send(base::PortId port, std::span<rte_mbuf*> frames) noexcept {
  Port* target = current_->ports[port.value];
  if (target == nullptr) return {.port_present = false, .count = 0};
  // Every worker has a tx queue of its own, with its own number, on every port.
  return {.port_present = true, .count = dp::send(*target, base::QueueId{id_.value}, frames)};
}

// A product and a count in a line of its own, once a turn.
void Worker::count_gap(std::uint64_t started) noexcept {
  if (turned_at_ != 0) {
    // A product of more cycles, seconds' worth, may not fit; it ends in the last position.
    const std::uint64_t cycles = std::min(started - turned_at_, std::uint64_t{1} << 34);
    const std::size_t slot = contract::gap_slot(cycles * quarters_us_per_cycle_ >> 32);
    contract::add(contract::worker_gaps(environment_.counters).turns_by_gap[slot], 1);
  }
  turned_at_ = started;
}

void Worker::publish(std::uint32_t frames, std::uint64_t started) noexcept {
  contract::WorkerTotals& totals = exits_.totals();
  ++totals.turns;
  if (frames == 0) {
    ++totals.turns_empty;
  } else {
    totals.busy_cycles += rte_rdtsc() - started;
  }
  totals.held = exits_.count_held();
  totals.generation = environment_.generation;
  exits_.publish();
}

}  // namespace dp
