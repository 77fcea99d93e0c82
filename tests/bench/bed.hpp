// SPDX-License-Identifier: Apache-2.0
// What a stage is measured on: a gateway's real tables and counters, and RoCE frames in real mbufs,
// one for each QP, each to an endpoint of its own, in random order. The bed keeps the mbufs: what a
// pipeline sends comes back as it was for the next round.
#pragma once

#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/exits.hpp"
#include "tests/pipeline/gateway.hpp"

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

enum class Direction : std::uint8_t { encap, decap, transit };

// What the port has at which frames leave.
enum class Queueing : std::uint8_t {
  none,      // No queue.
  bypass,    // One without rate and marker.
  marker,    // One with a marker that never marks, and empty.
  standing,  // One with a rate, a marker, and always four bursts in it.
};

struct Workload {
  Direction direction;
  std::uint32_t qp_count;  // And endpoints.
  bool over_ipv6 = false;
  bool one_endpoint = false;  // All are for one, as messages of RDMA come; else each for its own.
  Queueing queueing = Queueing::none;
  std::uint16_t vtep_count = 1;  // Endpoints are at one after the other; over IPv4.
  friend auto operator<=>(const Workload&, const Workload&) = default;
};

// Without devices; `hugepages`: packet memory on them.
bool start_eal(const char* program, bool hugepages);

// Of the port at which the workload's frames arrive.
contract::PortRole role_of(Direction direction) noexcept;

class Bed final : public dp::Egress {
 public:
  explicit Bed(const Workload& workload);
  ~Bed();
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  // The next burst as a port would have received it, counted. Valid until the next call.
  dp::Batch& next_burst() noexcept;
  // What the worker does at the end of a turn, for the queue.
  void end_turn() noexcept {
    if (workload_.queueing != Queueing::none) exits_.serve_queues();
  }
  // Takes the packets of the burst back, where a pipeline has not sent them.
  void take_back(dp::Batch& batch) noexcept {
    exits_.totals().rx -= batch.size();
    batch.keep(0);
  }

  const dp::Environment& environment() const noexcept { return environment_; }
  dp::Exits& exits() noexcept { return exits_; }

  Sent send(base::PortId port, std::span<rte_mbuf*> frames) noexcept override;
  dp::EgressQueue* queue(base::PortId) noexcept override { return &queue_; }

 private:
  struct PoolDeleter {
    void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
  };

  void program();
  void finish_program();
  void make_frames();
  void program_queue();
  std::uint16_t in_port() const noexcept;

  Workload workload_;
  test::Gateway gateway_;
  dp::Environment environment_;  // The worker's, with the ingress port of every burst.
  std::unique_ptr<rte_mempool, PoolDeleter> pool_;
  dp::TraceBoard board_;
  dp::TraceRing ring_;
  dp::FrameRing punts_;
  dp::Tracer tracer_;
  dp::EgressQueue queue_;
  std::array<dp::EgressQueue*, 1> home_queues_{&queue_};
  dp::Exits exits_;
  std::uint16_t frame_bytes_ = 0;
  std::vector<rte_mbuf*> frames_;  // A multiple of burst_max.
  std::size_t next_ = 0;
  dp::Batch batch_;
};

}  // namespace bench
