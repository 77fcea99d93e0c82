// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/link.hpp"

#include "dataplane/packet/ecn.hpp"
#include "tools/pktgen/generate/mix.hpp"

#include <algorithm>
#include <string>

namespace pktgen {
namespace {

using Kind = Carried::Kind;

std::span<std::uint8_t> bytes_of(rte_mbuf& mbuf) noexcept {
  return {rte_pktmbuf_mtod(&mbuf, std::uint8_t*), mbuf.data_len};
}

// The RoCE frame, out of its tunnel.
std::span<const std::uint8_t> inner_of(std::span<const std::uint8_t> frame) noexcept {
  const auto tunnel = parse_tunnel(frame);
  return tunnel ? tunnel->inner : frame;
}

bool is_of(const RocePacket& packet, Transport transport) noexcept {
  return packet.opcode != cnp_opcode &&
         transport_bits(packet.opcode) == static_cast<unsigned>(transport);
}

bool begins_message(Operation operation) noexcept {
  using enum Operation;
  return operation == send_first || operation == send_only || operation == send_only_immediate ||
         operation == write_first || operation == write_only || operation == write_only_immediate;
}

}  // namespace

Carried carried_by_generator(const RocePacket& packet, std::uint16_t pmtu) noexcept {
  Carried what{.psns = psns_of(packet, pmtu), .may_wait = true};
  switch (series_of(packet.opcode)) {
    case Series::requests: return what;
    case Series::answers: what.kind = Kind::answer; return what;
    case Series::none: return {.kind = Kind::cnp};
  }
  __builtin_unreachable();
}

Carried carried_by_endpoints(const RocePacket& packet, std::uint16_t) noexcept {
  if (packet.opcode == cnp_opcode) return {.kind = Kind::cnp};
  if (packet.destination_qp == 1) return {.kind = Kind::management};
  const bool is_stamped = read_stamp(packet.payload).has_value();
  const bool is_answer = is_of(packet, Transport::rc) &&
                         (operation_of(packet.opcode) == Operation::acknowledge ||
                          operation_of(packet.opcode) == Operation::atomic_acknowledge);
  return {.kind = is_answer ? Kind::answer : Kind::data,
          .is_stamped = is_stamped,
          .may_wait = is_stamped};
}

LossyLink::~LossyLink() {
  for (const auto& [key, held] : held_) rte_pktmbuf_free(held.mbuf);
  for (const auto& [time, mbuf] : under_way_) rte_pktmbuf_free(mbuf);
}

void LossyLink::carry(Time now) {
  now_ = now;
  while (!under_way_.empty() && under_way_.front().first <= now) {
    parts_.to.offer(base::QueueId{0}, under_way_.front().second);
    under_way_.pop_front();
  }
  for (rte_mbuf* mbuf : parts_.from.take_sent(base::QueueId{0})) carry_one(mbuf);
}

void LossyLink::deliver(rte_mbuf* mbuf) {
  if (parts_.latency == 0) {
    parts_.to.offer(base::QueueId{0}, mbuf);
  } else {
    under_way_.emplace_back(now_ + parts_.latency, mbuf);
  }
}

void LossyLink::flush() {
  for (const auto& [key, held] : held_) deliver(held.mbuf);
  held_.clear();
}

bool LossyLink::mark(rte_mbuf& mbuf) {
  const auto inner = inner_of(bytes_of(mbuf));
  // The frame is our own.
  auto* ip = const_cast<std::uint8_t*>(inner.data()) + sizeof(dp::EthernetHeader);
  if (*ip >> 4 == 4) {
    auto& header = *reinterpret_cast<dp::Ipv4Header*>(ip);
    if ((header.tos & 3) == 0 || (header.tos & 3) == 3) return false;
    dp::write_ecn(header, contract::Ecn::ce);
  } else {
    auto& header = *reinterpret_cast<dp::Ipv6Header*>(ip);
    const unsigned ecn = header.traffic_class() & 3u;
    if (ecn == 0 || ecn == 3) return false;
    dp::write_ecn(header, contract::Ecn::ce);
  }
  return true;
}

void LossyLink::note_message(const RocePacket& packet) {
  if (is_of(packet, Transport::uc) && begins_message(operation_of(packet.opcode))) {
    ++messages_[packet.destination_qp];
  }
}

void LossyLink::carry_one(rte_mbuf* mbuf) {
  ++frames_;
  const auto parsed = parse_frame(inner_of(bytes_of(*mbuf)));
  if (!parsed) return deliver(mbuf);
  const RocePacket& packet = parsed->packet;
  const Carried what = parts_.judge(packet, parts_.pmtu);
  note_message(packet);
  if (!harm(mbuf, packet, what)) carry_whole(mbuf, packet, what);
}

bool LossyLink::harm(rte_mbuf* mbuf, const RocePacket& packet, const Carried& what) {
  const bool is_lost = happens(parts_.chances.lose);
  if (!is_lost && !happens(parts_.chances.damage)) return false;
  Deeds& deeds = deeds_of(what);
  deeds.lost_psns += what.psns;
  deeds.lost_stamped += what.is_stamped ? 1 : 0;
  if (is_of(packet, Transport::uc)) {
    hit_.emplace(packet.destination_qp, messages_[packet.destination_qp]);
  }
  if (is_of(packet, Transport::ud) && what.kind == Kind::data) ++ud_.lost;
  if (is_lost) {
    ++deeds.lost;
    rte_pktmbuf_free(mbuf);
  } else {
    ++deeds.damaged;
    // In the ICRC, the last byte of all.
    bytes_of(*mbuf).back() ^= 0x01;
    deliver(mbuf);
  }
  return true;
}

void LossyLink::carry_whole(rte_mbuf* mbuf, const RocePacket& packet, const Carried& what) {
  Deeds& deeds = deeds_of(what);
  const bool is_marked = happens(parts_.chances.mark) && mark(*mbuf);
  deeds.marked += is_marked ? 1 : 0;
  const Key key{packet.destination_qp, what.kind};
  if (what.may_wait && !held_.contains(key) && happens(parts_.chances.delay)) {
    held_[key] = {mbuf, what, messages_[packet.destination_qp]};
    return;
  }
  if (happens(parts_.chances.repeat)) {
    if (rte_mbuf* copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX)) {
      ++deeds.repeated;
      deeds.repeated_stamped += what.is_stamped ? 1 : 0;
      deeds.marked += is_marked ? 1 : 0;
      if (is_of(packet, Transport::ud) && what.kind == Kind::data) ++ud_.repeated;
      deliver(copy);
    }
  }
  const bool is_uc = is_of(packet, Transport::uc);  // The packet's bytes are gone then.
  deliver(mbuf);
  const auto waiting = held_.find(key);
  if (waiting == held_.end()) return;
  if (is_uc) hit_.emplace(packet.destination_qp, waiting->second.message);
  overtake(key, what);
}

