// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/messages.hpp"

#include <algorithm>
#include <numeric>

namespace pktgen {

bool has_payload(MessageKind kind) noexcept {
  switch (kind) {
    case MessageKind::write:
    case MessageKind::write_imm:
    case MessageKind::send:
    case MessageKind::send_imm:
    case MessageKind::uc_send:
    case MessageKind::uc_write:
    case MessageKind::ud_send: return true;
    case MessageKind::read:
    case MessageKind::compare_swap:
    case MessageKind::fetch_add:
    case MessageKind::ack:
    case MessageKind::cnp: return false;
  }
  __builtin_unreachable();
}

std::uint64_t packets_of(const Profile& profile, const MixEntry& entry) noexcept {
  if (!has_payload(entry.operation)) return 1;
  return std::max<std::uint64_t>(1, (entry.bytes + profile.pmtu - 1u) / profile.pmtu);
}

std::uint32_t shares_divisor(const Profile& profile) noexcept {
  std::uint32_t divisor = 0;
  for (const MixEntry& entry : profile.mix) divisor = std::gcd(divisor, entry.share);
  return std::max(divisor, 1u);
}

std::uint64_t slot_count(const Profile& profile) noexcept {
  std::uint64_t slots = 0;
  const std::uint32_t divisor = shares_divisor(profile);
  for (const MixEntry& entry : profile.mix) {
    slots += entry.share / divisor * packets_of(profile, entry);
  }
  return slots;
}

}  // namespace pktgen
