// SPDX-License-Identifier: Apache-2.0
// Endpoints at a port: queue pairs that are acknowledged, repaired, and slowed down by CNPs. The
// other ends are another process with the same profile and the other --side.
#pragma once

#include "drivers/port.hpp"
#include "tools/pktgen/endpoint/endpoint.hpp"
#include "tools/pktgen/measure/clock.hpp"
#include "tools/pktgen/profile/model.hpp"
#include "tools/pktgen/run/traffic.hpp"
#include "tools/pktgen/start/options.hpp"

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
  void take(std::span<const std::uint8_t> frame, Time now) override;
  Time next_due() const override;
  bool is_done(Time) const override { return stopped_; }
  void stop() override { stopped_ = true; }
  Sums sums() const override;
  void close_second(Second& second) override;
  void conclude(Result& result) override;

 private:
  // Of a queue pair, at the end of the last second.
  struct Before {
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
  };

  void data_arrived(const DataArrival& arrival) override;
  QpConfig config_of(std::uint32_t flow) const;
  bool asks() const noexcept;
  bool all_completed() const noexcept;
  FlowResult flow_of(QpIndex qp);
  EndpointsReport report() const;

  Profile profile_;
  Parts parts_;
  EndpointConfig config_;
  Endpoint endpoint_;
  PortSink sink_;
  bool stopped_ = false;
  std::uint64_t frames_taken_ = 0;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t wrong_clocks_ = 0;
  Time asked_for_completion_ = 0;
  Histogram latency_ns_;
  Histogram recent_latency_ns_;
  std::vector<Before> before_;
};

// Of both sides: data packets, as READ data and requests are.
std::uint16_t longest_frame(const Profile& profile) noexcept;

}  // namespace pktgen