void LossyLink::overtake(const Key& key, const Carried& by) {
  const Held held = held_.at(key);
  held_.erase(key);
  deliver(held.mbuf);
  Deeds& deeds = deeds_of(held.what);
  ++deeds.delayed;
  deeds.delayed_stamped += held.what.is_stamped && by.is_stamped ? 1 : 0;
}

LinkReport report_of(std::span<const LossyLink* const> links) {
  LinkReport report;
  for (const LossyLink* link : links) {
    for (std::size_t kind = 0; kind < Carried::kinds; ++kind) {
      const LossyLink::Deeds& deeds = link->deeds(static_cast<Kind>(kind));
      report.lost += deeds.lost;
      report.repeated += deeds.repeated;
      report.delayed += deeds.delayed;
      report.damaged += deeds.damaged;
      report.marked += deeds.marked;
    }
  }
  return report;
}

void compare(const char* what, std::uint64_t made, std::uint64_t found, LinkReport& report) {
  if (made == found) return;
  report.disagreements.push_back(std::string(what) + ": made " + std::to_string(made) + ", found " +
                                 std::to_string(found));
}

void compare(const LossyLink& link, const Sums& sums, LinkReport& report) {
  const LossyLink::Deeds& requests = link.deeds(Kind::data);
  const LossyLink::Deeds& answers = link.deeds(Kind::answer);
  const LossyLink::Deeds& cnps = link.deeds(Kind::cnp);
  const SendCounters& out = sums.sent;
  const ReceiveCounters& in = sums.received;
  compare("requests", requests.left_of(out.requests), in.requests, report);
  compare("answers", answers.left_of(out.acks), in.acks, report);
  compare("cnps", cnps.left_of(out.cnps), in.cnps, report);
  compare("bad ICRCs", report.damaged, in.icrc_errors, report);
  compare("duplicates", requests.repeated + answers.repeated, in.duplicates, report);
  compare("late", requests.delayed + answers.delayed, in.late, report);
  // CNPs have no numbers.
  compare("lost", requests.lost_psns + answers.lost_psns, in.lost, report);
  compare("frames", out.frames - report.lost + report.repeated, in.frames, report);
}

}  // namespace pktgen
