// SPDX-License-Identifier: Apache-2.0
// The envelope of everything that crosses the socket between the two processes: one header and
// 1..N records of one type. The socket is SOCK_SEQPACKET, so one message is one frame.
//
// A record may grow at its end: the reader copies what it knows and zero-fills what it lacks, and
// 0 in a grown field means the behaviour from before the field existed.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/contract/limits.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace contract {

inline constexpr std::uint32_t frame_magic = 0x52494557;  // "WEIR" in a little-endian dump.
inline constexpr std::uint16_t version_min = 1;           // Oldest peer that this release talks to.
inline constexpr std::uint16_t version_now = 1;

struct FrameHeader {
  std::uint32_t magic;
  std::uint32_t size;         // Bytes of the whole frame, this header included.
  std::uint16_t type;         // A Verb or an EventType.
  std::uint16_t version;      // Of the sender's contract; the hello judges it, not the decoder.
  std::uint16_t record_size;  // Bytes from one record to the next.
  std::uint16_t record_count;
  std::uint32_t transaction;  // 0 outside of one.
  std::uint32_t sequence;     // Of the command; a reply repeats it.
};
static_assert(sizeof(FrameHeader) == 24);

// A record may cross if its bytes are its value: no padding, no pointers.
template <class T>
concept Record = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T> &&
                 std::is_standard_layout_v<T>;

// NUL-terminated text of a fixed size; the rest is zero, so that the bytes are the value.
template <std::size_t N>
using Text = std::array<char, N>;

template <Record T>
inline constexpr std::size_t records_per_frame =
    (frame_bytes_max - sizeof(FrameHeader)) / sizeof(T);

// A received frame whose sizes have been checked. Borrows the bytes.
class FrameView {
 public:
  static base::Result<FrameView> parse(std::span<const std::byte> bytes) noexcept;

  const FrameHeader& header() const noexcept { return header_; }
  std::size_t record_count() const noexcept { return header_.record_count; }

  // Copies record `index`; what the sender did not know is zero.
  template <Record T>
  T record(std::size_t index) const noexcept {
    T result{};
    const std::size_t known = std::min<std::size_t>(header_.record_size, sizeof(T));
    std::memcpy(static_cast<void*>(&result), records_.data() + index * header_.record_size, known);
    return result;
  }

 private:
  FrameHeader header_{};
  std::span<const std::byte> records_;
};

// Cuts `text` so that a NUL remains.
template <std::size_t N>
Text<N> to_text(std::string_view text) noexcept {
  Text<N> result{};
  text.copy(result.data(), N - 1);
  return result;
}

// Up to the first NUL, or all of it: a hostile sender may leave none.
template <std::size_t N>
std::string_view to_view(const Text<N>& text) noexcept {
  return {text.data(), ::strnlen(text.data(), N)};
}

// The bytes of one frame. `records` must fit (records_per_frame).
std::vector<std::byte> make_frame(std::uint16_t type, std::uint32_t transaction,
                                  std::uint32_t sequence, const void* records,
                                  std::size_t record_size, std::size_t record_count);

template <Record T>
std::vector<std::byte> make_frame(std::uint16_t type, std::uint32_t transaction,
                                  std::uint32_t sequence, std::span<const T> records) {
  return make_frame(type, transaction, sequence, records.data(), sizeof(T), records.size());
}

}  // namespace contract
