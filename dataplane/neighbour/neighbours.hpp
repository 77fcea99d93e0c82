// SPDX-License-Identifier: Apache-2.0
// Who has which MAC at the other end of our ports, and what we answer when asked for ours: ARP and
// neighbour discovery as one state machine. It knows no thread, clock or port: time and frames are
// passed in, what is to be sent and told is taken out. Only what is configured has a place here, so
// no flood of frames makes it grow.
//
//   an address of ours:  tentative ──probes unanswered──► usable ──claimed by others──► defended
//                            └────────claimed by others──► duplicate ──a minute later──► tentative
//   a next hop:  incomplete ──told──► reachable ──half a minute──► probed ──told──► reachable
//                     ▲                                              │
//                     └───────────no answer to six questions─────────┘      MAC in use: ▔▔▔▔▔▔▔▔▔
#pragma once

#include "dataplane/contract/event.hpp"
#include "dataplane/neighbour/bucket.hpp"
#include "dataplane/neighbour/message.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace dp {

// All in nanoseconds; a README's decision says why these and not the RFCs'.
struct NeighbourTiming {
  std::uint64_t claim_interval = 200'000'000;       // Between probes for an address of ours.
  std::uint64_t announce_interval = 2'000'000'000;  // RFC 5227 §1.1.
  std::uint64_t defend_interval = 10'000'000'000;   // RFC 5227 §1.1.
  std::uint64_t claim_again = 60'000'000'000;       // RFC 5227 §1.1, RATE_LIMIT_INTERVAL.
  std::uint64_t ask_first = 250'000'000;            // Doubles up to ask_last.
  std::uint64_t ask_last = 16'000'000'000;
  std::uint64_t reachable = 30'000'000'000;      // RFC 4861 §10; each time half to one and a half.
  std::uint64_t probe_interval = 1'000'000'000;  // RFC 4861 §10, RETRANS_TIMER.
  std::uint64_t settle = 1'000'000'000;  // After a MAC is learned, none but an answer changes it.
};

struct NeighbourEvent {
  using Kind = contract::NeighbourNews;
  Kind kind;
  base::PortId port;
  base::IpAddress address;
  base::MacAddress mac;     // The new one; in a conflict the other one. Zero: none.
  base::MacAddress before;  // Of a next hop.
};

// What is known of one place, for people.
struct NeighbourView {
  base::PortId port;
  base::IpAddress address;
  bool own;     // An address of ours; else a next hop.
  bool usable;  // Its MAC is known; or it is answered for.
  std::string_view state;
  base::MacAddress mac;  // Zero: not known.
  std::uint64_t since_ns;
  // Since it was configured.
  std::uint64_t moves;
  std::uint64_t losses;
  std::uint64_t conflicts;
  std::uint64_t duplicates;

  friend bool operator==(const NeighbourView&, const NeighbourView&) = default;
};

struct NeighbourCounters {
  std::uint64_t received = 0;
  std::uint64_t solicitations_sent = 0;
  std::uint64_t advertisements_sent = 0;  // Answers and announcements.
  std::uint64_t answers_limited = 0;      // Not sent: asked too often.
  std::uint64_t claims_limited = 0;       // Unasked claims not honoured: too many.
  std::uint64_t moves = 0;
  std::uint64_t losses = 0;
  std::uint64_t conflicts = 0;
  std::uint64_t duplicates = 0;
  std::array<std::uint64_t, neighbour_fault_count> faults{};
};

class Neighbours {
 public:
  // `seed` spreads the timers of many gateways.
  explicit Neighbours(std::uint64_t seed, NeighbourTiming timing = {}) noexcept
      : timing_(timing), random_(seed | 1) {}

  // What is configured; all of it may be said again, and what is the same goes on undisturbed.
  // A port first, then what is at it.
  void set_port(base::PortId port, const base::MacAddress& mac, std::uint64_t now);
  void remove_port(base::PortId port);
  // After a link comes up, what was believed before may have changed.
  void link_up(base::PortId port, std::uint64_t now);
  void own(base::PortId port, const base::IpAddress& address, std::uint8_t prefix_bits,
           std::uint64_t now);
  void disown(base::PortId port, const base::IpAddress& address);
  void want(base::PortId port, const base::IpAddress& address, std::uint64_t now);
  void forget(base::PortId port, const base::IpAddress& address);

  // nullopt: it was understood.
  std::optional<NeighbourFault> receive(base::PortId port, std::span<const std::uint8_t> frame,
                                        std::uint64_t now);
  // Does what is due, some at a time, and says when to come again; UINT64_MAX: not before something
  // else happens.
  std::uint64_t poll(std::uint64_t now);

  // What has gathered since the last call.
  std::vector<NeighbourFrame> take_frames() noexcept { return std::exchange(frames_, {}); }
  std::vector<NeighbourEvent> take_events() noexcept { return std::exchange(events_, {}); }

