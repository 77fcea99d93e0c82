// SPDX-License-Identifier: Apache-2.0
// Endpoints at a port: queue pairs that are acknowledged, repaired, and slowed down by CNPs. The
// other ends are another process with the same profile and the other --side.
#pragma once

#include "drivers/port.hpp"
#include "tools/pktgen/endpoint/endpoint.hpp"
#include "tools/pktgen/measure/clock.hpp"
#include "tools/pktgen/profile/model.hpp"
#include "tools/pktgen/run/endpoint_setup.hpp"
#include "tools/pktgen/run/traffic.hpp"

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <vector>

namespace pktgen {

// Frames in buffers of the pool, sent in bursts. What the port does not take waits.
class PortSink final : public FrameSink {
 public:
  // Both outlive it.
  PortSink(dp::Port& port, rte_mempool& pool) noexcept : port_(port), pool_(pool) {}
  ~PortSink() override;
  PortSink(const PortSink&) = delete;
  PortSink& operator=(const PortSink&) = delete;

  std::uint8_t* begin(std::size_t bytes) override;
  void send(std::uint8_t* frame, std::size_t bytes, Time now) override;
  void flush() noexcept;

  bool is_empty() const noexcept { return count_ == 0; }
  std::uint64_t frames() const noexcept { return frames_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  dp::Port& port_;
  rte_mempool& pool_;
  std::array<rte_mbuf*, dp::burst_max> burst_{};
  std::uint16_t count_ = 0;
  rte_mbuf* begun_ = nullptr;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t refused_ = 0;
};

class EndpointTraffic final : public Traffic, private Observer {
 public:
  struct Parts {
    dp::Port& port;
    rte_mempool& pool;
    const Clock& clock;
    Side side;
  };
  // All of `parts` outlive it.
  EndpointTraffic(const Profile& profile, const Parts& parts);

  bool poll(Time now) override;
  void take(std::span<const std::uint8_t> frame, std::size_t port, Time now) override;
  Time next_due() const override;
  bool is_done(Time) const override { return stopped_; }
  // Connections of RDMA-CM are closed first.
  void stop() override;
  Sums sums() const override;
  void close_second(Second& second) override;
  void conclude(Result& result) override;

  const Endpoint& endpoint() const noexcept { return endpoint_; }
  const std::vector<Work>& works(Transport transport) const noexcept;
  // Where in them a queue pair begins.
  std::size_t first_work(QpIndex qp) const noexcept;
  bool asks() const noexcept;
  // Whether it is closing its connections, or has done so.
  bool is_ending() const noexcept { return stopped_ || closes_; }
  // Nothing more is asked from here; seen some time later.
  bool has_asked_all() const noexcept { return has_asked_all_; }

 private:
  // Of a queue pair, at the end of the last second.
  struct Before {
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
  };

  void data_arrived(const DataArrival& arrival) override;
  void qp_accepted(QpIndex qp) override;
  void make_qps(Time now);
  void post(QpIndex qp);
  void renew_receives(Time now);
  void look_whether_it_is_over(Time now);
  bool all_completed() const noexcept;
  Time silence() const noexcept;
  bool is_connected_by_cm() const noexcept {
    return profile_.endpoints.connect == Connect::rdma_cm;
  }
  std::uint64_t open_connections() const noexcept;
  FlowResult flow_of(QpIndex qp);
  EndpointsReport report() const;

  Profile profile_;
  Parts parts_;
  EndpointConfig config_;
  std::array<std::vector<Work>, 3> works_;  // By transport.
  Endpoint endpoint_;
  PortSink sink_;
  bool stopped_ = false;
  bool closes_ = false;
  bool has_asked_all_ = false;
  std::uint64_t frames_taken_ = 0;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t wrong_clocks_ = 0;
  Time last_taken_ = 0;
  Time looked_ = 0;
  Time receives_renewed_ = 0;
  Time all_closed_since_ = never;
  Histogram latency_ns_;
  Histogram recent_latency_ns_;
  std::vector<Before> before_;
};

}  // namespace pktgen
