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

// The four parts of a message have the opcodes of their operation; immediate data comes last.
std::uint8_t opcode_of(MessageKind kind, Part part) noexcept {
  using enum Operation;
  const auto choose = [&](Transport transport, Operation only, Operation first, Operation middle,
                          Operation last) {
    const Operation parts[] = {only, first, middle, last};
    return pktgen::opcode_of(transport, parts[static_cast<std::size_t>(part)]);
  };
  const auto rc = Transport::rc;
  switch (kind) {
    case MessageKind::write: return choose(rc, write_only, write_first, write_middle, write_last);
    case MessageKind::write_imm:
      return choose(rc, write_only_immediate, write_first, write_middle, write_last_immediate);
    case MessageKind::send: return choose(rc, send_only, send_first, send_middle, send_last);
    case MessageKind::send_imm:
      return choose(rc, send_only_immediate, send_first, send_middle, send_last_immediate);
    case MessageKind::uc_send:
      return choose(Transport::uc, send_only, send_first, send_middle, send_last);
    case MessageKind::uc_write:
      return choose(Transport::uc, write_only, write_first, write_middle, write_last);
    case MessageKind::ud_send: return pktgen::opcode_of(Transport::ud, send_only);
    case MessageKind::read: return pktgen::opcode_of(rc, read_request);
    case MessageKind::compare_swap: return pktgen::opcode_of(rc, compare_swap);
    case MessageKind::fetch_add: return pktgen::opcode_of(rc, fetch_add);
    case MessageKind::ack: return pktgen::opcode_of(rc, acknowledge);
    case MessageKind::cnp: return cnp_opcode;
  }
  __builtin_unreachable();
}

// The last packet of each request on a reliable connection asks for an answer.
bool wants_ack(std::uint8_t opcode) noexcept {
  using enum Operation;
  if (transport_bits(opcode) != static_cast<unsigned>(Transport::rc)) return false;
  switch (operation_of(opcode)) {
    case send_last:
    case send_last_immediate:
    case send_only:
    case send_only_immediate:
    case write_last:
    case write_last_immediate:
    case write_only:
    case write_only_immediate:
    case read_request:
    case compare_swap:
    case fetch_add: return true;
    default: return false;
  }
}

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
    std::uint32_t left = has_payload(entry.operation) ? entry.bytes : 0;
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
        before.push_back(before.back() + (static_cast<std::size_t>(slot.series) == series ? 1 : 0));
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
    mix_.slots.push_back({.frame = found->second, .series = series_of(opcode)});
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
    packet.reth = {.address = 0x1000'0000, .key = 0x1234, .bytes = entry.bytes};
    packet.aeth = {.syndrome = syndrome::ack | syndrome::ack_without_credits, .msn = 0};
    packet.deth = {.key = 0x1111'1111, .source_qp = profile_.flows.first_qp};
    packet.atomic = {.address = 0x1000'0000, .key = 0x1234, .swap_or_add = 1, .compare = 0};
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

Mix make_mix(const Profile& profile) {
  // Smooth weighted round robin: each turn all gain their share, and the richest pays for it.
  Builder builder(profile);
  const std::uint32_t divisor = shares_divisor(profile);
  std::int64_t messages = 0;
  for (const MixEntry& entry : profile.mix) messages += entry.share / divisor;
  std::vector<std::int64_t> credit(profile.mix.size());
  for (std::int64_t turn = 0; turn < messages; ++turn) {
    for (std::size_t i = 0; i < credit.size(); ++i) credit[i] += profile.mix[i].share / divisor;
    const auto richest = std::ranges::max_element(credit);
    *richest -= messages;
    builder.add_message(profile.mix[static_cast<std::size_t>(richest - credit.begin())]);
  }
  return builder.take();
}

}  // namespace pktgen
