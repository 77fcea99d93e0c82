// SPDX-License-Identifier: Apache-2.0
// The self test's wire: takes what a memory port was sent, does some of it harm, remembers what,
// and offers the rest to the same port. What a receiver finds must be exactly this.
#pragma once

#include "drivers/memory/port.hpp"
#include "tools/pktgen/generate/mix.hpp"
#include "tools/pktgen/report/result.hpp"
#include "tools/pktgen/start/options.hpp"

#include <rte_mbuf.h>

#include <cstdint>
#include <map>
#include <random>
#include <utility>

namespace pktgen {

class LossyLink {
 public:
  // `port` outlives it.
  LossyLink(dp::MemoryPort& port, const LinkChances& chances, std::uint64_t seed)
      : port_(port), chances_(chances), random_(seed) {}
  ~LossyLink();
  LossyLink(const LossyLink&) = delete;
  LossyLink& operator=(const LossyLink&) = delete;

  void carry();
  // What waits for a frame that overtakes it waits no more.
  void flush();

  // What was done, and where a finished run says otherwise.
  LinkReport report(const Sums& sums) const;

 private:
  // Whose order can be told: a series of a queue pair.
  using Key = std::pair<std::uint32_t, Series>;

  bool happens(std::uint32_t chance) { return random_() % 1000 < chance; }
  void carry_one(rte_mbuf* mbuf);
  void deliver(rte_mbuf* mbuf) { port_.offer(base::QueueId{0}, mbuf); }
  static bool mark(rte_mbuf& mbuf);

  dp::MemoryPort& port_;
  LinkChances chances_;
  std::mt19937 random_;
  std::map<Key, rte_mbuf*> held_;
  LinkReport done_;
  std::uint64_t cnps_lost_ = 0;
  std::uint64_t cnps_repeated_ = 0;
  std::uint64_t cnps_damaged_ = 0;
};

}  // namespace pktgen
