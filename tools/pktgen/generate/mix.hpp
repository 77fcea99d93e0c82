// SPDX-License-Identifier: Apache-2.0
// The frames that a queue pair is sent, in order: the messages of a profile's mix in their shares,
// cut at the path MTU. Queue pairs walk through it again and again, each from a start of its own.
#pragma once

#include "tools/pktgen/generate/frame_template.hpp"
#include "tools/pktgen/profile/model.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace pktgen {

// Packet sequence numbers count on in each by itself; CNPs have none. Answers have those of the
// other side's requests, one each where these are single packets.
enum class Series : std::uint8_t { requests, answers, none };
inline constexpr std::size_t counted_series = 2;

constexpr Series series_of(std::uint8_t opcode) noexcept {
  if (opcode == cnp_opcode) return Series::none;
  if (transport_bits(opcode) != static_cast<unsigned>(Transport::rc)) return Series::requests;
  const Operation operation = operation_of(opcode);
  const bool answers =
      operation >= Operation::read_response_first && operation <= Operation::atomic_acknowledge;
  return answers ? Series::answers : Series::requests;
}

// A READ takes the PSNs of its answer.
std::uint32_t psns_of(const RocePacket& packet, std::uint16_t pmtu) noexcept;

struct Slot {
  std::uint16_t frame;  // In Mix::frames.
  Series series;
  std::uint16_t psns = 1;
};

struct Mix {
  std::vector<FrameTemplate> frames;
  std::vector<std::uint8_t> opcodes;  // Of `frames`.
  std::vector<Slot> slots;
  std::vector<std::uint32_t> starts;  // Slots in which messages begin.
  // PSNs of a series in the slots before each, and after the last in all.
  std::array<std::vector<std::uint32_t>, counted_series> before;

  std::uint16_t longest() const noexcept;
  double mean_bytes() const noexcept;
};

// The profile has been found right.
Mix make_mix(const Profile& profile);

}  // namespace pktgen
