// SPDX-License-Identifier: Apache-2.0
// Neighbours of the underlay ports: frames that workers punted go to the state machine of
// dataplane/neighbour, what it wants sent goes to a worker, and what it finds out is told.
//
//   workers ──FrameRing──► Resolver ──► Neighbours
//      ▲                      │  │           │
//      └──────FrameRing───────┘  └─ events ◄─┘──► NextHops ──► words that workers read
//
// At a port where the kernel asks and answers, as it has the interface too, this follows it.
#pragma once

#include "dataplane/housekeeper/kernel_neighbours.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/next_hops.hpp"
#include "dataplane/housekeeper/ports.hpp"
#include "dataplane/neighbour/neighbours.hpp"
#include "dataplane/queue/frame_ring.hpp"

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace dp {

class Resolver {
 public:
  struct Parts {
    std::span<FrameRings* const> rings;  // One per worker.
    rte_mempool& pool;
    std::uint64_t seed;
  };

  // All outlive this.
  Resolver(const Model& model, const Ports& ports, NextHops& next_hops, const Parts& parts);

  // Another configuration is in force.
  void configure();
  // Links come up, and devices come back with another MAC.
  void look_at_ports();
  // Every turn: frames that came, what is due, frames to send.
  void turn();
  // How long until there may be something to do; UINT64_MAX: only a commit brings work.
  std::uint64_t wait_ns(std::uint64_t now) const noexcept;

  std::vector<NeighbourEvent> take_events();
  // Addresses of ours and next hops, of our own finding or the kernel's.
  void for_each(const std::function<void(const NeighbourView&)>& visit) const;
  const NeighbourCounters& counters() const noexcept { return neighbours_.counters(); }
  // Frames that no buffer or ring had room for.
  std::uint64_t unsent() const noexcept { return unsent_; }

 private:
  using Place = std::pair<base::PortId, base::IpAddress>;
  // What is configured.
  struct Wishes {
    std::uint64_t served = 0;  // One bit per port.
    std::set<Place> owned;
    std::set<Place> wanted;
    std::map<KernelNeighbours::Place, base::PortId> of_kernel;
  };

  // Of an underlay port that is open; nullptr: another one.
  const Ports::Seen* underlay(std::uint32_t port) const noexcept;
  // Whether the kernel asks and answers there.
  bool is_kernels(std::uint32_t port, const Ports::Seen& seen) const noexcept;
  void own_addresses(base::PortId port, Wishes& wishes, std::uint64_t now);
  void want_next_hops(Wishes& wishes, std::uint64_t now);
  void give_up(const Wishes& wishes);
  void follow_kernel(std::uint64_t now);
  // Interfaces that returned have other numbers.
  void follow_returned();
  void receive(FrameRing& ring, std::uint64_t now);
  void hear_announcements(std::uint64_t now);
  void listen_to(std::uint32_t port, const Ports::Seen& seen);
  bool send(const NeighbourFrame& frame) noexcept;

  const Model& model_;
  const Ports& ports_;
  NextHops& next_hops_;
  Parts parts_;
  Neighbours neighbours_;
  KernelNeighbours kernel_;
  Wishes in_force_;
  // What neighbours tell all, where that stays with the kernel (xdp): copies of the devices'
  // sockets, which those may close meanwhile.
  struct Announcements {
    std::uint64_t device_number = 0;
    base::Descriptor socket;
  };
  std::array<Announcements, contract::port_count_max> announcements_;
  std::uint64_t links_up_ = 0;  // One bit per port, as last seen.
  std::vector<NeighbourEvent> of_kernel_;
  std::uint64_t next_ns_ = 0;  // When Neighbours wants to be polled.
  std::uint64_t unsent_ = 0;
};

}  // namespace dp
