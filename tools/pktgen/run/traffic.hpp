// SPDX-License-Identifier: Apache-2.0
// What a run does with its ports: the generator and its receiver, or endpoints. The loop in run.hpp
// knows no more of either.
#pragma once

#include "tools/pktgen/report/result.hpp"
#include "tools/pktgen/roce/stamp.hpp"

#include <cstdint>
#include <span>

namespace pktgen {

class Traffic {
 public:
  virtual ~Traffic() = default;

  // Sends what is due. True where it sent anything, or could not and wants to be asked again soon.
  virtual bool poll(Time now) = 0;
  // One frame that came at the port of that number.
  virtual void take(std::span<const std::uint8_t> frame, std::size_t port, Time now) = 0;
  // When poll() has something to do next; `never` where it has not.
  virtual Time next_due() const = 0;
  // Nothing more will be sent.
  virtual bool is_done(Time now) const = 0;
  // No more is to be sent: the time is over, or somebody pressed Ctrl-C.
  virtual void stop() = 0;

  // Sums so far, for the series and the progress line.
  virtual Sums sums() const = 0;
  // Of one second: what is no difference of sums.
  virtual void close_second(Second& second) = 0;
  virtual void conclude(Result& result) = 0;
};

}  // namespace pktgen
