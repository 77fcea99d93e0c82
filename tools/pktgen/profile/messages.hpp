// SPDX-License-Identifier: Apache-2.0
// What the messages of a mix are to RoCEv2: their transport, how many frames and PSNs they take,
// and in which order they come.
#pragma once

#include "tools/pktgen/profile/model.hpp"
#include "tools/pktgen/roce/opcode.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace pktgen {

// Whether its frames carry the message's bytes.
bool has_payload(MessageKind kind) noexcept;
// Whether the profile says how many bytes it is about.
bool has_size(MessageKind kind) noexcept;
// What endpoints may be asked for; the rest they make by themselves, or only the generator knows.
bool is_asked_for(MessageKind kind) noexcept;
Transport transport_of(MessageKind kind) noexcept;

// Frames of a message, and PSNs that it takes: a READ takes those of its answer.
std::uint64_t packets_of(const Profile& profile, const MixEntry& entry) noexcept;
std::uint64_t psns_of(const Profile& profile, const MixEntry& entry) noexcept;
// Of a generated READ at most: a receiver tells what was overtaken up to 64 PSNs back.
inline constexpr std::uint64_t read_packets_max = 16;

// Smooth weighted round robin: indices, each as often as its share of their common divisor says.
std::vector<std::uint16_t> turns_of(std::span<const std::uint32_t> shares);
std::vector<std::uint32_t> shares_of(const Profile& profile);

// Mode endpoints: each queue pair is of the next of these, and does the entries of its transport.
std::vector<Transport> transports_in_turn(const Profile& profile);

// Frames, or messages in mode endpoints, until the mix begins anew: a list in memory, which this
// bounds.
std::uint64_t slot_count(const Profile& profile) noexcept;
inline constexpr std::uint64_t slot_count_max = 65'536;

}  // namespace pktgen
