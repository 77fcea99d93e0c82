// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/link.hpp"

#include "dataplane/packet/ecn.hpp"
#include "tools/pktgen/roce/parse.hpp"

#include <string>

namespace pktgen {
namespace {

std::span<std::uint8_t> bytes_of(rte_mbuf& mbuf) noexcept {
  return {rte_pktmbuf_mtod(&mbuf, std::uint8_t*), mbuf.data_len};
}

// The RoCE frame, out of its tunnel.
std::span<const std::uint8_t> inner_of(std::span<const std::uint8_t> frame) noexcept {
  const auto tunnel = parse_tunnel(frame);
  return tunnel ? tunnel->inner : frame;
}

}  // namespace

LossyLink::~LossyLink() {
  for (const auto& [key, mbuf] : held_) rte_pktmbuf_free(mbuf);
}

void LossyLink::carry() {
  for (rte_mbuf* mbuf : port_.take_sent(base::QueueId{0})) carry_one(mbuf);
}

void LossyLink::flush() {
  for (const auto& [key, mbuf] : held_) deliver(mbuf);
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

void LossyLink::carry_one(rte_mbuf* mbuf) {
  const auto frame = bytes_of(*mbuf);
  const auto parsed = parse_frame(inner_of(frame));
  if (!parsed) return deliver(mbuf);
  const Series series = series_of(parsed->packet.opcode);
  const bool is_cnp = series == Series::none;
  if (happens(chances_.lose)) {
    ++(is_cnp ? cnps_lost_ : done_.lost);
    rte_pktmbuf_free(mbuf);
    return;
  }
  if (happens(chances_.damage)) {
    // In the ICRC, the last byte of all.
    frame.back() ^= 0x01;
    ++done_.damaged;
    if (is_cnp) ++cnps_damaged_;
    return deliver(mbuf);
  }
  if (happens(chances_.mark) && mark(*mbuf)) ++done_.marked;
  const Key key{parsed->packet.destination_qp, series};
  const bool may_wait = !is_cnp && !held_.contains(key);
  if (may_wait && happens(chances_.delay)) {
    held_[key] = mbuf;
    return;
  }
  if (happens(chances_.repeat)) {
    if (rte_mbuf* copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX)) {
      ++(is_cnp ? cnps_repeated_ : done_.repeated);
      // Marked as its original.
      if ((parse_frame(inner_of(frame))->path.tos & 3) == 3) ++done_.marked;
      deliver(copy);
    }
  }
  deliver(mbuf);
  if (const auto waiting = held_.find(key); waiting != held_.end()) {
    deliver(waiting->second);
    held_.erase(waiting);
    ++done_.delayed;
  }
}

LinkReport LossyLink::report(const Sums& sums) const {
  LinkReport report = done_;
  const auto compare = [&report](const char* what, std::uint64_t made, std::uint64_t found) {
    if (made == found) return;
    report.disagreements.push_back(std::string(what) + ": made " + std::to_string(made) +
                                   ", found " + std::to_string(found));
  };
  const ReceiveCounters& in = sums.received;
  compare("cnps", sums.sent.cnps - cnps_lost_ - cnps_damaged_ + cnps_repeated_, in.cnps);
  compare("bad ICRCs", done_.damaged, in.icrc_errors);
  compare("duplicates", done_.repeated, in.duplicates);
  compare("late", done_.delayed, in.late);
  // A damaged frame is a lost one to its series; CNPs are in none.
  compare("lost", done_.lost + done_.damaged - cnps_damaged_, in.lost);
  compare("frames", sums.sent.frames - done_.lost - cnps_lost_ + done_.repeated + cnps_repeated_,
          in.frames);
  report.lost += cnps_lost_;
  report.repeated += cnps_repeated_;
  return report;
}

}  // namespace pktgen
