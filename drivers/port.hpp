// SPDX-License-Identifier: Apache-2.0
// Where frames come from: the concept that every kind of port satisfies, and the list of kinds.
// Set-up and removal are each kind's own business (housekeeper's port thread); what stands here is
// all that a worker may do, each queue being used by one worker only.
#pragma once

#include "dataplane/base/id.hpp"
#include "dataplane/packet/batch.hpp"
#include "drivers/ethdev/port.hpp"
#include "drivers/memory/port.hpp"
#include "drivers/tap/port.hpp"
#include "drivers/xdp/port.hpp"

#include <concepts>
#include <cstdint>
#include <span>
#include <variant>

namespace dp {

template <class T>
concept PortKind =
    requires(T port, base::QueueId queue, Batch& batch, std::span<rte_mbuf*> frames) {
      // Fills an empty batch; its metas are not set yet.
      { port.receive(queue, batch) } noexcept;
      // How many of the first frames now belong to the port.
      { port.send(queue, frames) } noexcept -> std::same_as<std::uint16_t>;
      // Readable while the rx queue has frames; -1: nothing tells of them, it has to be looked at.
      { port.wake_descriptor(queue) } noexcept -> std::same_as<int>;
      // Before the worker sleeps, of its tx queue. False: frames that the port took wait for
      // another such call.
      { port.finish_sending(queue) } noexcept -> std::same_as<bool>;
    };

static_assert(PortKind<EthdevPort> && PortKind<MemoryPort> && PortKind<TapPort> &&
              PortKind<XdpPort>);

using Port = std::variant<EthdevPort, MemoryPort, XdpPort, TapPort>;

inline void receive(Port& port, base::QueueId queue, Batch& batch) noexcept {
  if (auto* ethdev = std::get_if<EthdevPort>(&port)) {
    ethdev->receive(queue, batch);
  } else if (auto* xdp = std::get_if<XdpPort>(&port)) {
    xdp->receive(queue, batch);
  } else if (auto* tap = std::get_if<TapPort>(&port)) {
    tap->receive(queue, batch);
  } else {
    std::get_if<MemoryPort>(&port)->receive(queue, batch);
  }
}

inline std::uint16_t send(Port& port, base::QueueId queue, std::span<rte_mbuf*> frames) noexcept {
  if (auto* ethdev = std::get_if<EthdevPort>(&port)) return ethdev->send(queue, frames);
  if (auto* xdp = std::get_if<XdpPort>(&port)) return xdp->send(queue, frames);
  if (auto* tap = std::get_if<TapPort>(&port)) return tap->send(queue, frames);
  return std::get_if<MemoryPort>(&port)->send(queue, frames);
}

// Only by workers that are about to sleep.
inline int wake_descriptor(const Port& port, base::QueueId queue) noexcept {
  return std::visit([queue](const auto& kind) { return kind.wake_descriptor(queue); }, port);
}

inline bool finish_sending(Port& port, base::QueueId queue) noexcept {
  return std::visit([queue](auto& kind) { return kind.finish_sending(queue); }, port);
}

}  // namespace dp
