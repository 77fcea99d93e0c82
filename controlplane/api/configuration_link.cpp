// SPDX-License-Identifier: Apache-2.0
// The configuration as the link sees it: what is wanted, and what the data plane tells.
#include "controlplane/api/configuration.hpp"
#include "controlplane/api/views.hpp"
#include "controlplane/plan/plan.hpp"
#include "controlplane/plan/records.hpp"
#include "dataplane/base/log.hpp"

namespace cp {

namespace json = boost::json;

PositionNames Configuration::position_names() const {
  PositionNames names;
  const auto add = [&names](std::string_view dimension, const Numbers& numbers) {
    auto& list = names[std::string(dimension)];
    numbers.for_each([&](std::string_view name, std::uint16_t number) {
      list.emplace_back(number, std::string(name));
    });
  };
  add("port", allocation_.ports);
  add("network", allocation_.networks);
  add("vtep", allocation_.vteps);
  add("next_hop", allocation_.next_hops);
  // Ports without queues have nothing to count there: 8 classes each of 38 zeros.
  auto& queueing = names["queue.port"];
  for (const auto& [number, name] : names["port"]) {
    const Port* port = find_port(intent_, name);
    if (port != nullptr && has_queues(intent_, *port)) queueing.emplace_back(number, name);
  }
  for (std::uint32_t i = 0; i < contract::traffic_class_count; ++i) {
    names["traffic_class"].emplace_back(i, std::to_string(i));
  }
  // Nobody gave these a number; the data plane says who they are.
  const contract::RegionView* region = link_ == nullptr ? nullptr : link_->region();
  if (region != nullptr) names["neighbour"] = neighbour_names(*region);
  return names;
}

// What is in force is what is wanted now: the next start of this process may rely on it.
void Configuration::note_applied(const LinkStatus& status) {
  const Applied applied{
      .boot_id = status.boot_id, .generation = status.generation, .digests = digests_};
  if (applied == applied_) return;
  if (auto saved = store_.save_applied(applied); !saved) {
    LOG(warning, "store_failed", {"reason", to_string(saved.error().front())});
    return;
  }
  applied_ = applied;
}

Plan Configuration::everything(contract::TableSet tables) {
  return plan_all(allocation_, intent_, tables);
}

void Configuration::on_in_force(const contract::Digests& digests) {
  if (prepared_) finish_prepared(digests);
}

std::optional<contract::Digests> Configuration::wanted_digests() {
  if (!said_) return std::nullopt;
  return digests_;
}

void Configuration::on_limits(const Limits& limits) {
  limits_ = limits;
  if (!allocation_.fit(limits)) return;
  ++fits_;
  // Some names lost their numbers to a smaller data plane.
  if (auto taken = allocation_.take_all(intent_); !taken) {
    LOG(error, "intent_too_large", {"reason", to_string(taken.error().front())});
  }
  digests_ = digests_of(intent_, allocation_);
}

void Configuration::on_event(const contract::FrameView& event) {
  for (std::size_t i = 0; i < event.record_count(); ++i) {
    if (event.header().type == static_cast<std::uint16_t>(contract::EventType::trace_packet)) {
      const auto packet = event.record<contract::TracePacket>(i);
      traces_.take(packet, allocation_, link_->region());
      events_.publish("trace_packet", {{"trace", packet.trace}, {"remaining", packet.remaining}});
    } else if (event.header().type ==
               static_cast<std::uint16_t>(contract::EventType::neighbour_change)) {
      tell_neighbour(event.record<contract::NeighbourChange>(i));
    } else {
      const auto change = event.record<contract::LinkChange>(i);
      const std::string port(allocation_.ports.name_of(change.port.value));
      LOG(info, "link_change", {"port", port}, {"up", change.up}, {"gone", change.gone});
      events_.publish("link_change", {{"port", port},
                                      {"up", change.up != 0},
                                      {"gone", change.gone != 0},
                                      {"speed_mbps", change.speed_mbps}});
    }
  }
}

void Configuration::tell_neighbour(const contract::NeighbourChange& change) {
  const std::string port(allocation_.ports.name_of(change.port.value));
  const std::string address = base::to_string(change.address);
  LOG(info, "neighbour_change", {"what", contract::name(change.what)}, {"port", port},
      {"address", address}, {"mac", base::to_string(change.mac)});
  json::object members{{"what", contract::name(change.what)}, {"port", port}, {"address", address}};
  if (!change.mac.is_zero()) members["mac"] = base::to_string(change.mac);
  if (!change.before.is_zero()) members["before"] = base::to_string(change.before);
  events_.publish("neighbour_change", std::move(members));
}

void Configuration::on_status(const LinkStatus& status) {
  if (status.state == LinkState::disconnected) traces_.stop_all();
  if (status.state == LinkState::in_sync) note_applied(status);
  json::object members{{"state", name(status.state)}, {"generation", status.generation}};
  if (!status.last_error.empty()) members["reason"] = status.last_error;
  events_.publish("dataplane", std::move(members));
}

}  // namespace cp
