// SPDX-License-Identifier: Apache-2.0
// A frame of which only a few fields change: written by copying it and following the changes in
// checksum and ICRC, which costs the same for 128 bytes and for 4 KB (but for the copy).
#pragma once

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/icrc.hpp"
#include "tools/pktgen/roce/frame.hpp"
#include "tools/pktgen/roce/stamp.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

namespace pktgen {

// What changes from frame to frame.
struct FrameFields {
  std::uint32_t qp;
  std::uint32_t psn;
  std::uint32_t sequence;  // Counts on where the PSN wraps.
  std::uint16_t source_port;
  std::uint16_t source_low;  // The last 16 bits of the addresses.
  std::uint16_t destination_low;
  Time sent_at;
};

class FrameTemplate {
 public:
  // `packet` and `path` as any frame's; what changes is taken out of them. A stamp is written where
  // the payload has room for one.
  FrameTemplate(const Path& path, const RocePacket& packet, const std::optional<Tunnel>& tunnel);

  std::uint16_t bytes() const noexcept { return static_cast<std::uint16_t>(frame_.size()); }

  // `frame` has room for bytes().
  void write(std::uint8_t* frame, const FrameFields& fields) const noexcept {
    std::memcpy(frame, frame_.data(), frame_.size());
    store(frame + bth_ + 5, fields.qp);
    store(frame + bth_ + 9, fields.psn);
    put16(frame + udp_, fields.source_port);
    put16(frame + source_end_ - 2, fields.source_low);
    put16(frame + destination_end_ - 2, fields.destination_low);
    if (v4_) write_checksum(frame);
    std::uint32_t icrc = icrc_ ^ patches_->qp.of(frame + bth_ + 5) ^
                         patches_->psn.of(frame + bth_ + 9) ^ patches_->port.of(frame + udp_) ^
                         patches_->source.of(frame + source_end_ - 2) ^
                         patches_->destination.of(frame + destination_end_ - 2);
    if (stamp_ != 0) {
      const Stamp stamp{.sequence = base::be32(fields.sequence),
                        .sent_at = base::be64(fields.sent_at)};
      std::memcpy(frame + stamp_, &stamp, sizeof stamp);
      icrc ^= patches_->stamp.of(frame + stamp_ + sizeof stamp.mark);
    }
    dp::write_icrc(frame + frame_.size() - dp::icrc_bytes, icrc);
    // The tunnel's entropy: constant per queue pair, as the inner port is (RFC 7348 §4).
    if (outer_udp_ != 0) put16(frame + outer_udp_, fields.source_port | 0xc000);
  }

 private:
  struct Patches {
    dp::IcrcPatch<3> qp;
    dp::IcrcPatch<3> psn;
    dp::IcrcPatch<2> port;
    dp::IcrcPatch<2> source;
    dp::IcrcPatch<2> destination;
    dp::IcrcPatch<sizeof(Stamp) - sizeof(Stamp::mark)> stamp;
  };

  static void store(std::uint8_t* to, std::uint32_t value) noexcept {
    to[0] = static_cast<std::uint8_t>(value >> 16);
    to[1] = static_cast<std::uint8_t>(value >> 8);
    to[2] = static_cast<std::uint8_t>(value);
  }
  static void put16(std::uint8_t* to, unsigned value) noexcept {
    const base::be16 word(static_cast<std::uint16_t>(value));
    std::memcpy(to, &word, sizeof word);
  }
  // IPv4's, from its sum without what changes.
  void write_checksum(std::uint8_t* frame) const noexcept {
    std::uint16_t source;
    std::uint16_t destination;
    std::memcpy(&source, frame + source_end_ - 2, 2);
    std::memcpy(&destination, frame + destination_end_ - 2, 2);
    const auto checksum =
        static_cast<std::uint16_t>(~dp::fold(std::uint64_t{checksum_sum_} + source + destination));
    std::memcpy(frame + checksum_at_, &checksum, sizeof checksum);
  }

  std::vector<std::uint8_t> frame_;  // With zeros for what changes.
  std::unique_ptr<Patches> patches_;
  std::uint32_t icrc_ = 0;
  std::uint32_t checksum_sum_ = 0;
  bool v4_;
  std::uint16_t outer_udp_ = 0;  // 0: no tunnel.
  std::uint16_t udp_;
  std::uint16_t bth_;
  std::uint16_t source_end_;
  std::uint16_t destination_end_;
  std::uint16_t checksum_at_ = 0;
  std::uint16_t stamp_ = 0;  // 0: no room for one.
};

}  // namespace pktgen
