// SPDX-License-Identifier: Apache-2.0
// Frames against what real stacks sent: every captured frame, taken apart and written anew, is the
// same to the last byte; and what is no RoCE is named.
#include "pipelines/stages/bth.hpp"
#include "tests/unit/pktgen_pcap.hpp"
#include "tools/pktgen/roce/cm.hpp"
#include "tools/pktgen/roce/parse.hpp"
#include "tools/pktgen/roce/prepared.hpp"
#include "tools/pktgen/roce/sequence.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace {

using namespace pktgen;
using test::Bytes;

const char* const captures[] = {"atomic_cs", "cm_ops", "rc_send", "read",
                                "rnr",       "rping",  "ud_send", "write"};

std::vector<Bytes> capture(const std::string& name) {
  const char* root = std::getenv("WEIR_SOURCE_ROOT");
  return test::read_pcap(std::string(root == nullptr ? "." : root) + "/tests/captures/" + name +
                         ".pcap");
}

Bytes written(const Path& path, const RocePacket& packet) {
  Bytes frame(frame_bytes(path, packet));
  write_frame(frame.data(), path, packet);
  return frame;
}

Path path_v4() {
  return {.source_mac = {{2, 0, 0, 0, 0, 1}},
          .destination_mac = {{2, 0, 0, 0, 0, 2}},
          .source = base::IpAddress::from(base::be32(0x0a00'0001)),
          .destination = base::IpAddress::from(base::be32(0x0a00'0002))};
}

TEST(RoceFrame, writes_captured_frames_as_they_were) {
  std::size_t frames = 0;
  std::set<std::uint8_t> opcodes;
  for (const char* name : captures) {
    for (const Bytes& frame : capture(name)) {
      const auto parsed = parse_frame(frame);
      ASSERT_TRUE(parsed) << name << ": " << pktgen::name(parsed.error());
      EXPECT_TRUE(icrc_holds(*parsed));
      EXPECT_EQ(written(parsed->path, parsed->packet), frame) << name;
      opcodes.insert(parsed->packet.opcode);
      ++frames;
    }
  }
  EXPECT_EQ(frames, 888u);
  EXPECT_GE(opcodes.size(), 20u);
}

TEST(RoceFrame, writes_captured_connection_management_as_it_was) {
  std::set<CmAttribute> attributes;
  for (const char* name : captures) {
    for (const Bytes& frame : capture(name)) {
      const auto parsed = parse_frame(frame);
      ASSERT_TRUE(parsed);
      if (parsed->packet.destination_qp != general_services_qp) continue;
      const auto message = parse_cm(parsed->packet.payload);
      ASSERT_TRUE(message) << name;
      attributes.insert(message->attribute);

      const auto mad = write_cm(*message);
      EXPECT_EQ(written(parsed->path, cm_packet(mad, parsed->packet.psn)), frame) << name;
    }
  }
  EXPECT_EQ(attributes.size(), 5u);
}

TEST(RoceFrame, reads_the_numbers_of_a_captured_connection) {
  const auto frames = capture("cm_ops");
  const auto request = parse_cm(parse_frame(frames.at(0))->packet.payload);
  const auto reply = parse_cm(parse_frame(frames.at(1))->packet.payload);
  const auto first = parse_frame(frames.at(3));

  EXPECT_EQ(request->request.service_id, cm_service_of_port(0x1d2f));
  EXPECT_EQ(request->request.qp, 0x11u);
  EXPECT_EQ(request->request.starting_psn, 0x4460cau);
  EXPECT_EQ(path_mtu_of(request->request.path_mtu), 1024);
  EXPECT_EQ(reply->remote_id, request->local_id);
  // The reply says what the asking side is to start with.
  EXPECT_EQ(first->packet.psn, reply->reply.starting_psn);
  EXPECT_EQ(first->packet.destination_qp, reply->reply.qp);

  CmMessage own;
  write_addresses(own, {first->path.source, first->path.destination, 0xdb05});
  EXPECT_EQ(own.private_data, request->private_data);
}

TEST(RoceFrame, chooses_source_ports_as_linux_does) {
  // Of captured connections: QPs of both sides, and the port that they had.
  EXPECT_EQ(source_port_of(1, 1), 49153);
  EXPECT_EQ(source_port_of(0x11, 0x12), source_port_of(0x12, 0x11));
  const auto frame = parse_frame(capture("ud_send").at(0));
  EXPECT_GE(frame->path.source_port, 0xc000);
}

TEST(RoceFrame, compares_psns_over_the_wrap) {
  EXPECT_EQ(psn_distance(0xff'ffff, 0), 1);
  EXPECT_EQ(psn_distance(0, 0xff'ffff), -1);
  EXPECT_EQ(psn_distance(5, 5 + 0x7f'ffff), 0x7f'ffff);
  EXPECT_EQ(psn_distance(5, 5 + 0x80'0000), -0x80'0000);
  EXPECT_EQ(psn_after(0xff'fffe, 3), 1u);
}

TEST(RoceFrame, knows_as_many_extension_bytes_as_the_pipelines) {
  unsigned known = 0;
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    if (!is_known(static_cast<std::uint8_t>(opcode))) continue;
    ++known;
    EXPECT_EQ(extension_bytes(static_cast<std::uint8_t>(opcode)),
              dp::bth::meanings[opcode].extension_bytes)
        << opcode;
  }
  EXPECT_EQ(known, 25u + 12 + 2 + 1);
}

TEST(RoceFrame, names_what_is_no_roce) {
  RocePacket packet;
  packet.opcode = opcode_of(Transport::rc, Operation::send_only);
  const Bytes payload(30, 0xaa);
  packet.payload = payload;
  const Bytes good = written(path_v4(), packet);
  ASSERT_TRUE(parse_frame(good));
  const auto with = [&good](std::size_t at, std::uint8_t byte) {
    Bytes frame = good;
    frame[at] = byte;
    const auto parsed = parse_frame(frame);
    return parsed ? std::optional<ParseError>() : parsed.error();
  };

  EXPECT_EQ(with(13, 0x06), ParseError::not_ip);
  EXPECT_EQ(with(14, 0x46), ParseError::ip_options);
  EXPECT_EQ(with(14, 0x65), ParseError::not_ip);
  EXPECT_EQ(with(20, 0x20), ParseError::fragment);
  EXPECT_EQ(with(23, 6), ParseError::not_udp);
  EXPECT_EQ(with(37, 0), ParseError::not_roce);
  EXPECT_EQ(with(39, 0), ParseError::bad_length);
  EXPECT_EQ(with(17, 255), ParseError::truncated);
  EXPECT_EQ(with(17, 27), ParseError::bad_length);
  EXPECT_EQ(with(42, 0x46), ParseError::unknown_opcode);  // mlx5's DC.
  EXPECT_EQ(with(42, 0x80), ParseError::unknown_opcode);  // A transport, not the CNP.
  EXPECT_EQ(with(43, 1), ParseError::bad_version);
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
    EXPECT_EQ(parse_frame(std::span(good).first(bytes)).error(), ParseError::truncated) << bytes;
  }
}

TEST(RoceFrame, ignores_the_padding_of_ethernet) {
  RocePacket packet;
  packet.opcode = cnp_opcode;
  Bytes frame = written(path_v4(), packet);
  frame.resize(frame.size() + 9, 0xee);

  const auto parsed = parse_frame(frame);

  ASSERT_TRUE(parsed);
  EXPECT_TRUE(icrc_holds(*parsed));
  EXPECT_TRUE(parsed->packet.payload.empty());
}

TEST(RoceFrame, comes_out_of_its_tunnel) {
  RocePacket packet;
  packet.opcode = cnp_opcode;
  const Bytes inner = written(path_v4(), packet);
  Tunnel tunnel{.source = *base::parse_ip("fd00::1"),
                .destination = *base::parse_ip("fd00::2"),
                .tos = 0x6a,
                .source_port = 50001,
                .vni = 0xabcdef};
  Bytes outer(tunnel_bytes(tunnel));
  write_tunnel(outer.data(), tunnel, inner.size());
  outer.insert(outer.end(), inner.begin(), inner.end());

  const auto parsed = parse_tunnel(outer);

  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->tunnel.vni, 0xabcdefu);
  EXPECT_EQ(parsed->tunnel.tos, 0x6a);
  EXPECT_EQ(Bytes(parsed->inner.begin(), parsed->inner.end()), inner);
  EXPECT_EQ(parse_frame(outer).error(), ParseError::not_roce);
}

TEST(FrameForm, finishes_copies_as_if_they_were_written) {
  for (const std::size_t payload_bytes : {16u, 54u, 57u, 1024u}) {
    Bytes payload(payload_bytes, 0x5a);
    RocePacket packet;
    packet.opcode = opcode_of(Transport::rc, Operation::write_only);
    packet.destination_qp = 0x1234;
    packet.reth = {.address = 0x1000, .key = 7, .bytes = static_cast<std::uint32_t>(payload_bytes)};
    packet.payload = payload;
    const FrameForm form(path_v4(), packet);
    Bytes prepared(form.frame_bytes());
    form.prepare(prepared.data(), path_v4(), packet);

    Stamp stamp{.sequence = base::be32(77), .sent_at = base::be64(0x1234'5678'9abc)};
    form.finish(prepared.data(), 0xff'fffe, true, stamp);

    std::memcpy(payload.data(), &stamp, sizeof stamp);
    packet.psn = 0xff'fffe;
    packet.wants_ack = true;
    EXPECT_EQ(prepared, written(path_v4(), packet)) << payload_bytes;
  }
}

TEST(SequenceTracker, tells_loss_order_and_duplicates) {
  SequenceTracker tracker(0xffff'fffe);
  using Finding = SequenceTracker::Finding;
  EXPECT_EQ(tracker.see(0xffff'fffe), Finding::in_order);
  EXPECT_EQ(tracker.see(2), Finding::in_order);  // 0xffffffff, 0 and 1 are missing.
  EXPECT_EQ(tracker.lost(), 3u);
  EXPECT_EQ(tracker.see(0), Finding::late);
  EXPECT_EQ(tracker.see(0), Finding::duplicate);
  EXPECT_EQ(tracker.see(2), Finding::duplicate);
  EXPECT_EQ(tracker.see(0xffff'fff0), Finding::stale);  // From before the first.
  EXPECT_EQ(tracker.see(3), Finding::in_order);

  EXPECT_EQ(tracker.lost(), 2u);
  EXPECT_EQ(tracker.late(), 1u);
  EXPECT_EQ(tracker.duplicates(), 2u);
  EXPECT_EQ(tracker.received(), 7u);

  EXPECT_EQ(tracker.see(3 + 5000), Finding::in_order);
  EXPECT_EQ(tracker.lost(), 2u + 4999);
  EXPECT_EQ(tracker.see(4), Finding::stale);
  EXPECT_EQ(tracker.see(3 + 5000 - 511), Finding::late);
  EXPECT_EQ(tracker.lost(), 2u + 4998);
}

}  // namespace
