// SPDX-License-Identifier: Apache-2.0
// Addresses of ours: whether somebody has one already (RFC 5227 §2.1, RFC 4862 §5.4), telling
// everybody that it is ours, answering for it, and what to do when another one claims it too.
#include "dataplane/neighbour/neighbours.hpp"

#include <algorithm>

namespace dp {
namespace {

constexpr std::uint8_t probe_count = 3;         // RFC 5227 §1.1, PROBE_NUM.
constexpr std::uint8_t announcement_count = 2;  // RFC 5227 §1.1, ANNOUNCE_NUM.
constexpr std::uint8_t link_local_bits = 64;

// Whether the first `bits` of both are equal; of IPv4 in its mapped form, as prefixes are counted
// within the family.
bool same_prefix(const base::IpAddress& a, const base::IpAddress& b, unsigned bits) noexcept {
  if (a.is_v4() != b.is_v4()) return false;
  bits += a.is_v4() ? 96 : 0;
  for (std::size_t i = 0; i < a.v6.bytes.size() && bits > 0; ++i) {
    const unsigned here = std::min(bits, 8U);
    const unsigned mask = 0xffU << (8 - here) & 0xffU;
    if (((a.v6.bytes[i] ^ b.v6.bytes[i]) & mask) != 0) return false;
    bits -= here;
  }
  return true;
}

}  // namespace

void Neighbours::need_link_local(base::PortId port, std::uint64_t now) {
  const auto found = ports_.find(port);
  if (found == ports_.end()) return;
  add_claim({port, link_local_address(found->second.mac)}, {.prefix_bits = link_local_bits}, now);
}

void Neighbours::add_claim(const Key& key, Claim claim, std::uint64_t now) {
  const auto [entry, is_new] = claims_.try_emplace(key, claim);
  if (!is_new) {
    entry->second.prefix_bits = claim.prefix_bits;
    entry->second.configured |= claim.configured;
    return;
  }
  entry->second.since_ns = now;
  schedule(claim_timers_, key, entry->second, now);
}

void Neighbours::advance(const Key& key, Claim& claim, std::uint64_t now) {
  const PortState& port = ports_.at(key.port);
  if (claim.state == ClaimState::duplicate) {
    claim = {.prefix_bits = claim.prefix_bits,
             .configured = claim.configured,
             .since_ns = now,
             .conflicts = claim.conflicts,
             .duplicates = claim.duplicates};
  }
  if (claim.state == ClaimState::tentative && claim.probes_sent < probe_count) {
    ++claim.probes_sent;
    frames_.push_back(write_solicitation({.port = key.port,
                                          .our_mac = port.mac,
                                          .our_address = unspecified(key.address),
                                          .target = key.address,
                                          .to = {}}));
    ++counters_.solicitations_sent;
    schedule(claim_timers_, key, claim, now + spread(timing_.claim_interval));
    return;
  }
  if (claim.state == ClaimState::tentative) {
    claim.state = ClaimState::usable;
    claim.since_ns = now;
    claim.announcements_left = announcement_count;
    tell(NeighbourEvent::Kind::address_usable, key, port.mac);
    // Some have waited for an address to ask from.
    ask_again_soon(key.port, now);
  }
  if (claim.announcements_left == 0) return;
  announce(key, port);
  if (--claim.announcements_left > 0) {
    schedule(claim_timers_, key, claim, now + timing_.announce_interval);
  }
}

void Neighbours::announce(const Key& key, const PortState& port) {
  frames_.push_back(write_advertisement({.port = key.port,
                                         .our_mac = port.mac,
                                         .our_address = key.address,
                                         .to_address = unspecified(key.address),
                                         .to = {}}));
  ++counters_.advertisements_sent;
}

// True where the message is about an address of ours, and so about no next hop.
bool Neighbours::judge_claims(base::PortId port, const NeighbourMessage& message,
                              std::uint64_t now) {
  const auto claimed = claims_.find({port, message.claimed});
  if (claimed != claims_.end() && !message.is_probe) {
    meet_rival(claimed->first, claimed->second, message, now);
    return true;
  }
  if (!message.is_probe) return false;
  // Somebody looks at the same time as we whether the address is free: then neither may have it.
  const auto probed = claims_.find({port, message.asked});
  if (probed != claims_.end() && probed->second.state == ClaimState::tentative) {
    meet_rival(probed->first, probed->second, message, now);
  }
  return true;
}

void Neighbours::meet_rival(const Key& key, Claim& claim, const NeighbourMessage& message,
                            std::uint64_t now) {
  const base::MacAddress rival = message.mac.is_zero() ? message.frame_source : message.mac;
  if (claim.state == ClaimState::duplicate) return;
  if (claim.state == ClaimState::tentative) {
    claim.state = ClaimState::duplicate;
    claim.since_ns = now;
    ++claim.duplicates;
    ++counters_.duplicates;
    tell(NeighbourEvent::Kind::address_duplicate, key, rival);
    schedule(claim_timers_, key, claim, now + spread(timing_.claim_again));
    return;
  }
  // RFC 5227 §2.4 (c): a gateway does not give up what it carries traffic with; it defends itself
  // once in a while, so that two of them do not fight at full rate.
  if (claim.defended_ns != 0 && now - claim.defended_ns < timing_.defend_interval) return;
  claim.defended_ns = now;
  ++claim.conflicts;
  ++counters_.conflicts;
  tell(NeighbourEvent::Kind::address_conflict, key, rival);
  announce(key, ports_.at(key.port));
}

void Neighbours::answer(base::PortId port_id, PortState& port, const NeighbourMessage& message,
                        std::uint64_t now) {
  const auto found = claims_.find({port_id, message.asked});
  if (found == claims_.end() || found->second.state != ClaimState::usable) return;
  // Whom our frames go to must know us, whoever else asks.
  const auto asking = next_hops_.find({port_id, message.claimed});
  const bool by_next_hop = asking != next_hops_.end() && !asking->second.mac.is_zero() &&
                           asking->second.mac == message.mac;
  if (!(by_next_hop ? port.answers_to_next_hops : port.answers).take(now)) {
    ++counters_.answers_limited;
    return;
  }
  Advertisement answer{.port = port_id,
                       .our_mac = port.mac,
                       .our_address = message.asked,
                       .to_address = message.asked_from,
                       .to = message.mac.is_zero() ? message.frame_source : message.mac};
  // RFC 4861 §7.2.4: whoever has no address yet is told as all are. ARP knows its MAC all the same.
  if (message.is_probe && !message.asked.is_v4()) answer.to = {};
  frames_.push_back(write_advertisement(answer));
  ++counters_.advertisements_sent;
}

std::optional<base::IpAddress> Neighbours::source_for(const Key& target) const {
  std::optional<base::IpAddress> any;
  for (auto entry = claims_.lower_bound({target.port, {}});
       entry != claims_.end() && entry->first.port == target.port; ++entry) {
    const auto& [key, claim] = *entry;
    if (claim.state != ClaimState::usable || key.address.is_v4() != target.address.is_v4()) {
      continue;
    }
    if (same_prefix(key.address, target.address, claim.prefix_bits)) return key.address;
    any = key.address;
  }
  return any;
}

}  // namespace dp
