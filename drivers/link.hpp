// SPDX-License-Identifier: Apache-2.0
// The kernel's interfaces that ports stand on: whether one is there and up, asked and told. What is
// told (rtnetlink) comes at once, but for a lost carrier, which the kernel may tell up to a second
// late (its linkwatch is rate limited): hence both. This network namespace only.
#pragma once

#include "dataplane/base/descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace dp {

struct KernelLink {
  bool exists;
  bool up;  // With carrier.
};

// May wait for a lock of the kernel: port thread.
KernelLink ask_link(unsigned ifindex) noexcept;

// NUMA node of the device behind an interface; -1: there is none, or the kernel does not say.
int ask_socket(std::string_view interface);

// What the kernel said of an interface.
struct LinkNews {
  enum class What : std::uint8_t { up, down, removed, moved };  // Moved: to another namespace.

  unsigned ifindex;
  What what;
};

// The news in one message of rtnetlink; nothing where it is cut or of other things.
std::vector<LinkNews> parse_link_news(std::span<const std::byte> message);

// Never waits: the housekeeper's.
class LinkWatch {
 public:
  // Where the kernel does not let us listen, nothing is ever told, and asking must do.
  LinkWatch();

  // Readable when something was told; -1: nothing ever is.
  int descriptor() const noexcept { return socket_.get(); }

  struct Heard {
    std::vector<LinkNews> news;
    bool lost = false;  // The kernel had more to tell than there was room for: ask.
  };
  Heard hear();

 private:
  base::Descriptor socket_;
};

}  // namespace dp
