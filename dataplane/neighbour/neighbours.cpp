// SPDX-License-Identifier: Apache-2.0
// What is configured, what comes in, what is due. The two state machines stand in claims.cpp and
// next_hops.cpp.
#include "dataplane/neighbour/neighbours.hpp"

#include <algorithm>
#include <limits>

namespace dp {
namespace {

// Questions and announcements at once: about 100 us of the housekeeper's time.
constexpr int per_poll_max = 128;

}  // namespace

std::uint64_t Neighbours::spread(std::uint64_t ns) noexcept {
  // xorshift64: no secret, only not in step with others.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return ns / 2 + random_ % (ns + 1);
}

void Neighbours::tell(NeighbourEvent::Kind kind, const Key& key, const base::MacAddress& mac,
                      const base::MacAddress& before) {
  events_.push_back(
      {.kind = kind, .port = key.port, .address = key.address, .mac = mac, .before = before});
}

void Neighbours::set_port(base::PortId port, const base::MacAddress& mac, std::uint64_t now) {
  const auto [entry, is_new] = ports_.try_emplace(port, PortState{.mac = mac});
  if (is_new || entry->second.mac == mac) return;
  // Another device: its link-local address is another one, and all have to learn the MAC.
  const Key old_link_local{port, link_local_address(entry->second.mac)};
  entry->second.mac = mac;
  const auto claim = claims_.find(old_link_local);
  if (claim != claims_.end() && !claim->second.configured) {
    disown(port, old_link_local.address);
    need_link_local(port, now);
  }
  link_up(port, now);
}

void Neighbours::remove_port(base::PortId port) {
  ports_.erase(port);
  const auto is_there = [port](const auto& entry) {
    return entry.first.port == port;
  };
  const auto is_due_there = [port](const auto& entry) {
    return entry.second.port == port;
  };
  std::erase_if(claims_, is_there);
  std::erase_if(next_hops_, is_there);
  std::erase_if(claim_timers_, is_due_there);
  std::erase_if(next_hop_timers_, is_due_there);
}

void Neighbours::link_up(base::PortId port, std::uint64_t now) {
  for (auto& [key, claim] : claims_) {
    if (key.port != port) continue;
    if (claim.state == ClaimState::usable) {
      claim.announcements_left = 2;
    } else {
      claim.state = ClaimState::tentative;
      claim.probes_sent = 0;  // Those before the link came up reached nobody.
    }
    schedule(claim_timers_, key, claim, now);
  }
  ask_again_soon(port, now);
}

void Neighbours::own(base::PortId port, const base::IpAddress& address, std::uint8_t prefix_bits,
                     std::uint64_t now) {
  if (!ports_.contains(port)) return;
  if (!address.is_v4()) need_link_local(port, now);
  add_claim({port, address}, {.prefix_bits = prefix_bits, .configured = true}, now);
}

void Neighbours::disown(base::PortId port, const base::IpAddress& address) {
  const auto found = claims_.find({port, address});
  if (found == claims_.end()) return;
  schedule(claim_timers_, found->first, found->second, 0);
  claims_.erase(found);
}

void Neighbours::want(base::PortId port, const base::IpAddress& address, std::uint64_t now) {
  if (!ports_.contains(port)) return;
  if (!address.is_v4()) need_link_local(port, now);
  const auto [entry, is_new] = next_hops_.try_emplace({port, address});
  if (!is_new) return;
  entry->second.since_ns = now;
  schedule(next_hop_timers_, entry->first, entry->second, now);
}

void Neighbours::forget(base::PortId port, const base::IpAddress& address) {
  const auto found = next_hops_.find({port, address});
  if (found == next_hops_.end()) return;
  schedule(next_hop_timers_, found->first, found->second, 0);
  next_hops_.erase(found);
}

std::optional<NeighbourFault> Neighbours::receive(base::PortId port,
                                                  std::span<const std::uint8_t> frame,
                                                  std::uint64_t now) {
  ++counters_.received;
  const auto fault = [&](NeighbourFault one) {
    ++counters_.faults[static_cast<std::size_t>(one)];
    return std::optional(one);
  };
  const auto entry = ports_.find(port);
  if (entry == ports_.end()) return fault(NeighbourFault::port_without_neighbours);
  const auto message = parse_neighbour(frame);
  if (!message) return fault(message.error());

  PortState& state = entry->second;
  // What we sent ourselves comes back: a bridge loops, or two ports of ours are on one link.
  for (const auto& [other, ours] : ports_) {
    if (message->frame_source == ours.mac || message->mac == ours.mac) return std::nullopt;
  }
  if (!judge_claims(port, *message, now)) learn(port, state, *message, now);
  if (message->kind == NeighbourMessage::Kind::solicitation) answer(port, state, *message, now);
  return std::nullopt;
}

std::uint64_t Neighbours::poll(std::uint64_t now) {
  int left = per_poll_max;
  const auto run = [&](Timers& timers, auto& objects) {
    while (!timers.empty() && timers.begin()->first <= now && left-- > 0) {
      const Key key = timers.begin()->second;
      auto& object = objects.find(key)->second;
      schedule(timers, key, object, 0);
      advance(key, object, now);
    }
    return timers.empty() ? std::numeric_limits<std::uint64_t>::max() : timers.begin()->first;
  };
  // Claims first: a next hop may wait for an address to ask from.
  const std::uint64_t claim = run(claim_timers_, claims_);
  return std::min(claim, run(next_hop_timers_, next_hops_));
}

std::optional<Neighbours::ClaimState> Neighbours::claim(base::PortId port,
                                                        const base::IpAddress& address) const {
  const auto found = claims_.find({port, address});
  if (found == claims_.end()) return std::nullopt;
  return found->second.state;
}

std::optional<Neighbours::NextHopView> Neighbours::next_hop(base::PortId port,
                                                            const base::IpAddress& address) const {
  const auto found = next_hops_.find({port, address});
  if (found == next_hops_.end()) return std::nullopt;
  return NextHopView{.state = found->second.state, .mac = found->second.mac};
}

namespace {

constexpr std::string_view name(Neighbours::ClaimState state) noexcept {
  switch (state) {
    case Neighbours::ClaimState::tentative: return "tentative";
    case Neighbours::ClaimState::usable: return "usable";
    case Neighbours::ClaimState::duplicate: return "duplicate";
  }
  return {};
}

constexpr std::string_view name(Neighbours::NextHopState state) noexcept {
  switch (state) {
    case Neighbours::NextHopState::incomplete: return "incomplete";
    case Neighbours::NextHopState::reachable: return "reachable";
    case Neighbours::NextHopState::probed: return "probed";
  }
  return {};
}

}  // namespace

void Neighbours::for_each(const std::function<void(const NeighbourView&)>& visit) const {
  for (const auto& [key, claim] : claims_) {
    visit({.port = key.port,
           .address = key.address,
           .own = true,
           .usable = claim.state == ClaimState::usable,
           .state = name(claim.state),
           .mac = ports_.at(key.port).mac,
           .since_ns = claim.since_ns,
           .moves = 0,
           .losses = 0,
           .conflicts = claim.conflicts,
           .duplicates = claim.duplicates});
  }
  for (const auto& [key, next_hop] : next_hops_) {
    visit({.port = key.port,
           .address = key.address,
           .own = false,
           .usable = next_hop.state != NextHopState::incomplete,
           .state = name(next_hop.state),
           .mac = next_hop.mac,
           .since_ns = next_hop.since_ns,
           .moves = next_hop.moved,
           .losses = next_hop.losses,
           .conflicts = next_hop.conflicts,
           .duplicates = 0});
  }
}

}  // namespace dp
