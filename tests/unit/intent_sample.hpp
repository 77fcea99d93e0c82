// SPDX-License-Identifier: Apache-2.0
// What the tests of intent, plan and store start from: one good intent and short ways to vary it.
#pragma once

#include "controlplane/intent/read.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

// Two gateways' worth of the usual objects; line 1 is the first line of the text.
inline constexpr std::string_view sample_yaml = R"(ports:
  - {name: wire0, role: underlay, device: "net_memif0,socket=/run/m0", mtu: 1600}
  - {name: host0, role: tenant, device: "net_tap0,iface=host0", network: blue}
vteps:
  - {name: self, kind: local, address: 198.18.0.1, port: wire0}
  - {name: gw2, kind: remote, address: 198.18.0.2, port: wire0, source: self,
     next_hop_mac: 02:00:00:00:ff:02}
networks:
  - {name: blue, vni: 100, flood: [gw2]}
endpoints:
  - {network: blue, mac: 02:00:00:00:0a:01, port: host0}
  - {network: blue, mac: 02:00:00:00:0b:01, vtep: gw2}
)";

// The sample with one piece of its text replaced.
inline std::string sample_with(std::string_view old_piece, std::string_view new_piece) {
  std::string text(sample_yaml);
  text.replace(text.find(old_piece), old_piece.size(), new_piece);
  return text;
}

inline cp::Intent sample_intent() {
  return cp::read_intent(sample_yaml, cp::Syntax::yaml).value();
}

// A name as the tests write it.
inline cp::Name name(std::string_view text) {
  return cp::Name::make(text).value();
}

inline base::MacAddress mac(std::uint64_t number) {
  base::MacAddress result{};
  for (std::size_t i = 0; i < 6; ++i) {
    result.bytes[5 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  return result;
}

// The sample with this many endpoints, every one behind gw2 or host0.
inline cp::Intent large_intent(std::size_t endpoint_count) {
  cp::Intent intent = sample_intent();
  intent.endpoints.clear();
  intent.endpoints.reserve(endpoint_count);
  const cp::Name network = intent.networks.front().name;
  const cp::Name remote = name("gw2");
  const cp::Name port = name("host0");
  for (std::size_t i = 0; i < endpoint_count; ++i) {
    const bool is_remote = i % 4 != 0;
    intent.endpoints.push_back({.network = network,
                                .mac = mac(0x0200'0000'0000 + i),
                                .vtep = is_remote ? remote : cp::Name{},
                                .port = is_remote ? cp::Name{} : port});
  }
  return intent;
}
