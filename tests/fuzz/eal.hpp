// SPDX-License-Identifier: Apache-2.0
// For targets that need mbufs: one EAL without hugepages, and frames that look like the real thing.
#pragma once

#include "tests/fuzz/input.hpp"
#include "tests/pipeline/gateway.hpp"

namespace fuzz {

// Once, before the first input. Stops where the EAL does not start.
void start_eal();

// Repairs what a fuzzer rarely guesses, as the bits of `choice` say: 1: the destination MAC is the
// underlay port's; 2: the checksum is right, of the IPv4 header or, over IPv6, of UDP; 4: the IP
// and UDP lengths are those of the frame.
void repair(test::Bytes& frame, std::uint8_t choice);

// How a frame lies in buffers, as the bits of a choice and some bytes of input say: 8: a first
// segment of so many bytes; 16: up to 15 more; 32: others hold it too; 64: in somebody else's
// buffer.
struct Layout {
  std::vector<std::uint16_t> sizes;
  bool held = false;
  bool cloned = false;
};
Layout read_layout(Input& input, std::uint8_t choice);

// The others, who see what is done to their frames.
class HeldFrames {
 public:
  rte_mbuf* lay_out(rte_mempool& pool, const test::Bytes& frame, const Layout& layout);
  // After a run: gives them back.
  void expect_untouched();

 private:
  struct Held {
    rte_mbuf* mbuf;
    test::Bytes frame;
  };
  std::vector<Held> frames_;
};

// Everything that left is freed; then nothing may be missing.
void expect_sound(test::Gateway& gateway, std::uint16_t port_count);

}  // namespace fuzz
