// SPDX-License-Identifier: Apache-2.0
// Tables of packets in and packets out, as tests/pipeline/tables writes them: first the gateway,
// then the cases. One directive per line; a frame is hexadecimal, "." stands for any digit.
//
//   port 0 tenant 1 1500                        case encapsulates ARP
//   port 1 underlay 02:70:63:61:70:00 1600
//   port 2 host 1 1600 (the twin of 1)
//   host_rule lldp 10 5 (or drop)
//   vtep local 1 198.18.0.1 1                   in 0 0200…             (port, frame)
//   network 1 100 flood 2 3                     out 1 0200…
//   endpoint 1 02:00:00:00:0a:01 port 0         drop host_to_wire/flood no_flood_target 1
//                                               punt
//                                               in 0 0200… 1448         (a large frame)
//                                               kind 0 roce_write ect0 1
//                                               count flooded 1 1
#pragma once

#include "tests/pipeline/gateway.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace test {

struct Case {
  struct FrameIn {
    std::uint16_t port;
    Bytes frame;
    std::uint16_t segment_bytes = 0;  // Not 0: left to be cut into such segments.
  };
  struct FrameOut {
    std::uint16_t port;
    std::string hex;
  };
  struct KindCount {
    std::uint16_t port;
    contract::PacketKind kind;
    contract::Ecn ecn;
    std::uint64_t count;
  };
  struct Count {
    std::string what;  // flooded, local, ecn_decap_INNER_OUTER; of a port host_CLASS.
    std::uint16_t index;
    std::uint64_t count;
  };

  std::string name;
  std::vector<FrameIn> in;
  std::vector<FrameOut> out;  // Per port in this order.
  bool punts = false;         // Every frame.
  std::string punted_hex;     // What they are then; empty: as they came.
  Gateway::StageDrops drops;
  std::vector<KindCount> kinds;  // All of them, unless none is given.
  std::vector<Count> counts;
};

struct CaseFile {
  std::vector<std::string> topology;  // Lines.
  std::vector<Case> cases;
};

// A test with a file that it cannot read stops.
CaseFile read_cases(const std::string& path);
void program(Gateway& gateway, const std::vector<std::string>& topology);

std::string to_hex(const Bytes& frame);
// Empty where they agree; otherwise both side by side, line by line, with what differs marked.
std::string compare(const std::string& expected_hex, const Bytes& frame);

}  // namespace test
