// SPDX-License-Identifier: Apache-2.0
// Next hops: asked for from the moment they are wanted, asked again before what is known grows old,
// so that one that is there is never unknown. RFC 4861 §7.3 without its lazy states: what is
// configured counts as in use.
#include "dataplane/neighbour/neighbours.hpp"

#include <algorithm>

namespace dp {
namespace {

// RFC 4861 §10, MAX_UNICAST_SOLICIT and MAX_MULTICAST_SOLICIT: first the one that had it is asked,
// then all, while the old MAC stays in use (RFC 7048 §3).
constexpr std::uint8_t unicast_questions = 3;
constexpr std::uint8_t questions_max = 6;
// More often than that within as many seconds it is no move but two that fight.
constexpr std::uint8_t moves_max = 3;
constexpr std::uint64_t moves_within_ns = 10'000'000'000;

}  // namespace

void Neighbours::advance(const Key& key, NextHop& next_hop, std::uint64_t now) {
  switch (next_hop.state) {
    case NextHopState::reachable:
      next_hop.state = NextHopState::probed;
      next_hop.asked = 0;
      break;
    case NextHopState::probed:
      if (next_hop.asked < questions_max) break;
      ++counters_.losses;
      ++next_hop.losses;
      next_hop.since_ns = now;
      tell(NeighbourEvent::Kind::next_hop_lost, key, {}, next_hop.mac);
      next_hop.state = NextHopState::incomplete;
      next_hop.mac = {};
      next_hop.asked = 0;
      break;
    case NextHopState::incomplete: break;
  }
  ask(key, next_hop, now);
}

void Neighbours::ask(const Key& key, NextHop& next_hop, std::uint64_t now) {
  PortState& port = ports_.at(key.port);
  const bool probed = next_hop.state == NextHopState::probed;
  const auto source = source_for(key);
  if (source && !port.solicitations.take(now)) {
    schedule(next_hop_timers_, key, next_hop, now + timing_.ask_first);
    return;
  }
  std::uint64_t wait = timing_.probe_interval;
  if (!probed) {
    // 30 doublings pass any limit; the bound keeps the shift defined.
    wait = std::min(timing_.ask_first << std::min<unsigned>(next_hop.asked, 30U), timing_.ask_last);
  }
  schedule(next_hop_timers_, key, next_hop, now + spread(wait));
  if (!source) return;  // Asked for as soon as there is one.
  const bool to_one = probed && next_hop.asked < unicast_questions;
  if (next_hop.asked < UINT8_MAX) ++next_hop.asked;
  frames_.push_back(write_solicitation({.port = key.port,
                                        .our_mac = port.mac,
                                        .our_address = *source,
                                        .target = key.address,
                                        .to = to_one ? next_hop.mac : base::MacAddress{}}));
  ++counters_.solicitations_sent;
}

void Neighbours::ask_again_soon(base::PortId port, std::uint64_t now) {
  for (auto entry = next_hops_.lower_bound({port, {}});
       entry != next_hops_.end() && entry->first.port == port; ++entry) {
    auto& [key, next_hop] = *entry;
    if (next_hop.state == NextHopState::incomplete) next_hop.asked = 0;
    schedule(next_hop_timers_, key, next_hop, now);
  }
}

void Neighbours::learn(base::PortId port_id, PortState& port, const NeighbourMessage& message,
                       std::uint64_t now) {
  const auto found = next_hops_.find({port_id, message.claimed});
  if (found == next_hops_.end()) return;
  auto& [key, next_hop] = *found;
  const bool asked = next_hop.asked > 0 && next_hop.state != NextHopState::reachable;
  if (message.solicited && asked) {
    take_answer(key, next_hop, message, now);
  } else if (!message.mac.is_zero()) {
    take_claim(key, next_hop, port, message, now);
  }
}

void Neighbours::take_answer(const Key& key, NextHop& next_hop, const NeighbourMessage& message,
                             std::uint64_t now) {
  const bool tells = !message.mac.is_zero() && message.mac != next_hop.mac;
  if (next_hop.state == NextHopState::incomplete) {
    if (!tells) return;  // RFC 4861 §7.2.5: nothing to resolve it with.
  } else if (tells && !message.overrides) {
    return;  // A proxy's: the one that had it may still answer.
  }
  if (tells) set_mac(key, next_hop, message.mac, now);
  next_hop.state = NextHopState::reachable;
  next_hop.asked = 0;
  schedule(next_hop_timers_, key, next_hop, now + spread(timing_.reachable));
}

// Not asked for: believed within limits, and then asked for at once.
void Neighbours::take_claim(const Key& key, NextHop& next_hop, PortState& port,
                            const NeighbourMessage& message, std::uint64_t now) {
  const bool known = next_hop.state != NextHopState::incomplete;
  if (known && message.mac == next_hop.mac) return;
  if (!port.claims.take(now)) {
    ++counters_.claims_limited;
    return;
  }
  if (!known || (message.overrides && may_move(next_hop, now))) {
    set_mac(key, next_hop, message.mac, now);
  } else if (next_hop.doubted_ns != 0 && now - next_hop.doubted_ns < moves_within_ns) {
    return;
  } else {
    next_hop.doubted_ns = now;
    // Without the flag it is a proxy's offer (RFC 4861 §7.2.8), which harms nobody.
    if (message.overrides) {
      ++counters_.conflicts;
      ++next_hop.conflicts;
      tell(NeighbourEvent::Kind::next_hop_conflict, key, message.mac, next_hop.mac);
    }
  }
  next_hop.state = NextHopState::probed;
  next_hop.asked = 0;
  ask(key, next_hop, now);
}

bool Neighbours::may_move(NextHop& next_hop, std::uint64_t now) const noexcept {
  if (now - next_hop.learned_ns < timing_.settle) return false;
  if (now - next_hop.moves_since_ns >= moves_within_ns) {
    next_hop.moves_since_ns = now;
    next_hop.moves = 0;
  }
  if (next_hop.moves == moves_max) return false;
  ++next_hop.moves;
  return true;
}

void Neighbours::set_mac(const Key& key, NextHop& next_hop, const base::MacAddress& mac,
                         std::uint64_t now) {
  const bool moved = next_hop.state != NextHopState::incomplete;
  if (moved) {
    ++counters_.moves;
    ++next_hop.moved;
  }
  next_hop.since_ns = now;
  tell(moved ? NeighbourEvent::Kind::next_hop_moved : NeighbourEvent::Kind::next_hop_resolved, key,
       mac, next_hop.mac);
  next_hop.mac = mac;
  next_hop.learned_ns = now;
}

}  // namespace dp
