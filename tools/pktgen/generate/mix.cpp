// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/generate/mix.hpp"

#include "tools/pktgen/profile/messages.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace pktgen {
namespace {

// Where the packet stands in its message.
enum class Part : std::uint8_t { only, first, middle, last };

// Of the four parts of a message.
struct Opcodes {
  Transport transport;
  Operation only, first, middle, last;
};

Opcodes sends(Transport transport) noexcept {
  using enum Operation;
  return {transport, send_only, send_first, send_middle, send_last};
}
Opcodes writes(Transport transport) noexcept {
  using enum Operation;
  return {transport, write_only, write_first, write_middle, write_last};
}
// What comes with its last packet.
Opcodes ending_in(Opcodes opcodes, Operation only, Operation last) noexcept {
  opcodes.only = only;
  opcodes.last = last;
  return opcodes;
}
Opcodes alone(Operation only) noexcept {
  return {Transport::rc, only, only, only, only};
}

Opcodes opcodes_of(MessageKind kind) noexcept {
  using enum Operation;
  const Transport transport = transport_of(kind);
  switch (kind) {
    case MessageKind::write:
    case MessageKind::uc_write: return writes(transport);
    case MessageKind::write_imm:
    case MessageKind::uc_write_imm:
      return ending_in(writes(transport), write_only_immediate, write_last_immediate);
    case MessageKind::send:
    case MessageKind::uc_send:
    case MessageKind::ud_send: return sends(transport);
    case MessageKind::send_imm:
    case MessageKind::uc_send_imm:
    case MessageKind::ud_send_imm:
      return ending_in(sends(transport), send_only_immediate, send_last_immediate);
    case MessageKind::send_invalidate:
      return ending_in(sends(transport), send_only_invalidate, send_last_invalidate);
    case MessageKind::read_response:
      return {transport, read_response_only, read_response_first, read_response_middle,
              read_response_last};
    case MessageKind::read: return alone(read_request);
    case MessageKind::compare_swap: return alone(compare_swap);
    case MessageKind::fetch_add: return alone(fetch_add);
    case MessageKind::atomic_write: return alone(atomic_write);
    case MessageKind::flush: return alone(flush);
    case MessageKind::ack: return alone(acknowledge);
    case MessageKind::atomic_ack: return alone(atomic_acknowledge);
    case MessageKind::cnp: break;
  }
  __builtin_unreachable();
}

std::uint8_t opcode_of(MessageKind kind, Part part) noexcept {
  if (kind == MessageKind::cnp) return cnp_opcode;
  const Opcodes opcodes = opcodes_of(kind);
  const Operation parts[] = {opcodes.only, opcodes.first, opcodes.middle, opcodes.last};
  return pktgen::opcode_of(opcodes.transport, parts[static_cast<std::size_t>(part)]);
}

// The last packet of each request on a reliable connection asks for an answer.
bool wants_ack(std::uint8_t opcode) noexcept {
  using enum Operation;
  if (transport_bits(opcode) != static_cast<unsigned>(Transport::rc)) return false;
  if (series_of(opcode) != Series::requests) return false;
  switch (operation_of(opcode)) {
    case send_first:
    case send_middle:
    case write_first:
    case write_middle: return false;
    default: return true;
  }
}

constexpr std::uint32_t atomic_write_bytes = 8;

class Builder {
 public:
  explicit Builder(const Profile& profile) : profile_(profile) {
    payload_.resize(profile.pmtu);
    for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<std::uint8_t>(i);
    if (profile.tunnel.present) {
      const TunnelProfile& tunnel = profile.tunnel;
      // RFC 6040 §4.1, normal mode: the outer ECN field is the inner one.
      tunnel_ = Tunnel{.source_mac = tunnel.source_mac,
                       .destination_mac = tunnel.destination_mac,
                       .source = tunnel.source,
                       .destination = tunnel.destination,
                       .vni = tunnel.vni};
    }
  }

  void add_message(const MixEntry& entry) {
    mix_.starts.push_back(static_cast<std::uint32_t>(mix_.slots.size()));
    const std::uint64_t packets = packets_of(profile_, entry);
    std::uint32_t left = has_payload(entry.operation)                   ? entry.bytes
                         : entry.operation == MessageKind::atomic_write ? atomic_write_bytes
                                                                        : 0;
    for (std::uint64_t i = 0; i < packets; ++i) {
      const std::uint32_t bytes = std::min<std::uint32_t>(left, profile_.pmtu);
      left -= bytes;
      const Part part = packets == 1       ? Part::only
                        : i == 0           ? Part::first
                        : i == packets - 1 ? Part::last
                                           : Part::middle;
      add_packet(entry, opcode_of(entry.operation, part), bytes);
    }
  }

