// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/samples.hpp"

namespace test {

using contract::EventType;
using contract::Verb;

namespace {

constexpr base::MacAddress mac(std::uint8_t last) {
  return {{0x02, 0, 0, 0, 0x0a, last}};
}

constexpr base::IpAddress ip(std::uint8_t last) {
  base::IpAddress address{};
  address.v6.bytes = {0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, last};
  return address;
}

template <contract::Record T>
Sample make(std::string_view name, auto type, std::initializer_list<T> records) {
  return {
      .name = name,
      .frame = contract::make_frame<T>(static_cast<std::uint16_t>(type), sample_transaction,
                                       sample_sequence, std::span(records.begin(), records.size())),
      .record_size = sizeof(T)};
}

template <contract::Record T>
Sample command(std::string_view name, Verb verb, const T& record) {
  return make<T>(name, verb, {record});
}

template <contract::Record T>
Sample event(std::string_view name, EventType type, const T& record) {
  return make<T>(name, type, {record});
}

contract::PortSet port_set() {
  contract::PortSet set{.port = {3},
                        .role = contract::PortRole::underlay,
                        .neighbours = contract::NeighbourKeeper::kernel,
                        .network = {4},
                        .transit_peer = {5},
                        .mtu = 1600,
                        .vlan = 100,
                        .addresses = {},
                        .parent = 7,
                        .inner_vlan = 200,
                        .rate = 10'000'000'000,
                        .burst = 65'536,
                        .reserved = 0};
  for (std::size_t i = 0; i < set.addresses.size(); ++i) {
    const auto number = static_cast<std::uint8_t>(i);
    set.addresses[i] = {.address = ip(number),
                        .prefix_length = static_cast<std::uint8_t>(64 + number)};
  }
  return set;
}

contract::NetworkSet network_set() {
  contract::NetworkSet set{.network = {4},
                           .flood_vtep_count = contract::flood_vteps_max,
                           .vni = 0x0a'0b'0c,
                           .flood_unknown_unicast = 1,
                           .reserved = {},
                           .flood_vteps = {}};
  for (std::size_t i = 0; i < set.flood_vteps.size(); ++i) {
    set.flood_vteps[i] = {static_cast<std::uint16_t>(300 + i)};
  }
  return set;
}

contract::TraceAdd trace_add() {
  return {.trace = 11,
          .count = 12,
          .fields = 0x7ff,
          .port = {3},
          .network = {4},
          .kind = 5,
          .ecn = 2,
          .destination_qp = 0x0d'0e'0f,
          .reason = 6,
          .reserved = {},
          .source_mac = mac(1),
          .destination_mac = mac(2),
          .source_ip = ip(1),
          .destination_ip = ip(2)};
}

constexpr contract::Digests digests{0x1111'1111'1111'1111, 0x2222'2222'2222'2222,
                                    0x3333'3333'3333'3333, 0x4444'4444'4444'4444};

contract::HelloReply hello_reply() {
  return {.version = 1,
          .worker_count = 2,
          .pid = 1234,
          .features = contract::feature_replace_tables,
          .boot_id = 0x0102'0304'0506'0708,
          .generation = 99,
          .digests = digests,
          .region_bytes = 65'536,
          .network_capacity = 1001,
          .vtep_capacity = 1002,
          .endpoint_capacity = 1003,
          .port_capacity = 64,
          .release = contract::to_text<contract::name_bytes>("0.1.0"),
          .next_hop_capacity = 1004,
          .reserved = 0};
}

contract::TracePacket trace_packet() {
  contract::TracePacket packet{.trace = 11,
                               .remaining = 12,
                               .time_ns = 1'000'000'007,
                               .generation = 99,
                               .worker = {1},
                               .in_port = {3},
                               .hop_count = contract::trace_hops_max,
                               .replica = 2,
                               .bytes_in = 4200,
                               .bytes_out = 4250,
                               .hops = {},
                               .head_in = {},
                               .head_out = {},
                               .destination_mac = mac(2),
                               .queue = 4};
  for (std::size_t i = 0; i < packet.hops.size(); ++i) {
    packet.hops[i] = {.stage = static_cast<std::uint16_t>(i),
                      .network = {4},
                      .vtep = {6},
                      .out_port = {8},
                      .destination_qp = 0x0d'0e'0f,
                      .kind = 5,
                      .ecn = 3,
                      .reason = 6,
                      .endpoint_matched = 1};
  }
  for (std::size_t i = 0; i < packet.head_in.size(); ++i) {
    packet.head_in[i] = static_cast<std::uint8_t>(i);
    packet.head_out[i] = static_cast<std::uint8_t>(255 - i);
  }
  return packet;
}

contract::VtepSet vtep_set() {
  return {.vtep = {6},
          .kind = contract::VtepKind::remote,
          .dscp_mode = contract::DscpMode::pin,
          .dscp = 26,
          .ttl = 32,
          .source = {5},
          .port = {3},
          .next_hop_mac = mac(3),
          .address = ip(3),
          .udp_checksum = contract::UdpChecksum::full,
          .reserved = 0,
          .next_hops = {base::NextHopId{8}, base::NextHopId{9}}};
}

contract::HostRuleSet host_rule_set() {
  return {.host_class = contract::HostClass::other,
          .action = contract::HostAction::drop,
          .reserved = 0,
          .rate = 1000,
          .burst = 2000};
}

contract::QueueSet queue_set() {
  return {.port = {3},
          .traffic_class = 4,
          .mark = contract::MarkPlace::both,
          .carries = 0b1111,
          .drop_not_ect = 1,
          .mark_control = 1,
          .reserved = 0,
          .dscp = 0x8000'0000'0400'0001,
          .rate = 1'000'000'000,
          .burst = 32'768,
          .buffer = 2'000'000,
          .kmin = 100'000,
          .kmax = 400'000,
          .pmax = 250'000,
          .reserved_2 = 0};
}

}  // namespace

std::optional<Sample> sample_of(Verb verb) {
  switch (verb) {
    case Verb::hello:
      return command<contract::Hello>(
          "hello", verb,
          {.version_min = 1,
           .version_max = 1,
           .pid = 1234,
           .features = 0,
           .program = contract::to_text<contract::name_bytes>("weir-controlplane"),
           .release = contract::to_text<contract::name_bytes>("0.1.0")});
    case Verb::begin: return command<contract::Begin>("begin", verb, {.replace = 1});
    case Verb::commit: return command<contract::Commit>("commit", verb, {.reserved = 0});
    case Verb::abort: return command<contract::Abort>("abort", verb, {.reserved = 0});
    case Verb::port_add:
      return command<contract::PortAdd>(
          "port_add", verb,
          {.port = {3},
           .rx_queues = 2,
           .rx_descriptors = 512,
           .tx_descriptors = 64,
           .name = contract::to_text<contract::name_bytes>("wire0"),
           .device = contract::to_text<contract::device_bytes>("net_tap0,iface=wire0")});
    case Verb::port_remove:
      return command<contract::PortRemove>("port_remove", verb, {.port = {3}});
    case Verb::port_set: return command("port_set", verb, port_set());
    case Verb::network_set: return command("network_set", verb, network_set());
    case Verb::network_remove:
      return command<contract::NetworkRemove>("network_remove", verb, {.network = {4}});
    case Verb::vtep_set: return command("vtep_set", verb, vtep_set());
    case Verb::vtep_remove:
      return command<contract::VtepRemove>("vtep_remove", verb, {.vtep = {6}});
    case Verb::endpoint_set:
      return make<contract::EndpointSet>("endpoint_set", verb,
                                         {{.network = {4},
                                           .mac = mac(4),
                                           .place = contract::EndpointPlace::vtep,
                                           .reserved = 0,
                                           .target = 6},
                                          {.network = {4},
                                           .mac = mac(5),
                                           .place = contract::EndpointPlace::port,
                                           .reserved = 0,
                                           .target = 3}});
    case Verb::endpoint_remove:
      return command<contract::EndpointRemove>("endpoint_remove", verb,
                                               {.network = {4}, .mac = mac(4)});
    case Verb::next_hop_set:
      return command<contract::NextHopSet>(
          "next_hop_set", verb, {.next_hop = {8}, .port = {3}, .mac = mac(6), .address = ip(6)});
    case Verb::next_hop_remove:
      return command<contract::NextHopRemove>("next_hop_remove", verb, {.next_hop = {8}});
    case Verb::trace_add: return command("trace_add", verb, trace_add());
    case Verb::trace_remove:
      return command<contract::TraceRemove>("trace_remove", verb, {.trace = 11});
    case Verb::host_rule_set: return command("host_rule_set", verb, host_rule_set());
    case Verb::host_rule_remove:
      return command<contract::HostRuleRemove>("host_rule_remove", verb,
                                               {.host_class = contract::HostClass::other});
    case Verb::queue_set: return command("queue_set", verb, queue_set());
    case Verb::queue_remove:
      return command<contract::QueueRemove>("queue_remove", verb,
                                            {.port = {3}, .traffic_class = 4, .reserved = 0});
  }
  return std::nullopt;
}

std::optional<Sample> sample_of(EventType type) {
  switch (type) {
    case EventType::hello_reply: return event("hello_reply", type, hello_reply());
    case EventType::reply:
      return event<contract::Reply>(
          "reply", type,
          {.status = 8,
           .verb = 40,
           .refused_record = 5,
           .error_number = 12,
           .text = contract::to_text<180>("the endpoint table is full; raise --endpoints")});
    case EventType::commit_reply:
      return event<contract::CommitReply>("commit_reply", type,
                                          {.status = 9,
                                           .refused_port = 4,
                                           .error_number = 19,
                                           .generation = 99,
                                           .digests = digests,
                                           .text = contract::to_text<184>("no such device")});
    case EventType::link_change:
      return event<contract::LinkChange>("link_change", type,
                                         {.port = {3}, .up = 1, .gone = 1, .speed_mbps = 100'000});
    case EventType::neighbour_change:
      return event<contract::NeighbourChange>("neighbour_change", type,
                                              {.port = {3},
                                               .what = contract::NeighbourNews::next_hop_moved,
                                               .reserved = 0,
                                               .mac = mac(7),
                                               .before = mac(8),
                                               .address = ip(7)});
    case EventType::trace_packet: return event("trace_packet", type, trace_packet());
  }
  return std::nullopt;
}

namespace {

// By every number that there can be: nobody can forget to list one.
template <class Type>
std::vector<Sample> all_samples() {
  std::vector<Sample> samples;
  for (unsigned number = 0; number <= 0xffff; ++number) {
    if (auto sample = sample_of(static_cast<Type>(number))) samples.push_back(std::move(*sample));
  }
  return samples;
}

}  // namespace

std::vector<Sample> command_samples() {
  return all_samples<Verb>();
}

std::vector<Sample> event_samples() {
  return all_samples<EventType>();
}

}  // namespace test
