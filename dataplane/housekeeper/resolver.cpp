// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/resolver.hpp"

#include "dataplane/housekeeper/publish.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

namespace dp {
namespace {

// Rings hold 256 frames; and so late is an answer.
constexpr std::uint64_t look_interval_ns = 5'000'000;
// Per ring and turn: some 50 us.
constexpr int frames_per_turn = 64;
// A neighbour message with more options than that is refused as truncated.
constexpr std::uint32_t frame_bytes_max = 2048;

constexpr std::uint64_t bit(std::uint32_t port) noexcept {
  return std::uint64_t{1} << port;
}

}  // namespace

Resolver::Resolver(const Model& model, const Ports& ports, const Parts& parts)
    : model_(model), ports_(ports), parts_(parts), neighbours_(parts.seed) {}

// At an interface that is shared with the kernel, ARP and neighbour discovery are the kernel's.
bool Resolver::serves(std::uint32_t port) const noexcept {
  const auto& config = model_.port(port);
  const Ports::Seen* seen = ports_.seen(port);
  return config.present && config.record.set.role == contract::PortRole::underlay &&
         seen != nullptr && !contract::to_view(seen->facts.driver).starts_with("xdp");
}

void Resolver::own_addresses(base::PortId port, std::set<Place>& owned, std::uint64_t now) {
  for (std::uint32_t id = 1; id < model_.vtep_slots(); ++id) {
    const auto& vtep = model_.vtep(id);
    if (!vtep.present || vtep.record.kind != contract::VtepKind::local) continue;
    if (vtep.record.port != port) continue;
    const base::IpAddress& address = vtep.record.address;
    neighbours_.own(port, address, address.is_v4() ? 32 : 128, now);
    owned.emplace(port, address);
  }
}

void Resolver::configure() {
  const std::uint64_t now = monotonic_ns();
  std::uint64_t served = 0;
  std::set<Place> owned;
  for (std::uint32_t id = 0; id < model_.port_slots(); ++id) {
    if (!serves(id)) continue;
    const base::PortId port{static_cast<std::uint16_t>(id)};
    served |= bit(id);
    neighbours_.set_port(port, ports_.seen(id)->facts.mac, now);
    own_addresses(port, owned, now);
  }
  for (const Place& place : owned_) {
    if (!owned.contains(place)) neighbours_.disown(place.first, place.second);
  }
  for (std::uint32_t id = 0; id < model_.port_slots(); ++id) {
    if ((served_ & ~served & bit(id)) == 0) continue;
    neighbours_.remove_port(base::PortId{static_cast<std::uint16_t>(id)});
  }
  served_ = served;
  owned_ = std::move(owned);
  next_ns_ = now;
}

void Resolver::look_at_ports() {
  const std::uint64_t now = monotonic_ns();
  for (std::uint32_t id = 0; id < contract::port_count_max; ++id) {
    const Ports::Seen* seen = (served_ & bit(id)) != 0 ? ports_.seen(id) : nullptr;
    if (seen == nullptr) continue;
    const base::PortId port{static_cast<std::uint16_t>(id)};
    neighbours_.set_port(port, seen->facts.mac, now);
    const bool is_up = seen->observation.link.up;
    if (is_up && (links_up_ & bit(id)) == 0) {
      neighbours_.link_up(port, now);
      next_ns_ = now;
    }
    links_up_ = is_up ? links_up_ | bit(id) : links_up_ & ~bit(id);
  }
}

void Resolver::turn() {
  const std::uint64_t now = monotonic_ns();
  for (FrameRings* rings : parts_.rings) receive(rings->to_housekeeper, now);
  if (now >= next_ns_) next_ns_ = neighbours_.poll(now);
  for (const NeighbourFrame& frame : neighbours_.take_frames()) {
    // Nobody would hear it, and a TAP that is down refuses it; link_up() begins anew.
    if ((links_up_ & bit(frame.port.value)) == 0) continue;
    if (!send(frame)) ++unsent_;
  }
}

void Resolver::receive(FrameRing& ring, std::uint64_t now) {
  for (int i = 0; i < frames_per_turn; ++i) {
    const FrameRing::Frame frame = ring.pop();
    if (!frame.mbuf) return;
    std::array<std::uint8_t, frame_bytes_max> copy;
    const std::uint32_t bytes = std::min(frame.mbuf->pkt_len, frame_bytes_max);
    const void* data = rte_pktmbuf_read(frame.mbuf.get(), 0, bytes, copy.data());
    // Counted by its fault, where it has one.
    (void)neighbours_.receive(frame.port, {static_cast<const std::uint8_t*>(data), bytes}, now);
    next_ns_ = now;  // It may have changed what is due.
  }
}

// Always by the same worker for a port, so that frames keep their order.
bool Resolver::send(const NeighbourFrame& frame) noexcept {
  if (parts_.rings.empty()) return false;
  OwnedMbuf mbuf(rte_pktmbuf_alloc(&parts_.pool));
  if (!mbuf) return false;
  char* room = rte_pktmbuf_append(mbuf.get(), frame.length);
  if (room == nullptr) return false;
  std::memcpy(room, frame.bytes.data(), frame.length);
  FrameRings& rings = *parts_.rings[frame.port.value % parts_.rings.size()];
  if (!rings.from_housekeeper.push(mbuf.get(), frame.port)) return false;
  (void)mbuf.release();
  return true;
}

std::uint64_t Resolver::wait_ns(std::uint64_t now) const noexcept {
  if (served_ == 0) return std::numeric_limits<std::uint64_t>::max();
  return std::min(next_ns_ > now ? next_ns_ - now : 0, look_interval_ns);
}

}  // namespace dp
