// SPDX-License-Identifier: Apache-2.0
// Traces: what was asked for, and the frames that came of it with names instead of numbers.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/plan/allocation.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/contract/region.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string_view>

namespace cp {

class Traces {
 public:
  static constexpr std::size_t traces_max = 16;  // More push out the oldest.

  // {"count": 10, "filter": {"port": "host0", …}} → a trace that waits, and the command that tells
  // the data plane. Where that refuses, remove() it.
  std::expected<contract::TraceAdd, Error> add(std::string_view body, const Allocation& allocation);

  void take(const contract::TracePacket& packet, const Allocation& allocation,
            const contract::RegionView* region);
  // The data plane is gone and its traces with it; their frames stay.
  void stop_all();

  boost::json::object all() const;  // {"traces": […]}
  std::optional<boost::json::object> get(std::uint32_t id) const;
  bool remove(std::uint32_t id);  // 0: all.
  std::size_t size() const noexcept { return traces_.size(); }

 private:
  struct Trace {
    std::uint32_t count;
    std::uint32_t remaining;
    bool active;
    boost::json::object filter;
    boost::json::array packets;
  };

  static boost::json::object to_json(std::uint32_t id, const Trace& trace);

  std::map<std::uint32_t, Trace> traces_;  // By id, which only grows.
  std::uint32_t next_id_ = 1;
};

// One frame with names; pure.
boost::json::object describe_packet(const contract::TracePacket& packet,
                                    const Allocation& allocation,
                                    const contract::RegionView* region);

}  // namespace cp
