// SPDX-License-Identifier: Apache-2.0
// From what the operator says of a port's rate and traffic classes to the record that workers obey:
// rates in cycles, a marker's line as a slope, and a class for every packet. Pure.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/table/records.hpp"

#include <array>
#include <cstdint>

namespace dp {

// By traffic class; nullptr: nothing is said of it. Borrowed.
using QueueSettings = std::array<const contract::QueueSet*, contract::traffic_class_count>;

// `burst_bytes` 0: contract::burst_default(). A rate of 0 is none. Rounded so that never more
// leaves than the rate allows.
RateRecord rate_record(std::uint64_t bits_per_second, std::uint32_t burst_bytes,
                       std::uint64_t tsc_hz) noexcept;

// `set` is valid, or nullptr.
QueueClassRecord make_queue_class(const contract::QueueSet* set, std::uint64_t tsc_hz) noexcept;

QueueRecord make_queue_record(const contract::PortSet& port, const QueueSettings& settings,
                              std::uint64_t tsc_hz) noexcept;

}  // namespace dp
