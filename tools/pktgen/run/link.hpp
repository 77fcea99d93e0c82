// SPDX-License-Identifier: Apache-2.0
// The self test's wire: takes what a memory port was sent, does some of it harm, remembers what,
// and offers the rest to a memory port. What a receiver finds must be exactly this.
#pragma once

#include "drivers/memory/port.hpp"
#include "tools/pktgen/report/result.hpp"
#include "tools/pktgen/roce/parse.hpp"
#include "tools/pktgen/start/options.hpp"

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <span>
#include <utility>

namespace pktgen {

// What a frame is to whom it is for.
struct Carried {
  enum class Kind : std::uint8_t { data, answer, cnp, management };
  static constexpr std::size_t kinds = 4;

  Kind kind = Kind::data;
  std::uint32_t psns = 1;   // That are missing when it is.
  bool is_stamped = false;  // It can be missed by its own number.
  bool may_wait = false;    // And be overtaken by the next of its queue pair and kind.
};
// Of generated frames, and of those between endpoints.
Carried carried_by_generator(const RocePacket& packet, std::uint16_t pmtu) noexcept;
Carried carried_by_endpoints(const RocePacket& packet, std::uint16_t pmtu) noexcept;

class LossyLink {
 public:
  struct Parts {
    dp::MemoryPort& from;
    dp::MemoryPort& to;  // May be the same.
    LinkChances chances;
    std::uint64_t seed;
    std::uint16_t pmtu;
    Carried (*judge)(const RocePacket& packet, std::uint16_t pmtu) noexcept;
    Time latency = 0;
  };
  // What was done to frames of a kind.
  struct Deeds {
    std::uint64_t lost = 0;
    std::uint64_t lost_psns = 0;  // Damaged ones among them.
    std::uint64_t lost_stamped = 0;
    std::uint64_t damaged = 0;
    std::uint64_t repeated = 0;
    std::uint64_t repeated_stamped = 0;
    std::uint64_t delayed = 0;
    std::uint64_t delayed_stamped = 0;  // By a stamped one.
    std::uint64_t marked = 0;

    // Of so many that were sent, those that came whole.
    std::uint64_t left_of(std::uint64_t sent) const noexcept {
      return sent - lost - damaged + repeated;
    }
  };

  // The ports outlive it.
  explicit LossyLink(const Parts& parts) : parts_(parts), random_(parts.seed) {}
  ~LossyLink();
  LossyLink(const LossyLink&) = delete;
  LossyLink& operator=(const LossyLink&) = delete;

  void carry(Time now);
  // What waits for a frame that overtakes it waits no more.
  void flush();
  bool is_empty() const noexcept { return held_.empty() && under_way_.empty(); }

  const Deeds& deeds(Carried::Kind kind) const noexcept {
    return deeds_[static_cast<std::size_t>(kind)];
  }
  // Messages of UC that cannot have come whole and in order; of UD each frame is a message.
  std::uint64_t uc_messages_hit() const noexcept { return hit_.size(); }
  const Deeds& ud() const noexcept { return ud_; }
  std::uint64_t frames() const noexcept { return frames_; }

 private:
  using Key = std::pair<std::uint32_t, Carried::Kind>;  // Queue pair; whose order can be told.
  struct Held {
    rte_mbuf* mbuf;
    Carried what;
    std::uint64_t message;  // UC: which of its queue pair.
  };

  bool happens(std::uint32_t chance) { return random_() % 1000 < chance; }
  Deeds& deeds_of(const Carried& what) noexcept {
    return deeds_[static_cast<std::size_t>(what.kind)];
  }
  void carry_one(rte_mbuf* mbuf);
  void carry_whole(rte_mbuf* mbuf, const RocePacket& packet, const Carried& what);
  void overtake(const Key& key, const Carried& by);
  // Whether it is lost or damaged, which is the same to its message.
  bool harm(rte_mbuf* mbuf, const RocePacket& packet, const Carried& what);
  void note_message(const RocePacket& packet);
  void deliver(rte_mbuf* mbuf);
  static bool mark(rte_mbuf& mbuf);

  Parts parts_;
  std::mt19937 random_;
  Time now_ = 0;
  std::uint64_t frames_ = 0;
  std::map<Key, Held> held_;
  std::map<std::uint32_t, std::uint64_t> messages_;        // UC: how many of each queue pair,
  std::set<std::pair<std::uint32_t, std::uint64_t>> hit_;  // and which of them suffered.
  std::deque<std::pair<Time, rte_mbuf*>> under_way_;
  std::array<Deeds, Carried::kinds> deeds_{};
  Deeds ud_;  // Of its data, which is in deeds_ as well.
};

// The sums of what links did, for the result.
LinkReport report_of(std::span<const LossyLink* const> links);
// Where what a generator and its receiver counted is not what was done.
void compare(const LossyLink& link, const Sums& sums, LinkReport& report);
void compare(const char* what, std::uint64_t made, std::uint64_t found, LinkReport& report);

}  // namespace pktgen
