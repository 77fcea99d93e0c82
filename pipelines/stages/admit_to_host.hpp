// SPDX-License-Identifier: Apache-2.0
// admit_to_host: of which class is a frame for the host itself, and has that class come slowly
// enough? Then it goes to the port's twin. Each worker polices what it sees of each port: its rate
// is exact for one flow, and all workers together let through so many times as much.
#pragma once

#include "dataplane/contract/host_class.hpp"
#include "dataplane/pipeline/environment.hpp"
#include "dataplane/pipeline/rate_limit.hpp"
#include "dataplane/pipeline/stage.hpp"

#include <array>
#include <cstdint>

namespace dp {

// Of a parsed frame. What lies behind IPv6 extension headers is not looked for.
contract::HostClass host_class_of(Packet packet) noexcept;

class AdmitToHost {
 public:
  static constexpr StageInfo info{.name = "admit_to_host",
                                  .needs = {Fact::parsed},
                                  // A twin has no VLAN: its peer's tag is off by now.
                                  .sets = {Fact::destination, Fact::finished, Fact::tagged},
                                  .may_drop = {DropReason::host_refused, DropReason::host_policed,
                                               DropReason::mtu_exceeded, DropReason::port_missing}};

  explicit AdmitToHost(const Environment& environment) noexcept;

  Verdict handle(Packet packet) noexcept;

 private:
  struct Limit {
    bool drops = false;
    RateLimit rate;

    friend bool operator==(const Limit&, const Limit&) = default;
  };

  void learn_limits() noexcept;
  Limit limit_of(contract::HostClass host_class) const noexcept;

  const Environment& environment_;
  std::uint64_t cycles_per_second_;
  base::Generation generation_ = 0;  // Of limits_; 0: none.
  std::array<Limit, contract::host_class_count> limits_{};
  // When each bucket is full again, TSC.
  std::array<std::array<std::uint64_t, contract::host_class_count>, contract::port_count_max>
      full_at_{};
};

}  // namespace dp
