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

// Everything that left is freed; then nothing may be missing.
void expect_sound(test::Gateway& gateway, std::uint16_t port_count);

}  // namespace fuzz
