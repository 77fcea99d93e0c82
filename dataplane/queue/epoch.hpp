// SPDX-License-Identifier: Apache-2.0
// What follows what at a port's queue: when something moves to another class, or the queue goes, an
// epoch begins, and what came in an earlier one leaves first (egress_queue.hpp).
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/contract/limits.hpp"
#include "dataplane/table/records.hpp"

#include <cstdint>

namespace dp {

// `record` with the epoch that it has behind what was in force at its port; nullptr: nothing.
inline QueueRecord after(const QueueRecord* before, QueueRecord record) noexcept {
  if (before == nullptr) return record;
  const bool same = !before->is_closing && before->class_of_dscp == record.class_of_dscp &&
                    before->class_of_kind == record.class_of_kind;
  record.epoch = static_cast<std::uint8_t>((before->epoch + (same ? 0 : 1)) % queue_epochs);
  return record;
}

// Of a queue that is removed: what waits leaves as fast as the port takes it, and what comes
// meanwhile goes behind it, so that no frame overtakes an earlier one of its QP.
inline QueueRecord closing_after(const QueueRecord& before) noexcept {
  if (before.is_closing) return before;
  constexpr std::uint8_t last = contract::traffic_class_count - 1;
  QueueRecord record{};
  record.class_of_dscp.fill(last);
  record.class_of_kind.fill(last);
  record.epoch = static_cast<std::uint8_t>((before.epoch + 1) % queue_epochs);
  record.is_closing = true;
  record.strict_classes = before.strict_classes;
  for (QueueClassRecord& one : record.classes) {
    one.kmin = one.kmax = UINT32_MAX;
    one.buffer = contract::queue_buffer_max;
  }
  return record;
}

}  // namespace dp
