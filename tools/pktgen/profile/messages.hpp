// SPDX-License-Identifier: Apache-2.0
// How many frames the messages of a mix are.
#pragma once

#include "tools/pktgen/profile/model.hpp"

#include <cstdint>

namespace pktgen {

// Whether its frames carry the message's bytes.
bool has_payload(MessageKind kind) noexcept;
std::uint64_t packets_of(const Profile& profile, const MixEntry& entry) noexcept;
// By which all shares can be divided; at least 1.
std::uint32_t shares_divisor(const Profile& profile) noexcept;

// Frames until the mix begins anew. Its slots are a list in memory, which this bounds.
std::uint64_t slot_count(const Profile& profile) noexcept;
inline constexpr std::uint64_t slot_count_max = 16'384;

}  // namespace pktgen
