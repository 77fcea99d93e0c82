// SPDX-License-Identifier: Apache-2.0
// The process that shall replace this one (weir-dataplane --take-over), as this one sees it: it
// comes to a socket beside the command socket, and is given first the control, while this process
// goes on forwarding as it was told last, then the ports. Nothing waits.
//
//   absent ─► starting ─► wants_control ─► has_control ─► wants_ports ─► this process ends
//      ▲         │              │              │
//      └─────────┴──────────────┴──────────────┘  it died, or was too late: all is as before
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/contract/hand_over.hpp"
#include "dataplane/housekeeper/listener.hpp"

#include <cstdint>
#include <span>
#include <utility>

namespace dp {

class Successor {
 public:
  enum class Stage : std::uint8_t { absent, starting, wants_control, has_control, wants_ports };

  // `hugepages`: this process has some, so that the other one is to have some, too.
  Successor(Listener listener, bool hugepages) noexcept
      : listener_(std::move(listener)), hugepages_(hugepages) {}

  // Either is readable when look() has something to do; -1: there is none.
  int listener() const noexcept { return listener_.get(); }
  int connection() const noexcept { return connection_.get(); }
  // Every turn: hears who comes, asks or is gone.
  Stage look(std::uint64_t now_ns);
  Stage stage() const noexcept { return stage_; }

  // What it wants. `commands` and `table_file` (-1: none) are descriptors that it shares from here
  // on, with this socket's own.
  void give_control(int commands, int table_file, std::uint64_t now_ns);
  // All ports are closed; at `at_ns` the last frame was forwarded. closed: nobody is there to take
  // them any more.
  base::Status give_ports(std::uint64_t at_ns);

  // Who has everything that this process had; 0: nobody.
  std::uint64_t heir() const noexcept { return heir_; }

  // The listener was borrowed, and is this process's alone now.
  void keep_listener() noexcept { listener_.keep(); }

 private:
  void accept();
  void hear();
  void lose(const char* reason);
  base::Status send(contract::HandOverType type, const contract::HandOver& record,
                    std::span<const int> descriptors = {});

  Listener listener_;
  bool hugepages_;
  base::Descriptor connection_;
  std::uint64_t pid_ = 0;  // At the other end, as the kernel says.
  std::uint64_t heir_ = 0;
  Stage stage_ = Stage::absent;
  std::uint64_t late_ns_ = 0;  // When it is too late to ask for the ports.
};

}  // namespace dp
