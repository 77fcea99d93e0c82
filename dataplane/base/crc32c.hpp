// SPDX-License-Identifier: Apache-2.0
// One step of CRC-32C (RFC 9260 appendix A) over eight bytes: an instruction of every processor
// that Weir is built for. For spreading, not for tables whose keys outsiders choose (KeyedHash).
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#else
#error "no CRC-32C instruction: choose another -march (meson_options.txt)"
#endif

namespace base {

inline std::uint32_t crc32c(std::uint32_t before, std::uint64_t bytes) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uint32_t>(_mm_crc32_u64(before, bytes));
#else
  return __crc32cd(before, bytes);
#endif
}

}  // namespace base
