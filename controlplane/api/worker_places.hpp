// SPDX-License-Identifier: Apache-2.0
// Which core and socket (NUMA node) a worker has, and whether the devices that it reads are near.
#pragma once

#include "dataplane/contract/region.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>

namespace cp {

// {"core", "socket", "ports": [{"port", "socket"}], "warnings": ["…"]} of one of `count` workers;
// null for what nobody knows. Ports are those whose queues it reads.
void add_place(boost::json::object& worker, const contract::RegionView& region, std::uint32_t index,
               std::uint32_t count);

// A core or socket as the region has it.
boost::json::value place_or_null(std::uint64_t number);

}  // namespace cp
