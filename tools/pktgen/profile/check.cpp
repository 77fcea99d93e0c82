// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/check.hpp"

#include "tools/pktgen/profile/messages.hpp"

#include <algorithm>
#include <bit>

namespace pktgen {
namespace {

constexpr std::uint64_t qp_end = 0xff'ffff;  // The multicast queue pair, nobody's own.

void judge_flows(const Profile& profile, std::vector<Fault>& faults) {
  const FlowsProfile& flows = profile.flows;
  if (std::uint64_t{flows.first_qp} + flows.count > qp_end) {
    faults.push_back({.path = "flows.count",
                      .message = "queue pairs " + std::to_string(flows.first_qp) + " and on are " +
                                 std::to_string(qp_end - flows.first_qp) + " at most",
                      .suggestion = std::to_string(qp_end - flows.first_qp)});
  }
  if (flows.first_qp < 2) {
    faults.push_back({.path = "flows.first_qp",
                      .message = "0 and 1 are for management, and no endpoint sends data to them",
                      .suggestion = "2"});
  }
  if (flows.first_source_port + std::uint32_t{flows.source_ports} > 65536) {
    faults.push_back({.path = "flows.source_ports",
                      .message = "there are no ports beyond 65535",
                      .suggestion = std::to_string(65536 - flows.first_source_port)});
  }
}

void judge_family(const std::string& path, const base::IpAddress& source,
                  const base::IpAddress& destination, std::vector<Fault>& faults) {
  if (source.is_v4() == destination.is_v4()) return;
  faults.push_back(
      {.path = path + ".destination",
       .message = std::string("must be IPv") + (source.is_v4() ? "4" : "6") + " as the source is"});
}

// Only the last 16 bits of an address count on: more would need carries per frame.
void judge_range(const char* field, const base::IpAddress& first, std::uint32_t count,
                 std::vector<Fault>& faults) {
  const std::uint32_t low = std::uint32_t{first.v6.bytes[14]} << 8 | first.v6.bytes[15];
  if (low + count <= 65536) return;
  faults.push_back(
      {.path = std::string("addresses.") + field,
       .message = "the last 16 bits of " + base::to_string(first) + " cannot count on so far",
       .suggestion = std::to_string(65536 - low)});
}

std::string field_of(std::size_t entry, const char* field) {
  return "mix[" + std::to_string(entry) + "]." + field;
}

void judge_entry(const Profile& profile, std::size_t i, std::vector<Fault>& faults) {
  const MixEntry& entry = profile.mix[i];
  const std::string operation(operation_words[static_cast<std::size_t>(entry.operation)]);
  const bool endpoints = profile.mode == Mode::endpoints;
  if (endpoints && !is_asked_for(entry.operation)) {
    faults.push_back(
        {.path = field_of(i, "operation"),
         .message = operation + " is of mode generate: endpoints answer by themselves"});
  }
  if (transport_of(entry.operation) == Transport::ud && entry.bytes > profile.pmtu) {
    faults.push_back({.path = field_of(i, "bytes"),
                      .message = "UD messages are single packets: at most pmtu",
                      .suggestion = std::to_string(profile.pmtu)});
  }
  if (!endpoints && entry.operation == MessageKind::read &&
      psns_of(profile, entry) > read_packets_max) {
    const std::uint64_t most = read_packets_max * profile.pmtu;
    faults.push_back({.path = field_of(i, "bytes"),
                      .message = "a generated READ asks for 16 packets of pmtu at most",
                      .suggestion = std::to_string(most)});
  }
  if (!has_size(entry.operation) && entry.bytes != MixEntry{}.bytes) {
    faults.push_back({.path = field_of(i, "bytes"),
                      .message = operation + " has a size of its own: leave it out"});
  }
}

void judge_mix(const Profile& profile, std::vector<Fault>& faults) {
  if (profile.mix.empty()) {
    faults.push_back({.path = "mix",
                      .message = "says nothing to send",
                      .suggestion = "[{operation: write, bytes: 4096}]"});
  }
  if (profile.mix.size() > 32) {
    faults.push_back({.path = "mix", .message = "has more than 32 kinds of messages"});
  }
  for (std::size_t i = 0; i < profile.mix.size(); ++i) judge_entry(profile, i, faults);
  if (const std::uint64_t slots = slot_count(profile); slots > slot_count_max) {
    const bool packets = profile.mode == Mode::generate;
    faults.push_back(
        {.path = "mix",
         .message = "is " + std::to_string(slots) + (packets ? " packets" : " messages") +
                    " until it begins anew, and may be " + std::to_string(slot_count_max) +
                    ": lower shares" + (packets ? " or bytes" : "")});
  }
}

// Of generated frames any number; a queue pair of an endpoint takes memory and a turn.
constexpr std::uint32_t endpoint_flows_max = 16'384;

void judge_transports(const Profile& profile, std::vector<Fault>& faults) {
  // Said already.
  if (profile.mix.empty() || slot_count(profile) > slot_count_max) return;
  const auto turns = transports_in_turn(profile);
  for (std::size_t i = 0; i < profile.mix.size(); ++i) {
    const Transport transport = transport_of(profile.mix[i].operation);
    const auto first = std::ranges::find(turns, transport) - turns.begin();
    if (first >= static_cast<std::ptrdiff_t>(profile.flows.count)) {
      faults.push_back({.path = "flows.count",
                        .message = "is too low for " + field_of(i, "share") +
                                   " to give its transport a queue pair",
                        .suggestion = std::to_string(first + 1)});
    }
    if (transport == Transport::ud && profile.endpoints.connect == Connect::rdma_cm) {
      faults.push_back(
          {.path = "endpoints.connect",
           .message = "RDMA-CM connects RC and UC, and " + field_of(i, "operation") + " is UD",
           .suggestion = "known"});
    }
  }
}

void judge_endpoints(const Profile& profile, std::vector<Fault>& faults) {
  const EndpointsProfile& endpoints = profile.endpoints;
  if (profile.flows.count > endpoint_flows_max) {
    faults.push_back(
        {.path = "flows.count",
         .message = "endpoints have at most " + std::to_string(endpoint_flows_max) + " queue pairs",
         .suggestion = std::to_string(endpoint_flows_max)});
  }
  judge_transports(profile, faults);
  if (profile.rate.frames_per_second + profile.rate.bits_per_second != 0) {
    faults.push_back(
        {.path = "rate", .message = "is of mode generate; endpoints share line_bits_per_second"});
  }
  if (endpoints.least_bits_per_second > endpoints.line_bits_per_second) {
    faults.push_back({.path = "endpoints.least_bits_per_second",
                      .message = "is more than the line's",
                      .suggestion = std::to_string(endpoints.line_bits_per_second)});
  }
  if (profile.addresses.sources > 1 || profile.addresses.destinations > 1) {
    faults.push_back({.path = "addresses",
                      .message = "endpoints have one address on each side: leave sources and "
                                 "destinations out"});
  }
}

}  // namespace

std::vector<Fault> find_faults(const Profile& profile) {
  std::vector<Fault> faults;
  if (!std::has_single_bit(profile.pmtu)) {
    faults.push_back({.path = "pmtu",
                      .message = "is 256, 512, 1024, 2048 or 4096",
                      .suggestion = std::to_string(std::bit_floor(profile.pmtu))});
  }
  if (profile.rate.frames_per_second != 0 && profile.rate.bits_per_second != 0) {
    faults.push_back({.path = "rate.bits_per_second",
                      .message = "is said beside frames_per_second: keep one of them"});
  }
  judge_flows(profile, faults);
  const AddressesProfile& addresses = profile.addresses;
  judge_family("addresses", addresses.source, addresses.destination, faults);
  judge_range("sources", addresses.source, addresses.sources, faults);
  judge_range("destinations", addresses.destination, addresses.destinations, faults);
  if (profile.tunnel.present) {
    judge_family("tunnel", profile.tunnel.source, profile.tunnel.destination, faults);
  }
  judge_mix(profile, faults);
  if (profile.mode == Mode::endpoints) judge_endpoints(profile, faults);
  return faults;
}

}  // namespace pktgen
