// SPDX-License-Identifier: Apache-2.0
// What a profile says: the traffic, how fast, for how long. Plain values with their defaults; what
// each field means to people stands in fields.cpp, once.
#pragma once

#include "dataplane/base/address.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pktgen {

enum class Order : std::uint8_t { random, sequential };
inline constexpr std::array<std::string_view, 2> order_words{"random", "sequential"};

// As the two bits stand in the IP header.
enum class EcnField : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };
inline constexpr std::array<std::string_view, 4> ecn_words{"not_ect", "ect1", "ect0", "ce"};

// What a message of the mix is. Requests of RC, what answers them, CNPs, and messages of UC and UD.
enum class MessageKind : std::uint8_t {
  write,
  write_imm,
  send,
  send_imm,
  send_invalidate,
  read,
  compare_swap,
  fetch_add,
  atomic_write,
  flush,
  ack,
  read_response,
  atomic_ack,
  cnp,
  uc_send,
  uc_send_imm,
  uc_write,
  uc_write_imm,
  ud_send,
  ud_send_imm,
};
inline constexpr std::array<std::string_view, 20> operation_words{
    "write",       "write_imm",     "send",         "send_imm",     "send_invalidate",
    "read",        "compare_swap",  "fetch_add",    "atomic_write", "flush",
    "ack",         "read_response", "atomic_ack",   "cnp",          "uc_send",
    "uc_send_imm", "uc_write",      "uc_write_imm", "ud_send",      "ud_send_imm"};

struct RateProfile {
  std::uint64_t frames_per_second = 0;  // 0: as bits_per_second says; both 0: as fast as it goes.
  std::uint64_t bits_per_second = 0;    // Of frames without FCS.
  std::uint16_t burst = 8;              // Frames that leave together.
};

struct FlowsProfile {
  std::uint32_t count = 256;
  std::uint32_t first_qp = 256;
  std::uint32_t first_psn = 0;
  std::uint16_t first_source_port = 49152;
  std::uint16_t source_ports = 16384;
  Order order = Order::random;
};

struct AddressesProfile {
  base::MacAddress source_mac{{0x02, 0, 0, 0, 0x0a, 0x01}};
  base::MacAddress destination_mac{{0x02, 0, 0, 0, 0x0a, 0x02}};
  base::IpAddress source = base::IpAddress::from(base::Ipv4Address(0x0a4d'0001));
  base::IpAddress destination = base::IpAddress::from(base::Ipv4Address(0x0a4d'0002));
  std::uint32_t sources = 1;
  std::uint32_t destinations = 1;
};

struct MarkingProfile {
  EcnField ecn = EcnField::ect0;
  std::uint8_t dscp = 26;      // Of data, what NVIDIA's stack calls RoCE.
  std::uint8_t cnp_dscp = 48;  // And CNP.
};

struct TunnelProfile {
  bool present = false;
  std::uint32_t vni = 100;
  base::MacAddress source_mac{{0x02, 0, 0, 0, 0x0b, 0x01}};
  base::MacAddress destination_mac{{0x02, 0, 0, 0, 0x0b, 0x02}};
  base::IpAddress source = base::IpAddress::from(base::Ipv4Address(0xc612'0001));
  base::IpAddress destination = base::IpAddress::from(base::Ipv4Address(0xc612'0002));
};

struct MixEntry {
  MessageKind operation = MessageKind::write;
  std::uint32_t bytes = 4096;  // Of a message's payload.
  std::uint32_t share = 1;     // Of the messages, relative to the others'.
};

// What mode endpoints does: queue pairs that are acknowledged, repaired and slowed down.
enum class Mode : std::uint8_t { generate, endpoints };
inline constexpr std::array<std::string_view, 2> mode_words{"generate", "endpoints"};

// Whether both sides know the queue pairs' numbers and PSNs, or tell each other.
enum class Connect : std::uint8_t { known, rdma_cm };
inline constexpr std::array<std::string_view, 2> connect_words{"known", "rdma_cm"};

enum class Reaction : std::uint8_t { off, paper, hpcc, nvidia };
inline constexpr std::array<std::string_view, 4> reaction_words{"off", "paper", "hpcc", "nvidia"};

struct EndpointsProfile {
  std::uint64_t messages = 0;  // Of each queue pair; 0: without end.
  bool both_ways = false;
  Connect connect = Connect::known;
  std::uint32_t cm_timeout_ms = 500;
  std::uint8_t cm_retries = 7;
  std::uint64_t line_bits_per_second = 1'000'000'000;
  std::uint32_t window_packets = 256;
  std::uint32_t reads_max = 16;
  std::uint32_t ack_every = 16;
  std::uint8_t timeout_exponent = 14;
  std::uint8_t retries = 7;
  std::uint32_t receives = 0;  // 0: as many as are asked for.
  std::uint32_t receive_interval_us = 1000;
  std::uint8_t rnr_timer = 12;
  std::uint8_t rnr_retries = 7;
  Reaction dcqcn = Reaction::hpcc;
  std::uint32_t time_scale = 1;
  std::uint64_t least_bits_per_second = 0;     // 0: as the preset says.
  std::uint64_t additive_bits_per_second = 0;  // The same.
  std::uint32_t cnp_interval_us = 0;           // The same.
};

struct Profile {
  std::string name;  // Of the file, without folder and ending.
  std::string description;
  std::uint32_t seconds = 10;
  std::uint64_t frames = 0;  // 0: until the time is over.
  std::uint64_t seed = 1;
  Mode mode = Mode::generate;
  std::uint16_t pmtu = 4096;
  RateProfile rate;
  FlowsProfile flows;
  AddressesProfile addresses;
  MarkingProfile marking;
  TunnelProfile tunnel;
  std::vector<MixEntry> mix;
  EndpointsProfile endpoints = {};  // Of mode endpoints.
};

}  // namespace pktgen
