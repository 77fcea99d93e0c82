// SPDX-License-Identifier: Apache-2.0
// The counter region as Prometheus text. Names, helps and units are the region's own: a counter
// that a later data plane adds appears here without a change.
#pragma once

#include "controlplane/link/position_names.hpp"
#include "dataplane/contract/region.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace cp {

// More positions of one dimension are summed up as "(other)": a time series costs its reader
// memory for ever, and nobody looks at 4,000 networks one by one.
inline constexpr std::size_t metric_positions_max = 256;

// What is known without a region.
struct ProcessMetrics {
  std::string version;
  bool connected = false;
  bool in_sync = false;
  std::uint64_t connections = 0;
  std::uint64_t transactions = 0;
  std::uint64_t records = 0;
  bool store_alarm = false;  // Something was wrong with its files, and nobody has looked yet.
  bool store_copy = true;    // What is saved goes into two files.
  std::map<std::string, std::size_t> objects;  // "ports" → how many are wanted.
  std::uint64_t requests_refused = 0;          // As they were too many of one user.
};

// `region` may be nullptr: the data plane is not connected.
// Positions without a name are not shown.
std::string write_metrics(const contract::RegionView* region, const PositionNames& names,
                          const ProcessMetrics& process);

}  // namespace cp
