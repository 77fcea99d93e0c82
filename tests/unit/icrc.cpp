// SPDX-License-Identifier: Apache-2.0
// The ICRC of packets whose ICRC others have written down, of every length against a bit by bit
// CRC, and what may change on the way without it.
#include "dataplane/packet/icrc.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  const auto digit = [](char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
  };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return bytes;
}

// A known answer as analyzers print it: the bytes on the wire as one number.
std::uint32_t as_printed(const Bytes& packet) {
  return base::swap_bytes(dp::icrc(packet));
}

// The definition: eight bytes of ones, then the packet with its masked fields, bit by bit.
std::uint32_t defined_icrc(Bytes packet) {
  const bool is_v4 = packet[0] >> 4 == 4;
  const std::size_t udp = is_v4 ? 20 : 40;
  if (is_v4) {
    for (std::size_t at : {1, 8, 10, 11}) packet[at] = 0xff;
  } else {
    packet[0] |= 0x0f;
    for (std::size_t at : {1, 2, 3, 7}) packet[at] = 0xff;
  }
  for (std::size_t at : {udp + 6, udp + 7, udp + 12}) packet[at] = 0xff;
  packet.insert(packet.begin(), 8, 0xff);
  std::uint32_t crc = 0xffff'ffff;
  for (std::uint8_t byte : packet) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb8'8320 : 0);
  }
  return ~crc;
}

Bytes random_packet(bool is_v4, std::size_t bytes, std::uint32_t seed) {
  std::minstd_rand random(seed);
  Bytes packet(bytes);
  for (auto& byte : packet) byte = static_cast<std::uint8_t>(random());
  packet[0] = is_v4 ? 0x45 : 0x6a;
  return packet;
}

// ConnectX-4 Lx, from scapy's test/contrib/roce.uts.
const std::string_view connectx_cnp =
    "45c2003c718c4000401191610a0011010a001201000012b7002800008100ffff4000011800000000"
    "00000000000000000000000000000000";

TEST(Icrc, is_what_a_connectx_wrote_into_a_cnp) {
  EXPECT_EQ(as_printed(from_hex(connectx_cnp)), 0x82fd'002a);
}

TEST(Icrc, is_what_libconntrack_expects_of_a_cnp) {
  EXPECT_EQ(as_printed(from_hex("4589003c98c64000201100001616160816161607dbae12b7002800008100ffff"
                                "400000d20000000000000000000000000000000000000000")),
            0xdafc'1bef);
}

TEST(Icrc, is_what_scapy_expects_of_a_padded_send_with_udp_checksum) {
  EXPECT_EQ(as_printed(from_hex("45010040047840004011b4d5c0a80007c0a80007c00012b7002caca22460ffff"
                                "000000d300cf17104630818be28935d90e9a95505401be885e500000")),
            0x78f3'53f3);
}

TEST(Icrc, agrees_with_its_definition_at_every_length) {
  for (const bool is_v4 : {true, false}) {
    const std::size_t shortest = is_v4 ? 40 : 60;
    for (std::size_t bytes = shortest; bytes < shortest + 300; ++bytes) {
      const Bytes packet = random_packet(is_v4, bytes, static_cast<std::uint32_t>(bytes));
      ASSERT_EQ(dp::icrc(packet), defined_icrc(packet)) << bytes << " bytes, v4 " << is_v4;
    }
    for (const std::size_t bytes : {1024u, 4159u, 9000u}) {
      const Bytes packet = random_packet(is_v4, bytes, static_cast<std::uint32_t>(bytes));
      ASSERT_EQ(dp::icrc(packet), defined_icrc(packet)) << bytes << " bytes, v4 " << is_v4;
    }
  }
}

// Which bits may change is the table of A17.3.3, seen from the other side.
std::vector<std::uint8_t> free_bits(bool is_v4, std::size_t bytes) {
  std::vector<std::uint8_t> bits(bytes, 0);
  const std::size_t udp = is_v4 ? 20 : 40;
  if (is_v4) {
    bits[1] = bits[8] = bits[10] = bits[11] = 0xff;
  } else {
    bits[0] = 0x0f;
    bits[1] = bits[2] = bits[3] = bits[7] = 0xff;
  }
  bits[udp + 6] = bits[udp + 7] = bits[udp + 12] = 0xff;
  return bits;
}

TEST(Icrc, holds_when_routers_change_their_fields_and_breaks_otherwise) {
  for (const bool is_v4 : {true, false}) {
    Bytes packet = random_packet(is_v4, 120, 7);
    const auto free = free_bits(is_v4, packet.size());
    const std::uint32_t before = dp::icrc(packet);

    for (std::size_t at = 0; at < packet.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        if (at == 0 && bit >= 4) continue;  // The version says what is masked.
        packet[at] ^= static_cast<std::uint8_t>(1u << bit);
        EXPECT_EQ(dp::icrc(packet) == before, (free[at] >> bit & 1) != 0)
            << "byte " << at << " bit " << bit << " v4 " << is_v4;
        packet[at] ^= static_cast<std::uint8_t>(1u << bit);
      }
    }
  }
}

TEST(Icrc, holds_where_it_is_right_and_there_is_one) {
  Bytes packet = from_hex(connectx_cnp);
  packet.resize(packet.size() + dp::icrc_bytes);
  dp::write_icrc(packet.data() + packet.size() - dp::icrc_bytes, 0x2a00'fd82);
  EXPECT_TRUE(dp::icrc_holds(packet));

  packet.back() ^= 1;
  EXPECT_FALSE(dp::icrc_holds(packet));
  EXPECT_FALSE(dp::icrc_holds(std::span(packet).first(43)));
  EXPECT_FALSE(dp::icrc_holds({}));
}

TEST(IcrcPatch, follows_a_changed_field_wherever_it_lies) {
  for (const std::size_t bytes : {64u, 114u, 1070u}) {
    Bytes packet = random_packet(true, bytes, 3);
    const std::uint32_t before = dp::icrc(packet);
    for (const std::size_t at : {std::size_t{36}, bytes - 20, bytes - 4}) {
      const dp::IcrcPatch<4> patch(bytes - at - 4);
      const std::array<std::uint8_t, 4> change{0x80, 0x01, 0xfe, 0x5a};
      Bytes changed = packet;
      for (std::size_t i = 0; i < change.size(); ++i) changed[at + i] ^= change[i];

      EXPECT_EQ(before ^ patch.of(change.data()), dp::icrc(changed)) << bytes << " at " << at;
    }
  }
}

}  // namespace
