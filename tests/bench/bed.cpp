// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bed.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/housekeeper/derive_queue.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "pipelines/tunnels/tunnels.hpp"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace bench {
namespace {

using base::be16;
using base::be32;

constexpr std::uint16_t tenant_port = 0, underlay_port = 1;
constexpr std::uint16_t network = 1, self = 1, peer = 2;
constexpr std::uint32_t vni = 100;
constexpr auto underlay_mac = "02:70:63:61:70:00";
constexpr std::uint8_t tos = 0x6a;  // DSCP 26, ECT(0).
// Of a standing queue, whose clock each burst advances by what a burst takes to leave.
constexpr std::uint64_t queue_rate = 10'000'000'000;
constexpr std::uint32_t packet_bytes = 178;  // With its tunnel.
constexpr std::uint32_t standing_bytes = 4 * dp::burst_max * packet_bytes;

// 128 bytes, as tools/bench peers sends them. The ICRC is left zero: no stage reads it.
struct RoceFrame {
  dp::EthernetHeader ethernet;
  dp::Ipv4Header ip;
  dp::UdpHeader udp;
  dp::BthHeader bth;
  std::uint8_t payload_and_icrc[74];
};
static_assert(sizeof(RoceFrame) == 128);

template <class Ip>
struct TunnelledFrame {
  dp::UdpTunnelHeader<Ip> outer;
  dp::VxlanHeader vxlan;
  RoceFrame inner;
};
static_assert(sizeof(TunnelledFrame<dp::Ipv4Header>) == 178);
static_assert(sizeof(TunnelledFrame<dp::Ipv6Header>) == 198);

struct Ends {
  std::string_view self;
  std::string_view peer;
};
constexpr Ends ends4{"198.18.0.1", "198.18.0.2"}, ends6{"fd00:18::1", "fd00:18::2"};

base::MacAddress endpoint_mac(std::uint32_t index) {
  return {{0x02, 0x00, static_cast<std::uint8_t>(index >> 24),
           static_cast<std::uint8_t>(index >> 16), static_cast<std::uint8_t>(index >> 8),
           static_cast<std::uint8_t>(index)}};
}

RoceFrame make_frame(std::uint32_t index) {
  RoceFrame frame{};
  frame.ethernet = {.destination = endpoint_mac(index),
                    .source = test::mac("02:00:00:00:0a:01"),
                    .type = be16(dp::ethertype::ipv4)};
  frame.ip = {.version_ihl = 0x45,
              .tos = tos,
              .total_length = be16(sizeof frame - sizeof frame.ethernet),
              .id = be16(0),
              .flags_fragment = be16(0x4000),
              .ttl = 64,
              .protocol = dp::ip_protocol::udp,
              .checksum = be16(0),
              .source = test::ipv4("10.0.0.1"),
              .destination = test::ipv4("10.0.0.2")};
  const auto checksum = dp::fold(dp::sum_words(&frame.ip, sizeof frame.ip));
  frame.ip.checksum = be16::from_raw(static_cast<std::uint16_t>(~checksum));
  frame.udp = {.source = be16(static_cast<std::uint16_t>(49152 + index % 16384)),
               .destination = be16(dp::udp_port::roce_v2),
               .length = be16(sizeof frame - sizeof frame.ethernet - sizeof frame.ip),
               .checksum = be16(0)};
  frame.bth = {.opcode = 0x07,  // RC WRITE Middle.
               .flags = 0x40,
               .partition_key = be16(0xffff),
               .destination_qp_word = be32(0x100 + index),
               .psn_word = be32(index)};
  return frame;
}

// As the far gateway sends it.
template <class Ip, class Address>
TunnelledFrame<Ip> wrap(const RoceFrame& inner, std::uint32_t index, const Address& source,
                        const Address& destination) {
  TunnelledFrame<Ip> frame{};
  frame.outer = dp::prepare_udp_tunnel(
      dp::UdpTunnelAddresses<Ip>{.source_mac = test::mac("02:00:00:00:ff:02"),
                                 .next_hop_mac = test::mac(underlay_mac),
                                 .source = source,
                                 .destination = destination,
                                 .ttl = 64,
                                 .udp_destination = dp::Vxlan::udp_destination});
  std::uint32_t varying = index & 0xf'ffff;  // The flow label.
  if constexpr (std::is_same_v<Ip, dp::Ipv4Header>) varying = dp::constant_sum(frame.outer.ip);
  dp::write_udp_tunnel(&frame.outer, dp::front_of(frame.outer), frame.outer,
                       {.varying = varying,
                        .tos = tos,
                        .source_port = static_cast<std::uint16_t>(49152 + index % 16384),
                        .payload_bytes = sizeof frame.vxlan + sizeof inner});
  dp::Vxlan::write(reinterpret_cast<std::uint8_t*>(&frame.vxlan), vni);
  frame.inner = inner;
  return frame;
}

template <class Frame>
std::vector<std::uint8_t> bytes_of(const Frame& frame) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&frame);
  return {bytes, bytes + sizeof frame};
}

