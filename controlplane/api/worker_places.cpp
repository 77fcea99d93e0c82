// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/worker_places.hpp"

#include "controlplane/api/counters.hpp"

#include <boost/json/array.hpp>

#include <array>
#include <string>
#include <utility>

namespace cp {

namespace json = boost::json;
using contract::RegionView;

namespace {

bool reads(const RegionView& region, std::uint32_t port, std::uint32_t worker,
           std::uint32_t count) {
  if (read_counter(region, "port_state.present", {"port", port}) == 0) return false;
  const std::uint64_t queues = read_counter(region, "port_state.rx_queues", {"port", port});
  for (std::uint32_t queue = 0; queue < queues && queue < count; ++queue) {
    const base::PortId id{static_cast<std::uint16_t>(port)};
    if (contract::reading_worker(id, queue, count).value == worker) return true;
  }
  return false;
}

}  // namespace

json::value place_or_null(std::uint64_t number) {
  return number == contract::nowhere ? json::value(nullptr) : json::value(number);
}

void add_place(json::object& worker, const RegionView& region, std::uint32_t index,
               std::uint32_t count) {
  // An older data plane does not tell.
  if (region.find("worker_place.core") == nullptr) return;
  const std::uint64_t socket = read_counter(region, "worker_place.socket", {"worker", index});
  worker["core"] = place_or_null(read_counter(region, "worker_place.core", {"worker", index}));
  worker["socket"] = place_or_null(socket);
  json::array ports;
  json::array warnings;
  const std::uint32_t port_count = position_count(region, "port_state.socket", "port");
  for (std::uint32_t port = 0; port < port_count; ++port) {
    if (!reads(region, port, index, count)) continue;
    const std::uint64_t its = read_counter(region, "port_state.socket", {"port", port});
    const std::string name = region.text(*region.find("port_state.name"), std::array{port});
    ports.push_back(json::object{{"port", name}, {"socket", place_or_null(its)}});
    if (socket == contract::nowhere || its == contract::nowhere || its == socket) continue;
    warnings.push_back(json::value("worker " + std::to_string(index) + " is at socket " +
                                   std::to_string(socket) + ", the device of " + name +
                                   " at socket " + std::to_string(its) +
                                   ": give --cores of the ports' socket"));
  }
  worker["ports"] = std::move(ports);
  worker["warnings"] = std::move(warnings);
}

}  // namespace cp
