// SPDX-License-Identifier: Apache-2.0
// The loop of a run: send what is due, listen, sleep until something is. One thread.
#pragma once

#include "drivers/port.hpp"
#include "tools/pktgen/measure/clock.hpp"
#include "tools/pktgen/run/traffic.hpp"

#include <cstdint>
#include <functional>
#include <span>

namespace pktgen {

// A port and how many queues of it are to be read: some devices have more than were asked for.
struct ListenedPort {
  dp::Port* port;
  std::uint16_t rx_queues;
};

struct RunConfig {
  std::uint32_t seconds;
  std::uint32_t drain_ms;
  bool spin;
  int stop;  // A descriptor that is readable when the run shall end.
  std::function<void(const Second&)> each_second;
  // Between sending and listening: what carries frames where no port does. Told when all are sent.
  std::function<void(bool all_sent)> carry;
  std::function<void(Time)> sleep;  // Where time is simulated.
};

// Fills the series, how the run ended, and what `traffic` has to say.
void run(Traffic& traffic, std::span<const ListenedPort> listened_to, const Clock& clock,
         const RunConfig& config, Result& result);

}  // namespace pktgen