  enum class ClaimState : std::uint8_t { tentative, usable, duplicate };
  enum class NextHopState : std::uint8_t { incomplete, reachable, probed };
  std::optional<ClaimState> claim(base::PortId port, const base::IpAddress& address) const;
  struct NextHopView {
    NextHopState state;
    base::MacAddress mac;  // Zero while incomplete.
  };
  std::optional<NextHopView> next_hop(base::PortId port, const base::IpAddress& address) const;
  void for_each(const std::function<void(const NeighbourView&)>& visit) const;
  const NeighbourCounters& counters() const noexcept { return counters_; }

 private:
  struct Key {
    base::PortId port;
    base::IpAddress address;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  // By deadline; the object that a key names carries the same deadline, 0: none.
  using Timers = std::set<std::pair<std::uint64_t, Key>>;

  struct PortState {
    base::MacAddress mac;
    TokenBucket solicitations{
        1000};  // 1,000 next hops are asked for at once, then as many a second.
    TokenBucket answers{1000};
    TokenBucket answers_to_next_hops{1000};
    TokenBucket claims{100};  // Unasked; a router that moves tells us some at once.
  };
  struct Claim {
    ClaimState state = ClaimState::tentative;
    std::uint8_t prefix_bits = 0;
    bool configured = false;  // Else a link-local address that the port needs for itself.
    std::uint8_t probes_sent = 0;
    std::uint8_t announcements_left = 0;
    std::uint64_t defended_ns = 0;  // 0: never.
    std::uint64_t since_ns = 0;     // Of its state.
    std::uint64_t conflicts = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t deadline = 0;
  };
  struct NextHop {
    NextHopState state = NextHopState::incomplete;
    base::MacAddress mac{};
    std::uint8_t asked = 0;  // Questions without an answer.
    std::uint8_t moves = 0;  // Unasked, since moves_since_ns.
    std::uint64_t moves_since_ns = 0;
    std::uint64_t learned_ns = 0;
    std::uint64_t since_ns = 0;  // Of its MAC, or of having none.
    std::uint64_t moved = 0;     // Asked or unasked, ever.
    std::uint64_t losses = 0;
    std::uint64_t conflicts = 0;
    std::uint64_t doubted_ns = 0;  // When another MAC was last refused; 0: never.
    std::uint64_t deadline = 0;
  };
  using Claims = std::map<Key, Claim>;
  using NextHops = std::map<Key, NextHop>;

  template <class Object>
  static void schedule(Timers& timers, const Key& key, Object& object, std::uint64_t deadline);
  // Between half of it and one and a half.
  std::uint64_t spread(std::uint64_t ns) noexcept;

  // claims.cpp: addresses of ours.
  void need_link_local(base::PortId port, std::uint64_t now);
  void add_claim(const Key& key, Claim claim, std::uint64_t now);
  void advance(const Key& key, Claim& claim, std::uint64_t now);
  void announce(const Key& key, const PortState& port);
  bool judge_claims(base::PortId port, const NeighbourMessage& message, std::uint64_t now);
  void meet_rival(const Key& key, Claim& claim, const NeighbourMessage& message, std::uint64_t now);
  void answer(base::PortId port_id, PortState& port, const NeighbourMessage& message,
              std::uint64_t now);
  // The address to ask for `target` from: nullopt while there is none.
  std::optional<base::IpAddress> source_for(const Key& target) const;

  // next_hops.cpp
  void advance(const Key& key, NextHop& next_hop, std::uint64_t now);
  void ask(const Key& key, NextHop& next_hop, std::uint64_t now);
  void ask_again_soon(base::PortId port, std::uint64_t now);
  void learn(base::PortId port_id, PortState& port, const NeighbourMessage& message,
             std::uint64_t now);
  void take_answer(const Key& key, NextHop& next_hop, const NeighbourMessage& message,
                   std::uint64_t now);
  void take_claim(const Key& key, NextHop& next_hop, PortState& port,
                  const NeighbourMessage& message, std::uint64_t now);
  bool may_move(NextHop& next_hop, std::uint64_t now) const noexcept;
  void set_mac(const Key& key, NextHop& next_hop, const base::MacAddress& mac, std::uint64_t now);
  void tell(NeighbourEvent::Kind kind, const Key& key, const base::MacAddress& mac,
            const base::MacAddress& before = {});

  NeighbourTiming timing_;
  std::uint64_t random_;
  std::map<base::PortId, PortState> ports_;
  Claims claims_;
  Timers claim_timers_;
  NextHops next_hops_;
  Timers next_hop_timers_;
  std::vector<NeighbourFrame> frames_;
  std::vector<NeighbourEvent> events_;
  NeighbourCounters counters_;
};

template <class Object>
void Neighbours::schedule(Timers& timers, const Key& key, Object& object, std::uint64_t deadline) {
  if (object.deadline != 0) timers.erase({object.deadline, key});
  object.deadline = deadline;
  if (deadline != 0) timers.emplace(deadline, key);
}

}  // namespace dp
