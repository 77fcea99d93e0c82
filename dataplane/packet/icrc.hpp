// SPDX-License-Identifier: Apache-2.0
// The invariant CRC at the end of a RoCEv2 packet (IBTA Annex A17.3.3): CRC-32 as in Ethernet over
// the IP packet, with the fields that routers change taken as ones. It lies little-endian on the
// wire. A packet here starts at its IP header, which has neither options nor extension headers.
#pragma once

#include "dataplane/packet/headers.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace dp {

inline constexpr std::size_t icrc_bytes = 4;

// Of a packet that ends where its ICRC would begin; it reaches to the end of its BTH at least.
std::uint32_t icrc(std::span<const std::uint8_t> packet) noexcept;

inline void write_icrc(std::uint8_t* position, std::uint32_t value) noexcept {
  for (unsigned i = 0; i < icrc_bytes; ++i) {
    position[i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

inline std::uint32_t read_icrc(const std::uint8_t* position) noexcept {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < icrc_bytes; ++i) value |= std::uint32_t{position[i]} << (8 * i);
  return value;
}

// Of a packet that ends with its ICRC; false where it is too short to have one.
inline bool icrc_holds(std::span<const std::uint8_t> packet) noexcept {
  if (packet.empty()) return false;
  const std::size_t ip_bytes = packet[0] >> 4 == 4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  if (packet.size() < ip_bytes + sizeof(UdpHeader) + sizeof(BthHeader) + icrc_bytes) return false;
  const auto covered = packet.first(packet.size() - icrc_bytes);
  return icrc(covered) == read_icrc(covered.data() + covered.size());
}

// The raw CRC-32 (starting from 0, not inverted) of one byte.
consteval std::array<std::uint32_t, 256> make_crc32_of_bytes() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb8'8320u : 0);
    table[byte] = crc;
  }
  return table;
}
inline constexpr std::array<std::uint32_t, 256> crc32_of_bytes = make_crc32_of_bytes();

// Follows a field of a prepared packet that changes (a PSN, a time stamp) without reading the rest:
// CRCs are linear, so old ICRC ^ of(old field ^ new field) is the new one. One of these serves
// all packets that have as many bytes behind the field; it is 1 KiB for each byte of the field.
template <std::size_t field_bytes>
class IcrcPatch {
 public:
  // Covered bytes behind the field, so the ICRC does not count.
  explicit IcrcPatch(std::size_t bytes_behind) noexcept {
    for (std::size_t i = 0; i < field_bytes; ++i) {
      const std::size_t zeros = field_bytes - 1 - i + bytes_behind;
      for (unsigned bit = 0; bit < 8; ++bit) table_[i][1u << bit] = shifted(1u << bit, zeros);
      for (unsigned byte = 1; byte < 256; ++byte) {
        table_[i][byte] = table_[i][byte & (byte - 1)] ^ table_[i][byte & (0 - byte)];
      }
    }
  }

  // `change` is field_bytes long.
  std::uint32_t of(const std::uint8_t* change) const noexcept {
    std::uint32_t patch = 0;
    for (std::size_t i = 0; i < field_bytes; ++i) patch ^= table_[i][change[i]];
    return patch;
  }

 private:
  static std::uint32_t shifted(unsigned byte, std::size_t zeros) noexcept {
    std::uint32_t crc = crc32_of_bytes[byte];
    for (; zeros > 0; --zeros) crc = (crc >> 8) ^ crc32_of_bytes[crc & 0xff];
    return crc;
  }

  std::array<std::array<std::uint32_t, 256>, field_bytes> table_{};
};

}  // namespace dp
