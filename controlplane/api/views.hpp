// SPDX-License-Identifier: Apache-2.0
// What GET /v1/stats, drops, pipelines and workers answer: the counter region, told with the
// names of the intent. Pure; no message goes to a worker for it.
#pragma once

#include "controlplane/intent/model.hpp"
#include "controlplane/link/position_names.hpp"
#include "dataplane/contract/region.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cp {

// {"totals", "tables", "ports", "networks", "vteps", "next_hops", "drops", "dataplane"}.
boost::json::object stats_view(const contract::RegionView& region, const PositionNames& names);

// {"drops": [{"reason", "help", "packets", "stages", "ports"}]}; reasons that never happened are
// left out.
boost::json::object drops_view(const contract::RegionView& region, const PositionNames& names);

// {"pipelines": [{"name", "stages": [{"name", "packets", "drops", "cycles_per_packet"}]}]}, in the
// order in which packets pass them.
boost::json::object pipelines_view(const contract::RegionView& region);

// The neighbours that the data plane tells of, as "wire0/198.18.0.2", by their places.
std::vector<std::pair<std::uint32_t, std::string>> neighbour_names(
    const contract::RegionView& region);

// {"neighbours": [{"port", "address", "own", "mac", "state", "usable", "since", "moves", "losses",
// "conflicts", "duplicates"}]}.
boost::json::object neighbours_view(const contract::RegionView& region, const PositionNames& names);

// Gives each object of a list a member "state": its counters, found by its "name".
void add_states(boost::json::array& objects, const contract::RegionView& region,
                const PositionNames& names, std::string_view dimension);

// {"traffic_classes": [{"name", "port", "traffic_class", "home_worker", what it is set to in bits a
// second and bytes, and its counters}]}: all eight of each port that has queues, or of those that
// `port` and `traffic_class` name.
// Without a region there are no counters.
boost::json::object traffic_classes_view(const contract::RegionView* region,
                                         const PositionNames& names, const Intent& intent,
                                         std::string_view port,
                                         std::optional<std::uint8_t> traffic_class);
// add_states() of queues.
void add_queue_states(boost::json::array& queues, const contract::RegionView& region,
                      const PositionNames& names);

// {"workers": [{"worker", …every member of the totals…, "mismatch", "busy_ratio", and where it runs
// (worker_places.hpp)}]}.
boost::json::object workers_view(const contract::RegionView& region);

}  // namespace cp
