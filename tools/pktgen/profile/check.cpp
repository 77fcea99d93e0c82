// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/check.hpp"

#include "tools/pktgen/profile/messages.hpp"

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

void judge_mix(const Profile& profile, std::vector<Fault>& faults) {
  if (profile.mix.empty()) {
    faults.push_back({.path = "mix",
                      .message = "says nothing to send",
                      .suggestion = "[{operation: write, bytes: 4096}]"});
  }
  if (profile.mix.size() > 32) {
    faults.push_back({.path = "mix", .message = "has more than 32 kinds of messages"});
  }
  for (std::size_t i = 0; i < profile.mix.size(); ++i) {
    const MixEntry& entry = profile.mix[i];
    if (entry.operation == MessageKind::ud_send && entry.bytes > profile.pmtu) {
      faults.push_back({.path = "mix[" + std::to_string(i) + "].bytes",
                        .message = "UD messages are single packets: at most pmtu",
                        .suggestion = std::to_string(profile.pmtu)});
    }
    if (entry.operation == MessageKind::read && entry.bytes > profile.pmtu) {
      faults.push_back({.path = "mix[" + std::to_string(i) + "].bytes",
                        .message = "a generated READ asks for one packet: at most pmtu",
                        .suggestion = std::to_string(profile.pmtu)});
    }
    if (!has_payload(entry.operation) && entry.operation != MessageKind::read &&
        entry.bytes != MixEntry{}.bytes) {
      faults.push_back(
          {.path = "mix[" + std::to_string(i) + "].bytes",
           .message = std::string(operation_words[static_cast<std::size_t>(entry.operation)]) +
                      " has a size of its own: leave it out"});
    }
  }
}

// Of generated frames any number; a queue pair of an endpoint takes memory and a turn.
constexpr std::uint32_t endpoint_flows_max = 16'384;

void judge_endpoints(const Profile& profile, std::vector<Fault>& faults) {
  const EndpointsProfile& endpoints = profile.endpoints;
  if (profile.flows.count > endpoint_flows_max) {
    faults.push_back(
        {.path = "flows.count",
         .message = "endpoints have at most " + std::to_string(endpoint_flows_max) + " queue pairs",
         .suggestion = std::to_string(endpoint_flows_max)});
  }
  if (!profile.mix.empty()) {
    faults.push_back({.path = "mix", .message = "is of mode generate, and this is endpoints"});
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
  if (profile.mode == Mode::generate) {
    judge_mix(profile, faults);
  } else {
    judge_endpoints(profile, faults);
  }
  return faults;
}

}  // namespace pktgen
