// SPDX-License-Identifier: Apache-2.0
// What happens, as lines of JSON for everybody who listens. A listener who reads too slowly is cut
// off after a line that says so: nobody's slowness costs memory or the others.
#pragma once

#include "controlplane/api/http.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>

#include <deque>
#include <string_view>
#include <vector>

namespace cp {

class Events {
 public:
  static constexpr std::size_t lines_max = 1024;  // Waiting for one listener.

  // {"time": now, "event": what, …members}
  void publish(std::string_view what, boost::json::object members);

  // Lives at most as long as the Events; starts with what is published from now on.
  std::unique_ptr<HttpStream> listen();
  std::size_t listeners() const noexcept { return listeners_.size(); }
  // Ends all streams: the program stops.
  void close();

 private:
  class Listener;

  std::vector<Listener*> listeners_;  // Each takes itself off the list.
};

}  // namespace cp
