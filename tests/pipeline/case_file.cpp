// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/case_file.hpp"

#include "dataplane/base/check.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace test {
namespace {

template <class T>
T next(std::istringstream& line) {
  T value{};
  line >> value;
  CHECK(!line.fail());
  return value;
}

// The enumerator with this name, by the contract's own list of names.
template <class Enum>
Enum named(const std::string& text, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (contract::name(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
  }
  CHECK(!"no such name");
  return {};
}

unsigned digit(char c) {
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

Bytes from_hex(const std::string& text) {
  Bytes bytes;
  if (text == "-") return bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return bytes;
}

void read_directive(const std::string& directive, std::istringstream& line, Case& one) {
  if (directive == "in") {
    const auto port = next<std::uint16_t>(line);
    one.in.push_back({.port = port, .frame = from_hex(next<std::string>(line))});
    line >> one.in.back().segment_bytes;  // May be left out.
  } else if (directive == "out") {
    const auto port = next<std::uint16_t>(line);
    one.out.push_back({.port = port, .hex = next<std::string>(line)});
  } else if (directive == "punt") {
    one.punts = true;
    line >> one.punted_hex;  // May be left out.
  } else if (directive == "drop") {
    const auto stage = next<std::string>(line);
    const auto reason =
        named<contract::DropReason>(next<std::string>(line), contract::drop_reason_count);
    one.drops[{stage, reason}] += next<std::uint64_t>(line);
  } else if (directive == "kind") {
    const auto port = next<std::uint16_t>(line);
    const auto kind =
        named<contract::PacketKind>(next<std::string>(line), contract::packet_kind_count);
    const auto ecn = named<contract::Ecn>(next<std::string>(line), 4);
    one.kinds.push_back(
        {.port = port, .kind = kind, .ecn = ecn, .count = next<std::uint64_t>(line)});
  } else {
    CHECK(directive == "count");
    const auto what = next<std::string>(line);
    const auto index = next<std::uint16_t>(line);
    one.counts.push_back({.what = what, .index = index, .count = next<std::uint64_t>(line)});
  }
}

void program_port(Gateway& gateway, std::istringstream& line) {
  const auto port = next<std::uint16_t>(line);
  const auto role = next<std::string>(line);
  if (role == "tenant") {
    const auto network = next<std::uint16_t>(line);
    std::uint16_t mtu = 0;
    line >> mtu;  // May be left out.
    gateway.add_port(port, mtu != 0 ? tenant_port(network, mtu) : tenant_port(network));
  } else if (role == "trunk") {
    gateway.add_port(port, trunk_port(next<std::uint16_t>(line)));
  } else if (role == "transit") {
    const auto peer = next<std::string>(line);
    gateway.add_port(port, transit_port(peer == "none" ? base::no_port.value
                                                       : static_cast<std::uint16_t>(stoi(peer))));
  } else if (role == "host") {
    const auto peer = next<std::uint16_t>(line);
    gateway.add_port(port, host_port(peer, next<std::uint16_t>(line)));
  } else {
    const auto address = next<std::string>(line);
    const auto mtu = next<std::uint16_t>(line);
    std::uint16_t vlan = 0;
    line >> vlan;  // May be left out, as the twin.
    dp::PortRecord record = underlay_port(address, mtu, vlan);
    std::uint16_t twin = 0;
    if (line >> twin) record.twin = base::PortId{twin};
    gateway.add_port(port, record);
  }
}

void program_vlan(Gateway& gateway, std::istringstream& line) {
  const auto port = next<std::uint16_t>(line);
  Gateway::Vlan vlan{.parent = next<std::uint16_t>(line),
                     .network = next<std::uint16_t>(line),
                     .vlan = next<std::uint16_t>(line)};
  std::uint16_t mtu = 0;
  line >> vlan.inner >> mtu;  // May be left out.
  if (mtu != 0) vlan.mtu = mtu;
  gateway.set_vlan(port, vlan);
}

void program_host_rule(Gateway& gateway, std::istringstream& line) {
  const auto host_class =
      named<contract::HostClass>(next<std::string>(line), contract::host_class_count);
  const auto rate = next<std::string>(line);
  dp::HostRuleRecord rule{.drops = rate == "drop", .reserved = {}, .rate = 1, .burst = 1};
  if (!rule.drops) {
    rule.rate = static_cast<std::uint32_t>(stoul(rate));
    rule.burst = next<std::uint32_t>(line);
  }
  gateway.set_host_rule(host_class, rule);
}

void program_vtep(Gateway& gateway, std::istringstream& line) {
  const bool local = next<std::string>(line) == "local";
  const auto vtep = next<std::uint16_t>(line);
  const auto address = next<std::string>(line);
  if (local) return gateway.set_local_vtep(vtep, address);

  const auto port = next<std::uint16_t>(line);
  const auto source = next<std::string>(line);
  const auto next_hop = next<std::string>(line);
  const bool resolved = next<std::string>(line) == "resolved";
  const auto mtu = next<std::uint16_t>(line);
  const auto ttl = next<int>(line);
  const auto dscp = next<std::string>(line);
  std::string checksum;
  line >> checksum;  // May be left out.
  gateway.set_remote_vtep(vtep, {.address = address,
                                 .port = port,
                                 .source = source,
                                 .next_hop_mac = next_hop,
                                 .resolved = resolved,
                                 .mtu = mtu,
                                 .ttl = static_cast<std::uint8_t>(ttl),
                                 .pinned_dscp = dscp == "copy" ? -1 : stoi(dscp),
                                 .summed = checksum == "full"});
}

// next_hop 1 <port> static|resolved <MAC> <MTU> usable|unresolved|down
void program_next_hop(Gateway& gateway, std::istringstream& line) {
  const auto next_hop = next<std::uint16_t>(line);
  const auto port = next<std::uint16_t>(line);
  const bool is_static = next<std::string>(line) == "static";
  const auto address = next<std::string>(line);
  const auto mtu = next<std::uint16_t>(line);
  const auto state = next<std::string>(line);
  gateway.set_next_hop(next_hop,
                       {.port = port, .static_mac = is_static ? address : "", .mtu = mtu});
  gateway.set_usable(next_hop, state == "usable", state != "down", is_static ? "" : address);
}

// path 2 198.18.0.2 198.18.0.1 1 2: a remote VTEP, its source, one or two next hops.
void program_path(Gateway& gateway, std::istringstream& line) {
  const auto vtep = next<std::uint16_t>(line);
  const auto address = next<std::string>(line);
  const auto source = next<std::string>(line);
  std::vector<std::uint16_t> next_hops;
  for (std::uint16_t next_hop; line >> next_hop;) next_hops.push_back(next_hop);
  gateway.set_remote_vtep(
      vtep, {.address = address, .port = 0, .source = source, .next_hops = next_hops});
}

void program_network(Gateway& gateway, std::istringstream& line) {
  const auto network = next<std::uint16_t>(line);
  const auto vni = next<std::uint32_t>(line);
  const bool flood = next<std::string>(line) == "flood";
  std::vector<std::uint16_t> vteps;
  for (std::uint16_t vtep; line >> vtep;) vteps.push_back(vtep);
  gateway.set_network(network, vni, flood, vteps);
}

void program_endpoint(Gateway& gateway, std::istringstream& line) {
  const auto network = next<std::uint16_t>(line);
  const auto address = next<std::string>(line);
  const bool at_a_port = next<std::string>(line) == "port";
  const auto target = next<std::uint16_t>(line);
  gateway.set_endpoint(network, address, at_a_port ? at_port(target) : at_vtep(target));
}

}  // namespace

CaseFile read_cases(const std::string& path) {
  std::ifstream file(path);
  CHECK(file.is_open());
  CaseFile result;
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string directive;
    if (!(line >> directive)) continue;
    if (directive == "case") {
      result.cases.push_back({.name = text.substr(5)});
    } else if (result.cases.empty()) {
      result.topology.push_back(text);
    } else {
      read_directive(directive, line, result.cases.back());
    }
  }
  return result;
}

void program(Gateway& gateway, const std::vector<std::string>& topology) {
  for (const std::string& text : topology) {
    std::istringstream line(text);
    const auto what = next<std::string>(line);
    if (what == "port") program_port(gateway, line);
    if (what == "vlan") program_vlan(gateway, line);
    if (what == "vtep") program_vtep(gateway, line);
    if (what == "next_hop") program_next_hop(gateway, line);
    if (what == "path") program_path(gateway, line);
    if (what == "network") program_network(gateway, line);
    if (what == "endpoint") program_endpoint(gateway, line);
    if (what == "host_rule") program_host_rule(gateway, line);
  }
  gateway.commit();
}

std::string to_hex(const Bytes& frame) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : frame) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string compare(const std::string& expected, const Bytes& frame) {
  const std::string got = to_hex(frame);
  const auto same = [&](std::size_t i) {
    return i < expected.size() && i < got.size() && (expected[i] == '.' || expected[i] == got[i]);
  };
  std::string table;
  bool all_same = expected.size() == got.size();
  for (std::size_t at = 0; at < std::max(expected.size(), got.size()); at += 32) {
    std::string marks;
    bool line_same = true;
    for (std::size_t i = at; i < at + 32 && i < std::max(expected.size(), got.size()); ++i) {
      marks += same(i) ? ' ' : '^';
      line_same = line_same && same(i);
    }
    all_same = all_same && line_same;
    const auto piece = [&](const std::string& text) {
      std::string result = at < text.size() ? text.substr(at, 32) : "";
      result.resize(32, ' ');
      return result;
    };
    table += std::to_string(at / 2) + "\t" + piece(expected) + "  " + piece(got) +
             (line_same ? "\n" : "  " + marks + "\n");
  }
  return all_same ? ""
                  : "byte\t" + std::string("expected") + std::string(26, ' ') + "got\n" + table;
}

}  // namespace test
