// SPDX-License-Identifier: Apache-2.0
// The self test of endpoints: both ends in one process, over links that do harm, in simulated time.
// Each message has to be complete in the end, or to be one that was hit where nothing repairs it.
#pragma once

#include "tools/pktgen/run/endpoints.hpp"
#include "tools/pktgen/run/link.hpp"

#include <array>

namespace pktgen {

class BothEnds final : public Traffic {
 public:
  struct Parts {
    std::array<dp::Port*, 2> ports;  // Memory ports: left, right.
    rte_mempool& pool;
    const Clock& clock;
    LinkChances chances;
  };
  // All of `parts` outlive it.
  BothEnds(const Profile& profile, const Parts& parts);

  bool poll(Time now) override;
  void take(std::span<const std::uint8_t> frame, std::size_t port, Time now) override;
  Time next_due() const override;
  bool is_done(Time now) const override;
  void stop() override;
  Sums sums() const override;
  void close_second(Second& second) override;
  // With what was done to the frames, and where that is not what was found.
  void conclude(Result& result) override;

 private:
  // One direction.
  struct Way {
    const EndpointTraffic& from;
    const EndpointTraffic& to;
    const LossyLink& link;
  };

  void carry(Time now);
  void compare_frames(const Way& way, LinkReport& report) const;
  void compare_messages(const Way& way, LinkReport& report) const;

  Profile profile_;
  std::array<EndpointTraffic, 2> ends_;
  std::array<LossyLink, 2> links_;  // By the end whose frames they carry.
};

}  // namespace pktgen
