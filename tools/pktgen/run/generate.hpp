// SPDX-License-Identifier: Apache-2.0
// The generator at a port, and the receiver behind all of them.
#pragma once

#include "drivers/port.hpp"
#include "tools/pktgen/generate/generator.hpp"
#include "tools/pktgen/measure/clock.hpp"
#include "tools/pktgen/receive/receiver.hpp"
#include "tools/pktgen/run/pace.hpp"
#include "tools/pktgen/run/traffic.hpp"

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace pktgen {

class GeneratedTraffic final : public Traffic {
 public:
  struct Parts {
    dp::Port* out;  // nullptr: sends nothing.
    rte_mempool& pool;
    const Clock& clock;
    bool listens;
  };
  // All of `parts` outlive it.
  GeneratedTraffic(const Profile& profile, const Parts& parts);
  ~GeneratedTraffic() override;
  GeneratedTraffic(const GeneratedTraffic&) = delete;
  GeneratedTraffic& operator=(const GeneratedTraffic&) = delete;

  bool poll(Time now) override;
  void take(std::span<const std::uint8_t> frame, std::size_t port, Time now) override;
  Time next_due() const override;
  bool is_done(Time) const override { return stopped_ && waiting_ == 0; }
  void stop() override { stopped_ = true; }
  Sums sums() const override;
  void close_second(Second& second) override;
  void conclude(Result& result) override;

  std::uint16_t longest_frame() const noexcept { return mix_.longest(); }
  std::uint64_t frames_sent() const noexcept { return sent_.frames; }

 private:
  void make_burst(Time now) noexcept;
  void count(std::uint8_t opcode, std::uint16_t bytes) noexcept;
  void list_flows(Result& result) const;

  Profile profile_;
  Parts parts_;
  Mix mix_;
  Generator generator_;
  std::optional<Receiver> receiver_;
  Pace pace_;
  SendCounters sent_;
  bool stopped_ = false;
  // Made, and not yet taken by the port: from `first_waiting_` on.
  std::array<rte_mbuf*, dp::burst_max> burst_{};
  std::uint16_t first_waiting_ = 0;
  std::uint16_t waiting_ = 0;
  std::vector<std::uint64_t> bytes_before_;  // Of each queue pair, at the last second's end.
};

}  // namespace pktgen
