// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/generate/generator.hpp"

namespace pktgen {
namespace {

std::uint32_t low_16(const base::IpAddress& address) noexcept {
  return std::uint32_t{address.v6.bytes[14]} << 8 | address.v6.bytes[15];
}

}  // namespace

Generator::Generator(const Profile& profile, const Mix& mix)
    : mix_(mix),
      slot_count_(static_cast<std::uint32_t>(mix.slots.size())),
      flow_count_(profile.flows.count),
      first_qp_(profile.flows.first_qp),
      first_psn_(profile.flows.first_psn),
      first_port_(profile.flows.first_source_port),
      port_count_(profile.flows.source_ports),
      source_low_(low_16(profile.addresses.source)),
      source_count_(profile.addresses.sources),
      destination_low_(low_16(profile.addresses.destination)),
      destination_count_(profile.addresses.destinations),
      seed_(profile.seed),
      shuffle_(profile.flows.order == Order::random),
      order_(1, 0, 0, false) {}

void Generator::begin_round() noexcept {
  if (round_ > 0 && ++in_mix_ == slot_count_) {
    in_mix_ = 0;
    ++cycles_;
  }
  order_ = Permutation(flow_count_, seed_, round_, shuffle_);
  ++round_;
  left_ = flow_count_;
}

Generator::Ends Generator::ends() const {
  Ends ends(flow_count_);
  for (std::uint32_t flow = 0; flow < flow_count_; ++flow) {
    for (std::size_t series = 0; series < counted_series; ++series) {
      const std::uint32_t count =
          round_ == 0 ? 0 : count_of(series, turn_of(flow, in_mix_), cycles_);
      ends[flow][series] = (first_psn_ + count) & mask_24;
    }
  }
  if (round_ == 0) return ends;
  // Those whose turn it was already in this round.
  Permutation order(flow_count_, seed_, round_ - 1, shuffle_);
  for (std::uint32_t i = left_; i < flow_count_; ++i) {
    const std::uint32_t flow = order.next();
    const Series series = mix_.slots[turn_of(flow, in_mix_).slot].series;
    if (series == Series::none) continue;
    auto& end = ends[flow][static_cast<std::size_t>(series)];
    end = (end + 1) & mask_24;
  }
  return ends;
}

}  // namespace pktgen