  Mix take() {
    for (std::size_t series = 0; series < counted_series; ++series) {
      auto& before = mix_.before[series];
      before.push_back(0);
      for (const Slot& slot : mix_.slots) {
        const bool counts = static_cast<std::size_t>(slot.series) == series;
        before.push_back(before.back() + (counts ? slot.psns : 0u));
      }
    }
    return std::move(mix_);
  }

 private:
  std::uint8_t tos_of(bool is_cnp) const noexcept {
    const MarkingProfile& marking = profile_.marking;
    return static_cast<std::uint8_t>((is_cnp ? marking.cnp_dscp : marking.dscp) << 2 |
                                     static_cast<unsigned>(marking.ecn));
  }

  void add_packet(const MixEntry& entry, std::uint8_t opcode, std::uint32_t bytes) {
    // The length of a message stands in its RETH only.
    const bool has_reth = (extensions_of(opcode) & extension::reth) != 0;
    const auto key = std::tuple(opcode, bytes, has_reth ? entry.bytes : 0);
    const auto [found, is_new] =
        known_.try_emplace(key, static_cast<std::uint16_t>(mix_.frames.size()));
    if (is_new) {
      mix_.frames.push_back(make_frame(entry, opcode, bytes));
      mix_.opcodes.push_back(opcode);
    }
    const std::uint64_t psns = entry.operation == MessageKind::read ? psns_of(profile_, entry) : 1;
    mix_.slots.push_back({.frame = found->second,
                          .series = series_of(opcode),
                          .psns = static_cast<std::uint16_t>(psns)});
  }

  FrameTemplate make_frame(const MixEntry& entry, std::uint8_t opcode, std::uint32_t bytes) const {
    const bool is_cnp = opcode == cnp_opcode;
    const AddressesProfile& addresses = profile_.addresses;
    const Path path{.source_mac = addresses.source_mac,
                    .destination_mac = addresses.destination_mac,
                    .source = addresses.source,
                    .destination = addresses.destination,
                    .tos = tos_of(is_cnp)};
    RocePacket packet{.opcode = opcode, .wants_ack = wants_ack(opcode), .becn = is_cnp};
    const bool is_atomic_write = entry.operation == MessageKind::atomic_write;
    packet.reth = {.address = 0x1000'0000,
                   .key = 0x1234,
                   .bytes = is_atomic_write ? atomic_write_bytes : entry.bytes};
    packet.aeth = {.syndrome = syndrome::ack | syndrome::ack_without_credits, .msn = 0};
    packet.deth = {.key = 0x1111'1111, .source_qp = profile_.flows.first_qp};
    packet.atomic = {.address = 0x1000'0000, .key = 0x1234, .swap_or_add = 1, .compare = 0};
    packet.invalidated_key = 0x1234;
    packet.flush_types = 1;  // To global visibility.
    packet.payload = std::span(payload_).first(bytes);
    std::optional<Tunnel> tunnel = tunnel_;
    if (tunnel) tunnel->tos = path.tos;
    return {path, packet, tunnel};
  }

  const Profile& profile_;
  std::vector<std::uint8_t> payload_;
  std::optional<Tunnel> tunnel_;
  Mix mix_;
  std::map<std::tuple<std::uint8_t, std::uint32_t, std::uint32_t>, std::uint16_t> known_;
};

}  // namespace

std::uint16_t Mix::longest() const noexcept {
  std::uint16_t longest = 0;
  for (const FrameTemplate& frame : frames) longest = std::max(longest, frame.bytes());
  return longest;
}

double Mix::mean_bytes() const noexcept {
  double sum = 0;
  for (const Slot& slot : slots) sum += frames[slot.frame].bytes();
  return sum / static_cast<double>(slots.size());
}

std::uint32_t psns_of(const RocePacket& packet, std::uint16_t pmtu) noexcept {
  if (packet.opcode != pktgen::opcode_of(Transport::rc, Operation::read_request)) return 1;
  return packet.reth.bytes == 0 ? 1 : (packet.reth.bytes - 1) / pmtu + 1;
}

Mix make_mix(const Profile& profile) {
  Builder builder(profile);
  for (const std::uint16_t turn : turns_of(shares_of(profile))) {
    builder.add_message(profile.mix[turn]);
  }
  return builder.take();
}

}  // namespace pktgen