std::vector<std::uint8_t> make_bytes(const Workload& workload, std::uint32_t index) {
  RoceFrame inner = make_frame(index);
  if (workload.one_endpoint) inner.ethernet.destination = endpoint_mac(0);
  if (workload.direction != Direction::decap) return bytes_of(inner);
  if (!workload.over_ipv6) {
    return bytes_of(
        wrap<dp::Ipv4Header>(inner, index, test::ipv4(ends4.peer), test::ipv4(ends4.self)));
  }
  return bytes_of(
      wrap<dp::Ipv6Header>(inner, index, test::ip(ends6.peer).v6, test::ip(ends6.self).v6));
}

// No room between the objects, as the product packs its pool.
rte_mempool* make_packed_pool(std::uint32_t mbufs) {
  static int number = 0;
  const std::string name = "bench" + std::to_string(++number);
  constexpr std::uint16_t room = 2048 + RTE_PKTMBUF_HEADROOM;
  rte_mempool* pool = rte_mempool_create_empty(name.c_str(), mbufs, sizeof(rte_mbuf) + room, 0,
                                               sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY,
                                               RTE_MEMPOOL_F_NO_SPREAD);
  CHECK(pool != nullptr);
  rte_pktmbuf_pool_private fields{};
  fields.mbuf_data_room_size = room;
  rte_pktmbuf_pool_init(pool, &fields);
  CHECK(rte_mempool_populate_default(pool) == static_cast<int>(mbufs));
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace

bool start_eal(const char* program, bool hugepages) {
  std::array<const char*, 9> arguments{program,
                                       hugepages ? "--in-memory" : "--no-huge",
                                       "-m",
                                       "768",
                                       "--no-shconf",
                                       "--no-pci",
                                       "--no-telemetry",
                                       "--log-level=error",
                                       "-c1"};
  return rte_eal_init(arguments.size(), const_cast<char**>(arguments.data())) >= 0;
}

contract::PortRole role_of(Direction direction) noexcept {
  switch (direction) {
    case Direction::encap: return contract::PortRole::tenant;
    case Direction::decap: return contract::PortRole::underlay;
    case Direction::transit: break;
  }
  return contract::PortRole::transit;
}

Bed::Bed(const Workload& workload)
    : workload_(workload),
      gateway_({.mbufs = 255, .endpoints = workload.qp_count}),
      environment_(gateway_.worker(0).environment()),
      pool_(make_packed_pool(workload.qp_count + dp::burst_max)),
      tracer_(board_, ring_, base::WorkerId{0}),
      queue_(base::PortId{underlay_port}, base::WorkerId{0}, 1, UINT32_MAX),
      exits_(environment_, *this, tracer_, punts_) {
  program();
  make_frames();
  exits_.use_queues(home_queues_, home_queues_);
}

Bed::~Bed() {
  // What waits is among the bed's own frames.
  while (queue_.take_any().mbuf != nullptr) exits_.totals().rx -= 1;
  exits_.publish();  // The gateway checks that all packets are accounted for.
  rte_pktmbuf_free_bulk(frames_.data(), static_cast<unsigned>(frames_.size()));
}

void Bed::program() {
  if (workload_.direction == Direction::transit) {
    gateway_.add_port(tenant_port, test::transit_port(underlay_port));
    gateway_.add_port(underlay_port, test::transit_port(tenant_port));
    finish_program();
    return;
  }
  gateway_.add_port(tenant_port, test::tenant_port(network));
  gateway_.add_port(underlay_port, test::underlay_port(underlay_mac));
  gateway_.set_network(network, vni, /*flood_unknown_unicast=*/false);
  const Ends& ends = workload_.over_ipv6 ? ends6 : ends4;
  gateway_.set_local_vtep(self, ends.self);
  gateway_.set_remote_vtep(peer,
                           {.address = ends.peer, .port = underlay_port, .source = ends.self});
  for (std::uint16_t more = 1; more < workload_.vtep_count; ++more) {
    const std::string address = "198.18.1." + std::to_string(more);
    gateway_.set_remote_vtep(static_cast<std::uint16_t>(peer + more),
                             {.address = address, .port = underlay_port, .source = ends.self});
  }
  for (std::uint32_t i = 0; i < workload_.qp_count; ++i) {
    const auto vtep = static_cast<std::uint16_t>(peer + i % workload_.vtep_count);
    gateway_.set_endpoint(
        network, base::to_string(endpoint_mac(i)),
        workload_.direction == Direction::encap ? test::at_vtep(vtep) : test::at_port(tenant_port));
  }
  if (workload_.queueing != Queueing::none) program_queue();
  finish_program();
}

void Bed::finish_program() {
  gateway_.commit();
  environment_.generation = gateway_.worker(0).environment().generation;
  environment_.in_port = environment_.tables.ports.find(in_port(), environment_.generation);
}

void Bed::program_queue() {
  contract::QueueSet data{.traffic_class = 3, .dscp = std::uint64_t{1} << 26};
  if (workload_.queueing != Queueing::bypass) {
    data.kmin = standing_bytes / 2;
    data.kmax = 4 * standing_bytes;
    data.pmax = contract::queue_pmax_max;
  }
  dp::QueueSettings settings{};
  settings[data.traffic_class] = &data;
  contract::PortSet port{};
  if (workload_.queueing == Queueing::standing) {
    port.rate = queue_rate;
    port.burst = standing_bytes;
  }
  gateway_.set_queue(underlay_port, dp::make_queue_record(port, settings, rte_get_tsc_hz()));
}

std::uint16_t Bed::in_port() const noexcept {
  return workload_.direction == Direction::decap ? underlay_port : tenant_port;
}

void Bed::make_frames() {
  const std::size_t bursts = (workload_.qp_count + dp::burst_max - 1) / dp::burst_max;
  std::vector<std::uint32_t> order(bursts * dp::burst_max);
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i % workload_.qp_count;
  std::shuffle(order.begin(), order.end(), std::mt19937(1));

  for (const std::uint32_t index : order) {
    const std::vector<std::uint8_t> frame = make_bytes(workload_, index);
    frame_bytes_ = static_cast<std::uint16_t>(frame.size());
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_.get());
    CHECK(mbuf != nullptr);
    std::memcpy(rte_pktmbuf_append(mbuf, frame_bytes_), frame.data(), frame.size());
    frames_.push_back(mbuf);
  }
}

dp::Batch& Bed::next_burst() noexcept {
  if (workload_.queueing == Queueing::standing && queue_.held() >= standing_bytes / packet_bytes) {
    environment_.turn_cycles +=
        dp::burst_max * packet_bytes * 8 * rte_get_tsc_hz() / queue_rate + 1;
  }
  for (std::uint16_t i = 0; i < dp::burst_max; ++i) {
    rte_mbuf* mbuf = frames_[next_ + i];
    rte_pktmbuf_reset_headroom(mbuf);
    mbuf->data_len = frame_bytes_;
    mbuf->pkt_len = frame_bytes_;
    batch_.receive_into()[i] = mbuf;
  }
  next_ = next_ + dp::burst_max < frames_.size() ? next_ + dp::burst_max : 0;
  batch_.received(dp::burst_max);
  exits_.totals().rx += dp::burst_max;
  batch_.reset_metas(base::PortId{in_port()}, environment_.in_port->network);
  return batch_;
}

dp::Egress::Sent Bed::send(base::PortId, std::span<rte_mbuf*> frames) noexcept {
  return {.port_present = true, .count = static_cast<std::uint16_t>(frames.size())};
}

}  // namespace bench
