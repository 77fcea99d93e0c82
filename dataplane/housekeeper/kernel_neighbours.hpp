// SPDX-License-Identifier: Apache-2.0
// The kernel's neighbour table, for ports whose interface is the kernel's too (xdp): it asks and
// answers there, and this follows what it finds out. Never waits.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace dp {

struct KernelNeighbourNews;

class KernelNeighbours {
 public:
  struct Place {
    unsigned ifindex;
    base::IpAddress address;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  // nullopt: the kernel knows no MAC, or no longer. Last: the one before, 0: none.
  using Told =
      std::function<void(const Place&, std::optional<base::MacAddress>, const base::MacAddress&)>;

  // Asks the kernel to look for it, and to keep it known.
  void want(const Place& place, std::uint64_t now);
  void forget(const Place& place) { wanted_.erase(place); }
  // Takes in what the kernel says, and tells what changed of what is wanted.
  void turn(std::uint64_t now, const Told& told);
  bool empty() const noexcept { return wanted_.empty(); }

  // What is known of one that is wanted.
  struct Known {
    std::optional<base::MacAddress> mac;
    std::uint64_t since_ns = 0;  // Of its MAC, or of having none.
    std::uint64_t moves = 0;
    std::uint64_t losses = 0;
  };
  const std::map<Place, Known>& wanted() const noexcept { return wanted_; }

 private:
  bool open();
  void ask(const Place& place) const noexcept;
  void ask_some(std::uint64_t now);
  void read(std::uint64_t now, const Told& told);
  void take(std::pair<const Place, Known>& wanted, const KernelNeighbourNews& news,
            std::uint64_t now, const Told& told);

  std::map<Place, Known> wanted_;
  base::Descriptor socket_;  // Opened with the first that is wanted.
  std::uint64_t next_ask_ns_ = 0;
  Place last_asked_{};  // Of the round under way.
};

// What the kernel said of one neighbour.
struct KernelNeighbourNews {
  KernelNeighbours::Place place;
  std::optional<base::MacAddress> mac;  // nullopt: it would send nothing there.
  bool deleted;                         // And looks for it no longer, until it is asked to.
};

// The news in one message of rtnetlink; nothing where it is cut or of other things.
std::vector<KernelNeighbourNews> parse_kernel_neighbours(std::span<const std::byte> message);

}  // namespace dp
