// SPDX-License-Identifier: Apache-2.0
// Writes every form of frame that pktgen's library can write into a pcap file, for roce_forms.py,
// and prints of each what the file must say: opcode, destination QP, PSN, payload's bytes, form.
#include "tests/unit/pktgen_pcap.hpp"
#include "tools/pktgen/roce/cm.hpp"
#include "tools/pktgen/roce/frame.hpp"

#include <cstdio>

namespace {

using namespace pktgen;
using test::Bytes;

std::vector<Bytes> frames;

void add(const Path& path, const RocePacket& packet, const Tunnel* tunnel, const char* form) {
  const std::size_t outer = tunnel == nullptr ? 0 : tunnel_bytes(*tunnel);
  const std::size_t inner = frame_bytes(path, packet);
  Bytes frame(outer + inner);
  write_frame(frame.data() + outer, path, packet);
  if (tunnel != nullptr) write_tunnel(frame.data(), *tunnel, inner);
  frames.push_back(std::move(frame));
  std::printf("%u %u %u %zu %s\n", packet.opcode, packet.destination_qp, packet.psn,
              packet.payload.size(), form);
}

RocePacket packet_of(std::uint8_t opcode, std::span<const std::uint8_t> payload) {
  RocePacket packet;
  packet.opcode = opcode;
  packet.destination_qp = 0x01'0203 + opcode;
  packet.psn = 0xff'ff00 + opcode;
  packet.wants_ack = (opcode & 1) != 0;
  packet.becn = opcode == cnp_opcode;
  packet.reth = {.address = 0x1122'3344'5566'7788, .key = 0x99aa'bbcc, .bytes = 4096};
  packet.aeth = {.syndrome = syndrome::ack_without_credits, .msn = 0x445566};
  packet.deth = {.key = 0x1111'1111, .source_qp = 0x777777};
  packet.atomic = {.address = 0x1000, .key = 1, .swap_or_add = 2, .compare = 3};
  packet.payload = payload;
  return packet;
}

bool has_payload(std::uint8_t opcode) {
  if (opcode == cnp_opcode) return false;
  switch (operation_of(opcode)) {
    case Operation::read_request:
    case Operation::acknowledge:
    case Operation::atomic_acknowledge:
    case Operation::compare_swap:
    case Operation::fetch_add:
    case Operation::flush: return false;
    default: return true;
  }
}

// tshark 4.0 does not know FLUSH and ATOMIC WRITE (IBTA 1.6).
bool is_new(std::uint8_t opcode) {
  return operation_of(opcode) == Operation::flush ||
         operation_of(opcode) == Operation::atomic_write;
}

void add_connection_management(const Path& path) {
  for (const CmAttribute attribute :
       {CmAttribute::request, CmAttribute::reject, CmAttribute::reply, CmAttribute::ready_to_use,
        CmAttribute::disconnect, CmAttribute::disconnected}) {
    CmMessage message{.attribute = attribute, .transaction = 5, .local_id = 1, .remote_id = 2};
    message.request.service_id = cm_service_of_port(4420);
    message.request.qp = 0x111;
    message.request.starting_psn = 0x222222;
    write_addresses(message, {path.source, path.destination, 40000});
    add(path, cm_packet(write_cm(message), 9), nullptr, "plain");
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  const Path v4{.source_mac = {{2, 0, 0, 0, 0, 1}},
                .destination_mac = {{2, 0, 0, 0, 0, 2}},
                .source = *base::parse_ip("10.0.0.1"),
                .destination = *base::parse_ip("10.0.0.2"),
                .tos = 26 << 2 | 2,
                .identification = 0x1234};
  Path v6 = v4;
  v6.source = *base::parse_ip("fd00::1");
  v6.destination = *base::parse_ip("fd00::2");
  v6.flow_label = 0xabcde;
  const Tunnel tunnel4{.source_mac = {{2, 0, 0, 0, 0, 3}},
                       .destination_mac = {{2, 0, 0, 0, 0, 4}},
                       .source = *base::parse_ip("198.18.0.1"),
                       .destination = *base::parse_ip("198.18.0.2"),
                       .vni = 100};
  Tunnel tunnel6 = tunnel4;
  tunnel6.source = *base::parse_ip("fd01::1");
  tunnel6.destination = *base::parse_ip("fd01::2");

  const Bytes payload(61, 0xa5);
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    const auto known = static_cast<std::uint8_t>(opcode);
    if (!is_known(known) || is_new(known)) continue;
    for (const std::size_t bytes : has_payload(known) ? std::vector<std::size_t>{61, 60, 59, 58}
                                                      : std::vector<std::size_t>{0}) {
      const RocePacket packet = packet_of(known, std::span(payload).first(bytes));
      add(v4, packet, nullptr, "plain");
      add(v6, packet, nullptr, "plain");
      add(v4, packet, &tunnel4, "vxlan");
      add(v6, packet, &tunnel6, "vxlan");
    }
  }
  add_connection_management(v4);
  add_connection_management(v6);
  test::write_pcap(words[1], frames);
  return 0;
}
