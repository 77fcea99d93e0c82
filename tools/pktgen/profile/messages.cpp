// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/messages.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace pktgen {
namespace {

constexpr std::array transports{Transport::rc, Transport::uc, Transport::ud};

std::uint32_t divisor_of(std::span<const std::uint32_t> shares) noexcept {
  std::uint32_t divisor = 0;
  for (const std::uint32_t share : shares) divisor = std::gcd(divisor, share);
  return std::max(divisor, 1u);
}

std::uint64_t packets_of(std::uint32_t bytes, std::uint16_t pmtu) noexcept {
  return std::max<std::uint64_t>(1, (std::uint64_t{bytes} + pmtu - 1u) / pmtu);
}

}  // namespace

bool has_payload(MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::write:
    case MessageKind::write_imm:
    case MessageKind::send:
    case MessageKind::send_imm:
    case MessageKind::send_invalidate:
    case MessageKind::read_response:
    case MessageKind::uc_send:
    case MessageKind::uc_send_imm:
    case MessageKind::uc_write:
    case MessageKind::uc_write_imm:
    case MessageKind::ud_send:
    case MessageKind::ud_send_imm: return true;
    case MessageKind::read:
    case MessageKind::compare_swap:
    case MessageKind::fetch_add:
    case MessageKind::atomic_write:  // Its eight bytes are always the same.
    case MessageKind::flush:
    case MessageKind::ack:
    case MessageKind::atomic_ack:
    case MessageKind::cnp: return false;
  }
  __builtin_unreachable();
}

bool has_size(MessageKind kind) noexcept {
  return has_payload(kind) || kind == MessageKind::read || kind == MessageKind::flush;
}

bool is_asked_for(MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::send_invalidate:
    case MessageKind::atomic_write:
    case MessageKind::flush:
    case MessageKind::ack:
    case MessageKind::read_response:
    case MessageKind::atomic_ack:
    case MessageKind::cnp: return false;
    default: return true;
  }
}

Transport transport_of(MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::uc_send:
    case MessageKind::uc_send_imm:
    case MessageKind::uc_write:
    case MessageKind::uc_write_imm: return Transport::uc;
    case MessageKind::ud_send:
    case MessageKind::ud_send_imm: return Transport::ud;
    default: return Transport::rc;
  }
}

std::uint64_t packets_of(const Profile& profile, const MixEntry& entry) noexcept {
  return has_payload(entry.operation) ? packets_of(entry.bytes, profile.pmtu) : 1;
}

std::uint64_t psns_of(const Profile& profile, const MixEntry& entry) noexcept {
  const bool takes_more = has_payload(entry.operation) || entry.operation == MessageKind::read;
  return takes_more ? packets_of(entry.bytes, profile.pmtu) : 1;
}

std::vector<std::uint16_t> turns_of(std::span<const std::uint32_t> shares) {
  // Each turn all gain their share, and the richest pays for it.
  const std::uint32_t divisor = divisor_of(shares);
  const auto all = static_cast<std::int64_t>(
      std::accumulate(shares.begin(), shares.end(), std::uint64_t{0}) / divisor);
  std::vector<std::int64_t> credit(shares.size());
  std::vector<std::uint16_t> turns;
  for (std::int64_t turn = 0; turn < all; ++turn) {
    for (std::size_t i = 0; i < credit.size(); ++i) credit[i] += shares[i] / divisor;
    const auto richest = std::ranges::max_element(credit);
    *richest -= all;
    turns.push_back(static_cast<std::uint16_t>(richest - credit.begin()));
  }
  return turns;
}

std::vector<std::uint32_t> shares_of(const Profile& profile) {
  std::vector<std::uint32_t> shares;
  for (const MixEntry& entry : profile.mix) shares.push_back(entry.share);
  return shares;
}

std::vector<Transport> transports_in_turn(const Profile& profile) {
  std::array<std::uint32_t, transports.size()> shares{};
  for (const MixEntry& entry : profile.mix) {
    const auto place = std::ranges::find(transports, transport_of(entry.operation));
    shares[static_cast<std::size_t>(place - transports.begin())] += entry.share;
  }
  std::vector<Transport> all;
  for (const std::uint16_t turn : turns_of(shares)) all.push_back(transports[turn]);
  return all;
}

std::uint64_t slot_count(const Profile& profile) noexcept {
  std::uint64_t slots = 0;
  std::uint32_t divisor = 0;
  for (const MixEntry& entry : profile.mix) divisor = std::gcd(divisor, entry.share);
  for (const MixEntry& entry : profile.mix) {
    const std::uint64_t packets = profile.mode == Mode::generate ? packets_of(profile, entry) : 1;
    slots += entry.share / std::max(divisor, 1u) * packets;
  }
  return slots;
}

}  // namespace pktgen
