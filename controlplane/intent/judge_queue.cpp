// SPDX-License-Identifier: Apache-2.0
// Rates of ports and their traffic classes: where they may stand, and that no packet has two
// classes.
#include "controlplane/intent/judge.hpp"

namespace cp {
namespace {

// Without a rate a burst would bound nothing.
constexpr std::string_view without_rate = "says nothing without a rate";
constexpr std::string_view without_marker = "says nothing without a marker (kmin and kmax)";
constexpr std::uint64_t largest_header = 14 + 2 * 4;  // Ethernet and two VLAN tags.

bool holds_queues(const Port& port) noexcept {
  return port.parent.empty() && port.role != PortRole::host;
}

}  // namespace

template <class T>
void Judge::judge_burst(const T& object, const Port* port) {
  if (!object.burst) return;
  if (!object.rate) report(object, "burst", std::string(without_rate));
  if (port == nullptr || !port->mtu) return;
  const std::uint64_t frame = *port->mtu + largest_header;
  if (object.burst->bytes >= frame) return;
  report(object, "burst",
         "is less than one frame of port " + quoted(port->name) + " (MTU " +
             std::to_string(*port->mtu) + "): it could never leave",
         std::to_string(frame));
}

void Judge::judge_rate_of(const Port& port) {
  judge_burst(port, &port);
  if (!port.rate || holds_queues(port)) return;
  if (port.role == PortRole::host) {
    report(port, "rate", "a host port has none: it leads to this machine's own kernel");
  } else {
    report(port, "rate", "a VLAN has none: its frames leave at port " + quoted(port.parent),
           "say it there");
  }
}

void Judge::judge(const Queue& queue) {
  judge_fields(queue);
  judge_port_of(queue);
  const auto port = ports_.find(queue.port.view());
  judge_burst(queue, port == ports_.end() ? nullptr : port->second);
  judge_marker(queue);
}

void Judge::judge_port_of(const Queue& queue) {
  if (queue.port.empty()) return;  // Reported.
  const Port* port = resolve(queue, "port", queue.port, ports_, holds_queues);
  if (port == nullptr || holds_queues(*port)) return;
  if (port->role == PortRole::host) {
    report(queue, "port",
           quoted(queue.port) + " is a host port: it leads to this machine's own kernel",
           std::string(port->peer.view()));
  } else {
    report(queue, "port",
           quoted(queue.port) + " is a VLAN: its frames leave at port " + quoted(port->parent),
           std::string(port->parent.view()));
  }
}

void Judge::judge_marker(const Queue& queue) {
  if (queue.kmin.has_value() != queue.kmax.has_value()) {
    report(queue, queue.kmin ? "kmax" : "kmin", "is missing: a marker has both ends");
    return;
  }
  if (!queue.kmin) {
    if (queue.pmax) report(queue, "pmax", std::string(without_marker));
    if (queue.mark) report(queue, "mark", std::string(without_marker));
    if (queue.not_ect) report(queue, "not_ect", std::string(without_marker));
    if (queue.mark_control) report(queue, "mark_control", std::string(without_marker));
    return;
  }
  const std::string kmax = text_of(*queue.kmax).text;
  const ByteCount buffer = queue.buffer.value_or(ByteCount{contract::queue_buffer_default});
  if (*queue.kmin > *queue.kmax) {
    report(queue, "kmin", text_of(*queue.kmin).text + " is above kmax (" + kmax + ")", kmax);
  }
  if (*queue.kmax > buffer) {
    const std::string room = text_of(buffer).text;
    report(queue, "kmax",
           kmax + " is beyond the buffer (" + room +
               (queue.buffer ? ")" : ", where none is said)") + ": it would never be reached",
           room);
  }
  if (!queue.pmax && *queue.kmin < *queue.kmax) {
    report(queue, "pmax", "is missing: the share that is marked at kmax", "5%");
  }
}

void Judge::judge_queue_keys() {
  std::unordered_map<std::string, const Queue*> by_key;
  for (const Queue& queue : intent_.queues) {
    if (queue.port.empty() || by_key.emplace(key_of(queue), &queue).second) continue;
    report(queue, "traffic_class", "there are two queues of this port and class", {},
           base::Errc::already_exists);
  }
}

// Each of `items` is in one queue of a port, once.
template <class Item, class F>
void Judge::judge_items(const Queue& queue, std::string_view field, const std::vector<Item>& items,
                        F&& name_of, std::unordered_map<std::string, const Queue*>& owners) {
  for (const Item& item : items) {
    const std::string name = name_of(item);
    const auto [at, is_new] = owners.emplace(std::string(queue.port.view()) + "/" + name, &queue);
    if (is_new) continue;
    const bool is_own = at->second == &queue;
    report(queue, field,
           is_own ? "has " + name + " twice"
                  : name + " is already in " + title_of(ObjectKind::queue, key_of(*at->second)) +
                        ": a packet has one class",
           {}, base::Errc::already_exists);
  }
}

void Judge::judge_sharing() {
  std::unordered_map<std::string, const Queue*> owners;
  for (const Queue& queue : intent_.queues) {
    if (full()) return;
    judge_items(
        queue, "dscp", queue.dscp, [](std::uint8_t dscp) { return "DSCP " + std::to_string(dscp); },
        owners);
    judge_items(
        queue, "carries", queue.carries, [](RoceTraffic traffic) { return text_of(traffic).text; },
        owners);
    for (const std::uint8_t dscp : queue.dscp) {
      if (dscp > 63) report(queue, "dscp", "must be 0..63, not " + std::to_string(dscp), "63");
    }
  }
}

}  // namespace cp
