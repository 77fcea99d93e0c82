// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/resolver.hpp"

#include "dataplane/base/clock.hpp"
#include "dataplane/housekeeper/publish.hpp"
#include "dataplane/packet/vlan.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <string_view>
#include <sys/socket.h>

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

Resolver::Resolver(const Model& model, const Ports& ports, NextHops& next_hops, const Parts& parts)
    : model_(model), ports_(ports), next_hops_(next_hops), parts_(parts), neighbours_(parts.seed) {}

const Ports::Seen* Resolver::underlay(std::uint32_t port) const noexcept {
  const auto& config = model_.port(port);
  const bool is_underlay = config.present && config.record.set.role == contract::PortRole::underlay;
  return is_underlay ? ports_.seen(port) : nullptr;
}

bool Resolver::is_kernels(std::uint32_t port, const Ports::Seen& seen) const noexcept {
  return kernel_keeps(model_.port(port).record.set, seen.facts);
}

void Resolver::own_addresses(base::PortId port, Wishes& wishes, std::uint64_t now) {
  const auto own = [&](const base::IpAddress& address, unsigned bits) {
    neighbours_.own(port, address, static_cast<std::uint8_t>(bits), now);
    wishes.owned.emplace(port, address);
  };
  for (std::uint32_t id = 1; id < model_.vtep_slots(); ++id) {
    const auto& vtep = model_.vtep(id);
    if (!vtep.present || vtep.record.kind != contract::VtepKind::local) continue;
    if (vtep.record.port != port && vtep.record.port != base::no_port) continue;
    own(vtep.record.address, vtep.record.address.is_v4() ? 32 : 128);
  }
  // Behind the VTEPs', which may be the same: these say how long the prefix is.
  for (const contract::PortAddress& one : model_.port(port.value).record.set.addresses) {
    if (one.prefix_length != 0) own(one.address, one.prefix_length);
  }
}

void Resolver::want_next_hops(Wishes& wishes, std::uint64_t now) {
  for (std::uint32_t id = 1; id < model_.next_hop_slots(); ++id) {
    const auto& next_hop = model_.next_hop(id);
    if (!next_hop.present || !next_hop.record.mac.is_zero()) continue;
    const base::PortId port = next_hop.record.port;
    const Ports::Seen* seen = underlay(port.value);
    if (seen == nullptr) continue;
    if (is_kernels(port.value, *seen)) {
      const KernelNeighbours::Place place{.ifindex = seen->facts.ifindex,
                                          .address = next_hop.record.address};
      wishes.of_kernel.emplace(place, port);
      kernel_.want(place, now);
    } else {
      neighbours_.want(port, next_hop.record.address, now);
      wishes.wanted.emplace(port, next_hop.record.address);
    }
  }
}

void Resolver::give_up(const Wishes& wishes) {
  for (const Place& place : in_force_.owned) {
    if (!wishes.owned.contains(place)) neighbours_.disown(place.first, place.second);
  }
  for (const Place& place : in_force_.wanted) {
    if (!wishes.wanted.contains(place)) neighbours_.forget(place.first, place.second);
  }
  for (const auto& [place, port] : in_force_.of_kernel) {
    if (!wishes.of_kernel.contains(place)) kernel_.forget(place);
  }
  for (std::uint32_t id = 0; id < model_.port_slots(); ++id) {
    if ((in_force_.served & ~wishes.served & bit(id)) == 0) continue;
    neighbours_.remove_port(base::PortId{static_cast<std::uint16_t>(id)});
    announcements_[id] = {};
  }
}

void Resolver::forget_link(base::PortId port) {
  neighbours_.remove_port(port);
  for (const Place& place : in_force_.wanted) {
    if (place.first == port) next_hops_.learned(port, place.second, std::nullopt);
  }
}

void Resolver::configure() {
  const std::uint64_t now = base::monotonic_ns();
  Wishes wishes;
  for (std::uint32_t id = 0; id < model_.port_slots(); ++id) {
    const Ports::Seen* seen = underlay(id);
    if (seen == nullptr || is_kernels(id, *seen)) continue;
    const base::PortId port{static_cast<std::uint16_t>(id)};
    wishes.served |= bit(id);
    wishes.vlans[id] = model_.port(id).record.set.vlan;
    if (wishes.vlans[id] != in_force_.vlans[id]) forget_link(port);
    neighbours_.set_port(port, seen->facts.mac, now);
    listen_to(id, *seen);
    own_addresses(port, wishes, now);
  }
  want_next_hops(wishes, now);
  give_up(wishes);
  in_force_ = std::move(wishes);
  next_ns_ = now;
}

// What the kernel finds out, told like what we find out ourselves.
void Resolver::follow_kernel(std::uint64_t now) {
  kernel_.turn(now, [&](const KernelNeighbours::Place& place, std::optional<base::MacAddress> mac,
                        const base::MacAddress& before) {
    const auto found = in_force_.of_kernel.find(place);
    if (found == in_force_.of_kernel.end()) return;
    using Kind = NeighbourEvent::Kind;
    const Kind found_mac = before.is_zero() ? Kind::next_hop_resolved : Kind::next_hop_moved;
    of_kernel_.push_back({.kind = mac ? found_mac : Kind::next_hop_lost,
                          .port = found->second,
                          .address = place.address,
                          .mac = mac.value_or(base::MacAddress{}),
                          .before = before});
  });
}

