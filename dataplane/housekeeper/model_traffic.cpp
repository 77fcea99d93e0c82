// SPDX-License-Identifier: Apache-2.0
// The verbs of how much may pass: rules for traffic of the host itself, and egress queues.
#include "dataplane/base/check.hpp"
#include "dataplane/housekeeper/model.hpp"

namespace dp {

using base::Errc;
using base::fail;

namespace {

constexpr std::uint8_t all_traffic = static_cast<std::uint8_t>(contract::RoceTraffic::data) |
                                     static_cast<std::uint8_t>(contract::RoceTraffic::ack) |
                                     static_cast<std::uint8_t>(contract::RoceTraffic::cnp) |
                                     static_cast<std::uint8_t>(contract::RoceTraffic::cm);

std::uint32_t queue_id(base::PortId port, std::uint8_t traffic_class) noexcept {
  return port.value * static_cast<std::uint32_t>(contract::traffic_class_count) + traffic_class;
}

base::Status check_marker(const contract::QueueSet& record, std::uint32_t buffer) {
  if (record.kmin > record.kmax || record.kmax > buffer) {
    return fail(Errc::invalid_argument, "a marker's kmin is at most kmax, and that the buffer");
  }
  if (record.pmax > contract::queue_pmax_max) {
    return fail(Errc::invalid_argument, "a marker's pmax is at most 1000000 parts of a million");
  }
  if (record.mark > contract::MarkPlace::both || record.drop_not_ect > 1 ||
      record.mark_control > 1) {
    return fail(Errc::invalid_argument,
                "a marker sets CE outside, inside or in both; drop_not_ect, mark_control: 0 or 1");
  }
  return {};
}

// Of a class alone; what no two classes may share is looked at when the transaction is committed.
base::Status check_class(const contract::QueueSet& record) {
  if (record.carries > all_traffic || record.reserved != 0 || record.reserved_2 != 0) {
    return fail(Errc::invalid_argument,
                "a queue carries RoCE data, ACK, CNP and CM; reserved fields are 0");
  }
  if (record.buffer != 0 &&
      (record.buffer < contract::queue_buffer_min || record.buffer > contract::queue_buffer_max)) {
    return fail(Errc::invalid_argument, "a queue's buffer is 16384 to 67108864 bytes");
  }
  return check_marker(record, record.buffer != 0 ? record.buffer : contract::queue_buffer_default);
}

}  // namespace

base::Status Model::set(const contract::HostRuleSet& record) {
  const auto id = static_cast<std::uint32_t>(record.host_class);
  if (id >= host_rules_.size()) {
    return fail(Errc::unsupported, "a class of host traffic that this release does not know");
  }
  if (record.action > contract::HostAction::drop || record.reserved != 0) {
    return fail(Errc::invalid_argument, "a host rule passes or drops, reserved fields are 0");
  }
  if (record.rate == 0 || record.rate > contract::host_rate_max || record.burst == 0 ||
      record.burst > contract::host_burst_max) {
    return fail(Errc::invalid_argument, "a host rule's rate is 1 to 10000000, its burst to 65535");
  }
  auto& slot = touch(host_rules_, host_rules_undo_, id);
  if (slot.present) now_.digests.ports -= contract::record_digest(slot.record);
  slot.present = true;
  slot.record = record;
  now_.digests.ports += contract::record_digest(record);
  return {};
}

base::Status Model::remove(const contract::HostRuleRemove& record) {
  const auto id = static_cast<std::uint32_t>(record.host_class);
  if (id >= host_rules_.size() || !host_rules_[id].present) {
    return fail(Errc::not_found, "no rule for this class of host traffic");
  }
  remove_host_rule(id);
  return {};
}

void Model::remove_host_rule(std::uint32_t id) {
  auto& slot = touch(host_rules_, host_rules_undo_, id);
  now_.digests.ports -= contract::record_digest(slot.record);
  slot.present = false;
  slot.record = {};
}

base::Status Model::check_rate(std::uint64_t rate, std::uint32_t burst) {
  if (rate != 0 && (rate < contract::queue_rate_min || rate > contract::queue_rate_max)) {
    return fail(Errc::invalid_argument, "a rate is 1000000 to 1000000000000 bits a second");
  }
  if (burst != 0 && (burst < contract::queue_burst_min || burst > contract::queue_burst_max)) {
    return fail(Errc::invalid_argument, "a burst is 9216 to 16777216 bytes");
  }
  return {};
}

base::Status Model::set(const contract::QueueSet& record) {
  if (!port_exists(record.port) || will_go(ports_[record.port.value])) {
    return fail(Errc::not_found, "the queue's port does not exist");
  }
  if (record.traffic_class >= contract::traffic_class_count) {
    return fail(Errc::invalid_argument, "a traffic class is 0 to 7");
  }
  if (auto status = check_rate(record.rate, record.burst); !status) return status;
  if (auto status = check_class(record); !status) return status;
  auto& slot = touch(queues_, queues_undo_, queue_id(record.port, record.traffic_class));
  if (slot.present) now_.digests.ports -= contract::record_digest(slot.record);
  slot.present = true;
  slot.record = record;
  now_.digests.ports += contract::record_digest(record);
  return {};
}

base::Status Model::remove(const contract::QueueRemove& record) {
  const bool in_range =
      record.port.value < ports_.size() && record.traffic_class < contract::traffic_class_count;
  if (!in_range || !queues_[queue_id(record.port, record.traffic_class)].present) {
    return fail(Errc::not_found, "no such queue");
  }
  if (record.reserved != 0) return fail(Errc::invalid_argument, "reserved fields must be zero");
  remove_queue(queue_id(record.port, record.traffic_class));
  return {};
}

void Model::remove_queue(std::uint32_t id) {
  auto& slot = touch(queues_, queues_undo_, id);
  now_.digests.ports -= contract::record_digest(slot.record);
  slot.present = false;
  slot.record = {};
}

// At commit.
base::Status Model::check_queues(std::uint32_t port) const {
  std::uint64_t dscp = 0;
  unsigned carries = 0;
  bool any = false;
  for (const auto& queue : queues(port)) {
    if (!queue.present) continue;
    any = true;
    if ((dscp & queue.record.dscp) != 0) {
      return fail(Errc::already_exists, "two traffic classes of a port have the same DSCP");
    }
    if ((carries & queue.record.carries) != 0) {
      return fail(Errc::already_exists, "two traffic classes of a port carry the same traffic");
    }
    dscp |= queue.record.dscp;
    carries |= queue.record.carries;
  }
  if (!ports_[port].present) {
    if (!any) return {};
    return fail(Errc::in_use, "a removed port still has queues; remove them with it");
  }
  const PortConfig& config = ports_[port].record;
  if (!any && config.set.rate == 0) return {};
  // What a twin's TAP takes goes to this machine's own kernel, which has no line to keep free.
  if (!has_device(config) || config.set.role == contract::PortRole::host) {
    return fail(Errc::invalid_argument,
                "a rate or a queue is at a port with a device that is no host port");
  }
  return {};
}

}  // namespace dp
