// SPDX-License-Identifier: Apache-2.0
#include "dataplane/contract/frame.hpp"

#include "dataplane/base/check.hpp"

namespace contract {

using base::Errc;
using base::fail;

base::Result<FrameView> FrameView::parse(std::span<const std::byte> bytes) noexcept {
  FrameView view;
  if (bytes.size() < sizeof(FrameHeader)) return fail(Errc::malformed, "frame shorter than header");
  if (bytes.size() > frame_bytes_max) return fail(Errc::malformed, "frame longer than 64 KiB");
  std::memcpy(&view.header_, bytes.data(), sizeof(FrameHeader));

  const FrameHeader& header = view.header_;
  if (header.magic != frame_magic) return fail(Errc::malformed, "frame does not start with WEIR");
  if (header.size != bytes.size()) return fail(Errc::malformed, "frame size is not the message's");
  // Both factors are 16 bits wide, so the product cannot overflow.
  const std::size_t records_bytes = std::size_t{header.record_size} * header.record_count;
  if (records_bytes != bytes.size() - sizeof(FrameHeader)) {
    return fail(Errc::malformed, "records do not fill the frame");
  }
  view.records_ = bytes.subspan(sizeof(FrameHeader));
  return view;
}

std::vector<std::byte> make_frame(std::uint16_t type, std::uint32_t transaction,
                                  std::uint32_t sequence, const void* records,
                                  std::size_t record_size, std::size_t record_count) {
  const std::size_t size = sizeof(FrameHeader) + record_size * record_count;
  CHECK(size <= frame_bytes_max);
  const FrameHeader header{.magic = frame_magic,
                           .size = static_cast<std::uint32_t>(size),
                           .type = type,
                           .version = version_now,
                           .record_size = static_cast<std::uint16_t>(record_size),
                           .record_count = static_cast<std::uint16_t>(record_count),
                           .transaction = transaction,
                           .sequence = sequence};
  std::vector<std::byte> frame(size);
  std::memcpy(frame.data(), &header, sizeof header);
  // Some records have no bytes, and then `records` may be null.
  if (const std::size_t bytes = record_size * record_count; bytes > 0) {
    std::memcpy(frame.data() + sizeof header, records, bytes);
  }
  return frame;
}

}  // namespace contract