void Resolver::for_each(const std::function<void(const NeighbourView&)>& visit) const {
  neighbours_.for_each(visit);
  for (const auto& [place, port] : in_force_.of_kernel) {
    const auto found = kernel_.wanted().find(place);
    if (found == kernel_.wanted().end()) continue;
    const KernelNeighbours::Known& known = found->second;
    visit({.port = port,
           .address = place.address,
           .own = false,
           .usable = known.mac.has_value(),
           .state = known.mac ? "reachable" : "incomplete",
           .mac = known.mac.value_or(base::MacAddress{}),
           .since_ns = known.since_ns,
           .moves = known.moves,
           .losses = known.losses,
           .conflicts = 0,
           .duplicates = 0});
  }
}

std::vector<NeighbourEvent> Resolver::take_events() {
  std::vector<NeighbourEvent> events = neighbours_.take_events();
  events.insert(events.end(), of_kernel_.begin(), of_kernel_.end());
  of_kernel_.clear();
  for (const NeighbourEvent& event : events) {
    if (event.kind == NeighbourEvent::Kind::next_hop_resolved ||
        event.kind == NeighbourEvent::Kind::next_hop_moved) {
      next_hops_.learned(event.port, event.address, event.mac);
    } else if (event.kind == NeighbourEvent::Kind::next_hop_lost) {
      next_hops_.learned(event.port, event.address, std::nullopt);
    }
  }
  return events;
}

void Resolver::follow_returned() {
  std::map<KernelNeighbours::Place, base::PortId> places;
  for (const auto& [place, port] : in_force_.of_kernel) {
    KernelNeighbours::Place here = place;
    if (const Ports::Seen* seen = ports_.seen(port.value)) here.ifindex = seen->facts.ifindex;
    places.emplace(here, port);
    if (here == place) continue;
    kernel_.forget(place);
    kernel_.want(here, base::monotonic_ns());
  }
  in_force_.of_kernel = std::move(places);
}

void Resolver::look_at_ports() {
  const std::uint64_t now = base::monotonic_ns();
  follow_returned();
  for (std::uint32_t id = 0; id < contract::port_count_max; ++id) {
    const Ports::Seen* seen = (in_force_.served & bit(id)) != 0 ? ports_.seen(id) : nullptr;
    if (seen == nullptr) continue;
    const base::PortId port{static_cast<std::uint16_t>(id)};
    neighbours_.set_port(port, seen->facts.mac, now);
    listen_to(id, *seen);
    const bool is_up = seen->observation.link.up;
    if (is_up && (links_up_ & bit(id)) == 0) {
      neighbours_.link_up(port, now);
      next_ns_ = now;
    }
    links_up_ = is_up ? links_up_ | bit(id) : links_up_ & ~bit(id);
  }
}

void Resolver::turn() {
  const std::uint64_t now = base::monotonic_ns();
  follow_kernel(now);
  for (FrameRings* rings : parts_.rings) receive(rings->to_housekeeper, now);
  hear_announcements(now);
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

void Resolver::listen_to(std::uint32_t port, const Ports::Seen& seen) {
  Announcements& here = announcements_[port];
  const bool wanted = seen.facts.announcements >= 0;
  if (here.device_number == seen.device_number && wanted == bool(here.socket)) return;
  here = {.device_number = seen.device_number, .socket = {}};
  if (!wanted) return;
  here.socket = base::Descriptor(::fcntl(seen.facts.announcements, F_DUPFD_CLOEXEC, 0));
}

void Resolver::hear_announcements(std::uint64_t now) {
  for (std::uint32_t id = 0; id < announcements_.size(); ++id) {
    const int socket = announcements_[id].socket.get();
    if (socket < 0) continue;
    for (int i = 0; i < frames_per_turn; ++i) {
      std::array<std::uint8_t, frame_bytes_max> frame;
      const ssize_t bytes = ::recv(socket, frame.data(), frame.size(), MSG_DONTWAIT);
      if (bytes <= 0) break;  // None, or the interface is down.
      (void)neighbours_.receive(base::PortId{static_cast<std::uint16_t>(id)},
                                {frame.data(), static_cast<std::size_t>(bytes)}, now);
      next_ns_ = now;
    }
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
  const std::uint16_t vlan = in_force_.vlans[frame.port.value];
  PacketMeta meta;
  if (vlan != 0 && !push_tag({mbuf.get(), meta}, ethertype::vlan, vlan)) return false;
  FrameRings& rings = *parts_.rings[frame.port.value % parts_.rings.size()];
  if (!rings.from_housekeeper.push(mbuf.get(), frame.port)) return false;
  (void)mbuf.release();
  rings.bell.ring();
  return true;
}

std::uint64_t Resolver::wait_ns(std::uint64_t now) const noexcept {
  if (in_force_.served == 0 && kernel_.empty()) return std::numeric_limits<std::uint64_t>::max();
  return std::min(next_ns_ > now ? next_ns_ - now : 0, look_interval_ns);
}

}  // namespace dp
