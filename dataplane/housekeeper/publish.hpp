// SPDX-License-Identifier: Apache-2.0
// What the housekeeper writes into the counter region, each second and on events, and the links and
// losses of ports that it has to look at for that.
#pragma once

#include "dataplane/contract/event.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/next_hops.hpp"
#include "dataplane/housekeeper/ports.hpp"
#include "dataplane/housekeeper/region.hpp"
#include "dataplane/neighbour/neighbours.hpp"
#include "dataplane/worker/place.hpp"

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace dp {

class Publisher {
 public:
  // What does not change while the data plane lives.
  struct Facts {
    std::uint64_t boot_id;
    std::uint64_t tsc_hz;
    bool hugepages;
    std::vector<WorkerPlace> worker_places = {};  // Those that are missing are nowhere.
  };

  // All outlive this.
  Publisher(CounterRegion& region, const Tables& tables, const Model& model, const Ports& ports,
            const NextHops& next_hops, rte_mempool& pool, const Facts& facts);

  std::uint64_t boot_id() const noexcept { return region_.global().boot_id; }

  // Each is one writer's plain store: cheap enough for every turn.
  void heartbeat() noexcept;
  void controller(bool connected) noexcept;
  void commit(base::Generation generation, bool refused) noexcept;
  void traces_lost(std::uint64_t total) noexcept;
  void adopted(std::uint32_t endpoints) noexcept;
  void table_file(std::uint64_t bytes) noexcept;
  void neighbours(const NeighbourCounters& counters, std::uint64_t unsent) noexcept;

  // Once a second and on events.
  void publish_all();
  void publish_next_hops();
  // The links that changed since the last call; a port that came or went is no change of link.
  std::vector<contract::LinkChange> changed_links();

 private:
  void worker_places(std::span<const WorkerPlace> places) noexcept;
  void publish_port(std::uint32_t id);
  void publish_vlan(std::uint32_t id);
  // The device at this number is another than before.
  void change_device(std::uint32_t id, std::uint64_t device_number) noexcept;

  CounterRegion& region_;
  const Tables& tables_;
  const Model& model_;
  const Ports& ports_;
  const NextHops& next_hops_;
  rte_mempool& pool_;
  std::array<std::uint64_t, contract::port_count_max> devices_{};   // Ports::Seen::device_number.
  std::array<LinkState, contract::port_count_max> links_{};         // Of that device.
  std::array<DeviceDrops, contract::port_count_max> drops_base_{};  // Of devices closed before.
  std::array<DeviceDrops, contract::port_count_max> drops_last_{};
};

}  // namespace dp
