// SPDX-License-Identifier: Apache-2.0
// recognize_plain_roce is a shorter way to what parse_frame and classify_roce say: it must say the
// same of every frame that it takes, and leave no plain RoCE to them.
#include "pipelines/stages/plain_roce.hpp"

#include "pipelines/stages/classify_roce.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/gateway.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

namespace {

using dp::PacketMeta;
using test::Bytes;

class PlainRoce : public testing::Test {
 protected:
  // Whether it was recognized.
  bool compare(const Bytes& frame) {
    rte_mbuf* mbuf = test::make_mbuf(gateway_.pool(), frame);
    PacketMeta at_once{.in_port = base::PortId{0}};
    PacketMeta by_steps = at_once;
    const bool recognized = dp::recognize_plain_roce({mbuf, at_once});
    dp::Verdict verdict = dp::parse_frame_at({mbuf, by_steps}, 0);
    if (verdict == dp::keep) verdict = classify_.handle({mbuf, by_steps});
    const bool is_plain = verdict == dp::keep && is_roce_v2(by_steps.kind) &&
                          by_steps.l3 == sizeof(dp::EthernetHeader);
    EXPECT_EQ(recognized, is_plain) << testing::PrintToString(frame);
    if (recognized) {
      EXPECT_EQ(std::memcmp(&at_once, &by_steps, sizeof at_once), 0)
          << testing::PrintToString(frame);
    }
    rte_pktmbuf_free(mbuf);
    return recognized;
  }

  test::Gateway gateway_{{.mbufs = 63, .copies = 63}};
  dp::ClassifyRoce classify_{gateway_.worker(0).environment()};
};

Bytes with(Bytes frame, std::size_t position, unsigned value) {
  frame[position] = static_cast<std::uint8_t>(value);
  return frame;
}

// The same packet over IPv6.
Bytes over_ipv6(const Bytes& frame) {
  const auto payload = static_cast<std::uint16_t>(frame.size() - 34);
  Bytes result(frame.begin(), frame.begin() + 12);
  const Bytes header{0x86,
                     0xdd,
                     0x66,
                     0xa0,
                     0,
                     1,
                     static_cast<std::uint8_t>(payload >> 8),
                     static_cast<std::uint8_t>(payload),
                     17,
                     64};
  result.insert(result.end(), header.begin(), header.end());
  for (std::uint8_t byte = 0; byte < 32; ++byte) result.push_back(byte);
  result.insert(result.end(), frame.begin() + 34, frame.end());
  return result;
}

struct Family {
  Bytes (*form)(const Bytes&);
  std::size_t udp;  // Where its header begins.
};
const std::array<Family, 2> families{
    Family{.form = [](const Bytes& frame) { return frame; }, .udp = 34},
    Family{.form = over_ipv6, .udp = 54}};

TEST_F(PlainRoce, recognizes_every_opcode_qp_and_codepoint) {
  for (const Family& family : families) {
    const std::size_t opcode = family.udp + 8;
    const std::size_t syndrome = opcode + 12;
    const Bytes frame = with(family.form(test::make({.payload = 64})), syndrome, 0);
    for (unsigned value = 0; value < 256; ++value) {
      EXPECT_TRUE(compare(with(frame, opcode, value))) << value;
      EXPECT_TRUE(compare(with(frame, opcode + 7, value))) << value;      // Of the QP.
      EXPECT_TRUE(compare(with(frame, family.udp - 1, value))) << value;  // Of an address.
      compare(with(with(frame, opcode, 0x11), syndrome, value));
      compare(with(frame, opcode + 1, value));  // Pads and the transport's version.
    }
  }
  const Bytes frame = test::make({.payload = 64});
  for (unsigned value = 0; value < 256; ++value) {
    EXPECT_TRUE(compare(with(frame, 15, value))) << value;  // TOS.
    EXPECT_TRUE(compare(with(frame, 22, value))) << value;  // TTL.
  }
}

TEST_F(PlainRoce, agrees_whatever_byte_of_a_header_changes) {
  for (const Family& family : families) {
    for (const std::size_t payload : {0u, 1u, 4u, 200u}) {
      const Bytes frame = family.form(test::make({.payload = payload}));
      for (std::size_t position = 12; position < family.udp + 21; ++position) {
        for (unsigned value = 0; value < 256; ++value) compare(with(frame, position, value));
      }
    }
  }
}

TEST_F(PlainRoce, agrees_about_frames_that_end_early_or_late) {
  for (const Family& family : families) {
    const Bytes frame = family.form(test::make({.payload = 8}));
    for (std::size_t bytes = sizeof(dp::EthernetHeader); bytes <= frame.size(); ++bytes) {
      compare(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes)));
    }
    Bytes padded = frame;
    padded.resize(frame.size() + 20);
    EXPECT_TRUE(compare(padded));
  }
}

TEST_F(PlainRoce, agrees_about_several_changes_at_once) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same frames each time.
  unsigned recognized = 0;
  for (int round = 0; round < 200'000; ++round) {
    const Family& family = families[random() % families.size()];
    Bytes frame = family.form(test::make({.payload = random() % 40}));
    for (unsigned change = 0; change < random() % 4; ++change) {
      frame[12 + random() % (family.udp + 9)] = static_cast<std::uint8_t>(random());
    }
    recognized += compare(frame) ? 1 : 0;
  }
  EXPECT_GT(recognized, 50'000u);
}

}  // namespace
