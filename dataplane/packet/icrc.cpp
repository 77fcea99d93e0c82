// SPDX-License-Identifier: Apache-2.0
// CRC-32 by carry-less multiplication where the processor has it (x86-64-v3 does not promise it),
// by its own instruction on arm64, by tables elsewhere. Zeros in front of a message do not change
// its raw CRC, so packets are filled up in front to whole blocks, and there is never a tail.
#include "dataplane/packet/icrc.hpp"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace dp {

namespace {

constexpr std::size_t block_bytes = 16;

// Eight bytes at once ("slicing-by-8"): table i is of a byte with i zeros behind it.
consteval std::array<std::array<std::uint32_t, 256>, 8> make_slices() {
  std::array<std::array<std::uint32_t, 256>, 8> slices{};
  slices[0] = crc32_of_bytes;
  for (unsigned i = 1; i < 8; ++i) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = slices[i - 1][byte];
      slices[i][byte] = (before >> 8) ^ crc32_of_bytes[before & 0xff];
    }
  }
  return slices;
}
constexpr auto slices = make_slices();

[[maybe_unused]] std::uint32_t by_tables(std::uint32_t crc, const std::uint8_t* data,
                                         std::size_t bytes) noexcept {
  for (; bytes >= 8; bytes -= 8, data += 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    if constexpr (std::endian::native == std::endian::big) word = base::swap_bytes(word);
    word ^= crc;
    crc = 0;
    for (unsigned i = 0; i < 8; ++i) crc ^= slices[7 - i][(word >> (8 * i)) & 0xff];
  }
  return crc;
}

#if defined(__x86_64__)

#define WEIR_CLMUL __attribute__((target("pclmul,sse4.1")))

// Multiplies both halves by a power of x and adds what lies there: `factors` move a block on.
WEIR_CLMUL inline __m128i fold(__m128i block, __m128i factors, __m128i there) noexcept {
  const __m128i low = _mm_clmulepi64_si128(block, factors, 0x00);
  const __m128i high = _mm_clmulepi64_si128(block, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

WEIR_CLMUL inline __m128i load(const std::uint8_t* data) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
}

// Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009: the
// constants are its powers of x modulo the reflected polynomial, and Barrett's quotient.
WEIR_CLMUL std::uint32_t reduce(__m128i sum) noexcept {
  const __m128i by_128 = _mm_set_epi64x(0x0'ccaa'009e, 0x1'7519'97d0);
  const __m128i by_64 = _mm_set_epi64x(0, 0x1'63cd'6124);
  const __m128i barrett = _mm_set_epi64x(0x1'f701'1641, 0x1'db71'0641);
  const __m128i low_words = _mm_setr_epi32(-1, 0, -1, 0);
  sum = _mm_xor_si128(_mm_srli_si128(sum, 8), _mm_clmulepi64_si128(sum, by_128, 0x10));
  sum = _mm_xor_si128(_mm_srli_si128(sum, 4),
                      _mm_clmulepi64_si128(_mm_and_si128(sum, low_words), by_64, 0x00));
  __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, low_words), barrett, 0x10);
  quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), barrett, 0x00);
  return static_cast<std::uint32_t>(_mm_extract_epi32(_mm_xor_si128(sum, quotient), 1));
}

// The raw CRC of `head` and then `rest`, both of whole blocks; head has two at least.
WEIR_CLMUL std::uint32_t by_multiplying(const std::uint8_t* head, std::size_t head_bytes,
                                        const std::uint8_t* rest, std::size_t rest_bytes) noexcept {
  const __m128i by_16_bytes = _mm_set_epi64x(0x0'ccaa'009e, 0x1'7519'97d0);
  __m128i sum = load(head);
  for (std::size_t i = block_bytes; i < head_bytes; i += block_bytes) {
    sum = fold(sum, by_16_bytes, load(head + i));
  }
  if (rest_bytes >= 4 * block_bytes) {
    // Four sums side by side, as a multiplication takes longer than its successor has to wait.
    const __m128i by_64_bytes = _mm_set_epi64x(0x1'c6e4'1596, 0x1'5444'2bd4);
    const __m128i zero = _mm_setzero_si128();
    // No std::array: g++ drops the alignment of a vector type that is an argument.
    __m128i sums[4] = {zero, zero, zero, sum};
    // The sum stands one block before rest; the others there are zeros in front of the message.
    for (; rest_bytes >= 4 * block_bytes; rest_bytes -= 4 * block_bytes, rest += 64) {
      for (unsigned i = 0; i < 4; ++i) sums[i] = fold(sums[i], by_64_bytes, load(rest + 16 * i));
    }
    sum =
        fold(fold(fold(sums[0], by_16_bytes, sums[1]), by_16_bytes, sums[2]), by_16_bytes, sums[3]);
  }
  for (; rest_bytes > 0; rest_bytes -= block_bytes, rest += block_bytes) {
    sum = fold(sum, by_16_bytes, load(rest));
  }
  return reduce(sum);
}

