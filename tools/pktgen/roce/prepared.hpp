// SPDX-License-Identifier: Apache-2.0
// Frames that are written once and then only copied, for a generator: per copy the PSN, AckReq and
// the payload's stamp change, and the ICRC follows by tables instead of reading the frame. One form
// (family, opcode, payload's length) serves any number of flows.
#pragma once

#include "dataplane/packet/icrc.hpp"
#include "tools/pktgen/roce/frame.hpp"
#include "tools/pktgen/roce/stamp.hpp"

#include <cstring>

namespace pktgen {

// 20 KiB of tables.
class FrameForm {
 public:
  // `like` needs only its opcode and its payload, which has room for a stamp.
  FrameForm(const Path& path, const RocePacket& like) noexcept
      : bytes_(pktgen::frame_bytes(path, like)),
        payload_offset_(pktgen::payload_offset(path, like.opcode)),
        psn_offset_(payload_offset_ - extension_bytes(like.opcode) - sizeof(base::be32)),
        psn_(bytes_ - dp::icrc_bytes - psn_offset_ - sizeof(base::be32)),
        stamp_(bytes_ - dp::icrc_bytes - payload_offset_ - sizeof(Stamp)) {}

  std::size_t frame_bytes() const noexcept { return bytes_; }

  // The frame that finish() takes copies of: without PSN, AckReq and stamp.
  void prepare(std::uint8_t* frame, const Path& path, RocePacket packet) const noexcept {
    std::uint8_t* const payload = frame + payload_offset_;
    std::memcpy(payload, packet.payload.data(), packet.payload.size());
    std::memset(payload, 0, sizeof(Stamp));
    packet.payload = {payload, packet.payload.size()};
    packet.psn = 0;
    packet.wants_ack = false;
    write_frame(frame, path, packet);
  }

  void finish(std::uint8_t* frame, std::uint32_t psn, bool wants_ack,
              const Stamp& stamp) const noexcept {
    const base::be32 psn_word((psn & mask_24) | (wants_ack ? 1u << 31 : 0));
    std::uint8_t* const icrc = frame + bytes_ - dp::icrc_bytes;
    std::memcpy(frame + psn_offset_, &psn_word, sizeof psn_word);
    std::memcpy(frame + payload_offset_, &stamp, sizeof stamp);
    dp::write_icrc(icrc, dp::read_icrc(icrc) ^
                             psn_.of(reinterpret_cast<const std::uint8_t*>(&psn_word)) ^
                             stamp_.of(reinterpret_cast<const std::uint8_t*>(&stamp)));
  }

 private:
  std::size_t bytes_;
  std::size_t payload_offset_;
  std::size_t psn_offset_;
  dp::IcrcPatch<sizeof(base::be32)> psn_;
  dp::IcrcPatch<sizeof(Stamp)> stamp_;
};

}  // namespace pktgen
