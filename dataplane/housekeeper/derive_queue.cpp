// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/derive_queue.hpp"

namespace dp {
namespace {

using contract::PacketKind;
using contract::RoceTraffic;

// 2^20 parts of a million times 2^48 does not fit into 64 bits.
__extension__ using Wide = unsigned __int128;

constexpr std::uint32_t no_marker = UINT32_MAX;  // More than may wait: nothing is above it.

// Which of the four a packet is; what is no RoCEv2 is none of them, and goes by its DSCP.
bool is_of(PacketKind kind, RoceTraffic traffic) noexcept {
  switch (kind) {
    case PacketKind::roce_ack:
    case PacketKind::roce_nak:
    case PacketKind::roce_rnr_nak: return traffic == RoceTraffic::ack;
    case PacketKind::roce_cnp: return traffic == RoceTraffic::cnp;
    case PacketKind::roce_cm: return traffic == RoceTraffic::cm;
    default: return contract::is_roce_v2(kind) && traffic == RoceTraffic::data;
  }
}

void add_kinds(QueueRecord& record, std::uint8_t traffic_class, std::uint8_t carries) noexcept {
  for (const RoceTraffic traffic :
       {RoceTraffic::data, RoceTraffic::ack, RoceTraffic::cnp, RoceTraffic::cm}) {
    if ((carries & static_cast<std::uint8_t>(traffic)) == 0) continue;
    for (std::size_t kind = 0; kind < contract::packet_kind_count; ++kind) {
      if (!is_of(static_cast<PacketKind>(kind), traffic)) continue;
      record.class_of_kind[kind] = traffic_class;
    }
  }
}

}  // namespace

RateRecord rate_record(std::uint64_t bits_per_second, std::uint32_t burst_bytes,
                       std::uint64_t tsc_hz) noexcept {
  if (bits_per_second == 0) return {};
  const Wide cycles = Wide{tsc_hz} * 8 << cycles_per_byte_shift;
  const auto per_byte =
      static_cast<std::uint64_t>((cycles + bits_per_second - 1) / bits_per_second);
  const std::uint32_t burst =
      burst_bytes != 0 ? burst_bytes : contract::burst_default(bits_per_second);
  return {
      .cycles_per_byte = per_byte,
      .burst_cycles = static_cast<std::uint64_t>(Wide{per_byte} * burst >> cycles_per_byte_shift)};
}

QueueClassRecord make_queue_class(const contract::QueueSet* set, std::uint64_t tsc_hz) noexcept {
  QueueClassRecord record{};
  record.kmin = no_marker;
  record.kmax = no_marker;
  record.buffer = contract::queue_buffer_default;
  if (set == nullptr) return record;
  record.rate = rate_record(set->rate, set->burst, tsc_hz);
  if (set->buffer != 0) record.buffer = set->buffer;
  if (set->kmax == 0) return record;
  record.kmin = set->kmin;
  record.kmax = set->kmax;
  // Where both are one, all above are marked and none below: there is no line between.
  if (set->kmax != set->kmin) {
    record.probability_per_byte =
        static_cast<std::uint64_t>((Wide{set->pmax} << probability_shift) /
                                   contract::queue_pmax_max / (set->kmax - set->kmin));
  }
  record.mark = set->mark;
  record.drop_not_ect = set->drop_not_ect != 0;
  record.mark_control = set->mark_control != 0;
  return record;
}

QueueRecord make_queue_record(const contract::PortSet& port, const QueueSettings& settings,
                              std::uint64_t tsc_hz) noexcept {
  QueueRecord record{};
  record.rate = rate_record(port.rate, port.burst, tsc_hz);
  record.class_of_kind.fill(class_by_dscp);
  record.class_of_kind[static_cast<std::size_t>(PacketKind::roce_cnp)] = contract::cnp_class;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    record.classes[i] = make_queue_class(settings[i], tsc_hz);
    if (settings[i] == nullptr) continue;
    const auto traffic_class = static_cast<std::uint8_t>(i);
    for (std::size_t dscp = 0; dscp < record.class_of_dscp.size(); ++dscp) {
      if ((settings[i]->dscp >> dscp & 1) != 0) record.class_of_dscp[dscp] = traffic_class;
    }
    add_kinds(record, traffic_class, settings[i]->carries);
  }
  record.strict_classes =
      1u << record.class_of_kind[static_cast<std::size_t>(PacketKind::roce_cnp)];
  return record;
}

}  // namespace dp
