// SPDX-License-Identifier: Apache-2.0
// From the contract's records to those that packets are judged by: prepared headers, resolved MTUs,
// port sets. Whatever differs from what is staged already is staged.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/table/tables.hpp"
#include "drivers/device.hpp"

#include <array>
#include <cstdint>

namespace dp {

// What is known of each port's device; nullptr: none is open.
using FactsByPort = std::array<const DeviceFacts*, contract::port_count_max>;

// By port: the host port whose peer it is, or no_port.
std::array<base::PortId, contract::port_count_max> twins_of(const Model& model) noexcept;

PortRecord make_port_record(const PortConfig& port, const DeviceFacts& facts) noexcept;
NetworkRecord make_network_record(const contract::NetworkSet& network,
                                  std::uint64_t local_ports) noexcept;
// A way to a remote VTEP, as its record will have it.
struct PathFacts {
  NextHopPlace place = never_usable;
  base::PortId port = base::no_port;
  base::MacAddress next_hop_mac{};  // 0: resolved, so not a fact.
  base::MacAddress port_mac{};
  std::uint16_t mtu = 0;
};
// `source` is the local VTEP of a remote one; neither it nor the paths are read for a local one.
VtepRecord make_vtep_record(const contract::VtepSet& vtep, const contract::VtepSet& source,
                            const std::array<PathFacts, 2>& paths) noexcept;

class NextHops;

class Derivation {
 public:
  explicit Derivation(std::uint64_t tsc_hz) noexcept : tsc_hz_(tsc_hz) {}

  // Stages for generation `next`, a slice per call; true: call again. Only after Model::check.
  base::Result<bool> step(const Model& model, const FactsByPort& facts, const NextHops& next_hops,
                          Tables& tables, base::Generation next);
  void restart() noexcept { cursor_ = 0; }

 private:
  base::Status ports(const Model& model, const FactsByPort& facts, Tables& tables,
                     base::Generation next);
  base::Status queues(const Model& model, const FactsByPort& facts, Tables& tables,
                      base::Generation next) const;
  base::Status host_rules(const Model& model, Tables& tables, base::Generation next);

  std::uint64_t tsc_hz_;
  std::uint32_t cursor_ = 0;
};

}  // namespace dp