#undef WEIR_CLMUL

bool can_multiply() noexcept {
  return __builtin_cpu_supports("pclmul") != 0;
}
const bool multiplies = can_multiply();

std::uint32_t raw_crc(const std::uint8_t* head, std::size_t head_bytes, const std::uint8_t* rest,
                      std::size_t rest_bytes) noexcept {
  if (multiplies) return by_multiplying(head, head_bytes, rest, rest_bytes);
  return by_tables(by_tables(0, head, head_bytes), rest, rest_bytes);
}

#elif defined(__ARM_FEATURE_CRC32)

std::uint32_t by_instruction(std::uint32_t crc, const std::uint8_t* data,
                             std::size_t bytes) noexcept {
  for (; bytes >= 8; bytes -= 8, data += 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    crc = __crc32d(crc, word);
  }
  return crc;
}

std::uint32_t raw_crc(const std::uint8_t* head, std::size_t head_bytes, const std::uint8_t* rest,
                      std::size_t rest_bytes) noexcept {
  return by_instruction(by_instruction(0, head, head_bytes), rest, rest_bytes);
}

#else

std::uint32_t raw_crc(const std::uint8_t* head, std::size_t head_bytes, const std::uint8_t* rest,
                      std::size_t rest_bytes) noexcept {
  return by_tables(by_tables(0, head, head_bytes), rest, rest_bytes);
}

#endif

// Ones where a router may write, for the fields of A17.3.3.
void mask(std::uint8_t* ip, bool is_v4) noexcept {
  std::uint8_t* udp;
  if (is_v4) {
    ip[1] = 0xff;  // TOS.
    ip[8] = 0xff;  // TTL.
    ip[10] = ip[11] = 0xff;
    udp = ip + sizeof(Ipv4Header);
  } else {
    ip[0] |= 0x0f;  // Traffic class and flow label.
    ip[1] = ip[2] = ip[3] = 0xff;
    ip[7] = 0xff;  // Hop limit.
    udp = ip + sizeof(Ipv6Header);
  }
  udp[6] = udp[7] = 0xff;
  udp[sizeof(UdpHeader) + 4] = 0xff;  // FECN, BECN, reserved.
}

}  // namespace

std::uint32_t icrc(std::span<const std::uint8_t> packet) noexcept {
  // Eight bytes of ones stand in front, and the CRC starts from ones: the first four become zeros,
  // which a raw CRC does not see.
  constexpr std::size_t ones = 4;
  constexpr std::size_t headers_max = sizeof(Ipv6Header) + sizeof(UdpHeader) + sizeof(BthHeader);
  const bool is_v4 = packet[0] >> 4 == 4;
  const std::size_t headers =
      (is_v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)) + sizeof(UdpHeader) + sizeof(BthHeader);
  const std::size_t fill = (0 - (ones + packet.size())) % block_bytes;
  const std::size_t head_bytes =
      (fill + ones + headers + block_bytes - 1) / block_bytes * block_bytes;
  const std::size_t copied = head_bytes - fill - ones;

  alignas(block_bytes) std::array<std::uint8_t, 2 * block_bytes + headers_max + ones> head;
  std::memset(head.data(), 0, block_bytes);
  std::memset(head.data() + fill, 0xff, ones);
  std::uint8_t* const ip = head.data() + fill + ones;
  std::memcpy(ip, packet.data(), copied);
  mask(ip, is_v4);
  return ~raw_crc(head.data(), head_bytes, packet.data() + copied, packet.size() - copied);
}

}  // namespace dp
