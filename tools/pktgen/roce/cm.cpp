// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/roce/cm.hpp"

#include "dataplane/base/byte_order.hpp"

#include <algorithm>
#include <cstring>

namespace pktgen {

namespace {

// The layouts of tables 106 to 120, as Linux' ibta_vol1_c12.h has them: offsets in the CM message.
struct RequestLayout {
  base::be32 local_id, reserved_4;
  base::be64 service_id, adapter_guid;
  base::be32 reserved_24, key;
  base::be32 qp_resources;  // QPN, responder resources.
  base::be32 eecn_depth;    // Initiator depth in the last byte.
  base::be32 eecn_remote;   // Remote response time (5 bits), transport (2), flow control (1).
  base::be32 psn_local;     // PSN, local response time (5), retries (3).
  base::be16 partition_key;
  std::uint8_t mtu_rnr;     // Path MTU (4), RDC (1), RNR retries (3).
  std::uint8_t cm_retries;  // In the upper 4 bits; SRQ, extended transport.
  base::be16 local_lid, remote_lid;
  std::array<std::uint8_t, 16> local_gid, remote_gid;
  base::be32 label_rate;  // Flow label (20), rate (12).
  std::uint8_t traffic_class, hop_limit, service_level;
  std::uint8_t ack_timeout;  // In the upper 5 bits.
  std::array<std::uint8_t, 44> alternate;
};
static_assert(sizeof(RequestLayout) == 140);

struct ReplyLayout {
  base::be32 local_id, remote_id, key;
  base::be32 qp, eecn, psn;  // In the upper 24 bits.
  std::uint8_t responder_resources, initiator_depth;
  std::uint8_t ack_delay;    // In the upper 5 bits.
  std::uint8_t rnr_retries;  // In the upper 3 bits.
  base::be64 adapter_guid;
};
static_assert(sizeof(ReplyLayout) == 36);

struct DisconnectLayout {
  base::be32 local_id, remote_id, remote_qp;
};

struct RejectLayout {
  base::be32 local_id, remote_id;
  std::uint8_t rejected;  // 0 REQ, 1 REP, 2 none, in the upper 2 bits.
  std::uint8_t info_bytes;
  base::be16 reason;
};

struct MadHeader {
  std::uint8_t base_version, management_class, class_version, method;
  base::be32 status;
  base::be64 transaction;
  base::be16 attribute, reserved;
  base::be32 modifier;
};
static_assert(sizeof(MadHeader) == CmMessage::header_bytes);

// Two LIDs that RoCE does not have.
constexpr std::uint16_t permissive_lid = 0xffff;
constexpr std::uint32_t qp_shift = 8;

RequestLayout layout_of(std::uint32_t local_id, const CmRequest& request) noexcept {
  RequestLayout layout{};
  layout.local_id = base::be32(local_id);
  layout.service_id = base::be64(request.service_id);
  layout.adapter_guid = base::be64(request.adapter_guid);
  layout.qp_resources = base::be32(request.qp << qp_shift | request.responder_resources);
  layout.eecn_depth = base::be32(request.initiator_depth);
  layout.eecn_remote = base::be32(static_cast<std::uint32_t>(request.remote_response_time << 3) |
                                  static_cast<std::uint32_t>(request.transport << 1));
  layout.psn_local = base::be32(request.starting_psn << 8 |
                                static_cast<std::uint32_t>(request.local_response_time << 3) |
                                (request.retries & 7u));
  layout.partition_key = base::be16(request.partition_key);
  layout.mtu_rnr = static_cast<std::uint8_t>(request.path_mtu << 4 | (request.rnr_retries & 7));
  layout.cm_retries = static_cast<std::uint8_t>(request.cm_retries << 4);
  layout.local_lid = layout.remote_lid = base::be16(permissive_lid);
  layout.local_gid = request.local_gid;
  layout.remote_gid = request.remote_gid;
  layout.label_rate = base::be32(request.flow_label << 12 | (request.rate_bits & 0xfffu));
  layout.traffic_class = request.traffic_class;
  layout.hop_limit = request.hop_limit;
  layout.ack_timeout = static_cast<std::uint8_t>(request.ack_timeout << 3);
  return layout;
}

CmRequest request_of(const RequestLayout& layout) noexcept {
  return {
      .service_id = layout.service_id.host(),
      .adapter_guid = layout.adapter_guid.host(),
      .qp = layout.qp_resources.host() >> qp_shift,
      .responder_resources = static_cast<std::uint8_t>(layout.qp_resources.host()),
      .initiator_depth = static_cast<std::uint8_t>(layout.eecn_depth.host()),
      .transport = static_cast<std::uint8_t>(layout.eecn_remote.host() >> 1 & 3),
      .remote_response_time = static_cast<std::uint8_t>(layout.eecn_remote.host() >> 3 & 31),
      .local_response_time = static_cast<std::uint8_t>(layout.psn_local.host() >> 3 & 31),
      .starting_psn = layout.psn_local.host() >> 8,
      .retries = static_cast<std::uint8_t>(layout.psn_local.host() & 7),
      .partition_key = layout.partition_key.host(),
      .path_mtu = static_cast<std::uint8_t>(layout.mtu_rnr >> 4),
      .rnr_retries = static_cast<std::uint8_t>(layout.mtu_rnr & 7),
      .cm_retries = static_cast<std::uint8_t>(layout.cm_retries >> 4),
      .local_gid = layout.local_gid,
      .remote_gid = layout.remote_gid,
      .flow_label = layout.label_rate.host() >> 12,
      .rate_bits = static_cast<std::uint16_t>(layout.label_rate.host() & 0xfff),
      .traffic_class = layout.traffic_class,
      .hop_limit = layout.hop_limit,
      .ack_timeout = static_cast<std::uint8_t>(layout.ack_timeout >> 3),
  };
}

ReplyLayout layout_of(const CmMessage& message) noexcept {
  const CmReply& reply = message.reply;
  ReplyLayout layout{};
  layout.local_id = base::be32(message.local_id);
  layout.remote_id = base::be32(message.remote_id);
  layout.qp = base::be32(reply.qp << qp_shift);
  layout.psn = base::be32(reply.starting_psn << 8);
  layout.responder_resources = reply.responder_resources;
  layout.initiator_depth = reply.initiator_depth;
  layout.ack_delay = static_cast<std::uint8_t>(reply.ack_delay << 3);
  layout.rnr_retries = static_cast<std::uint8_t>(reply.rnr_retries << 5);
  layout.adapter_guid = base::be64(reply.adapter_guid);
  return layout;
}

CmReply reply_of(const ReplyLayout& layout) noexcept {
  return {
      .adapter_guid = layout.adapter_guid.host(),
      .qp = layout.qp.host() >> qp_shift,
      .starting_psn = layout.psn.host() >> 8,
      .responder_resources = layout.responder_resources,
      .initiator_depth = layout.initiator_depth,
      .ack_delay = static_cast<std::uint8_t>(layout.ack_delay >> 3),
      .rnr_retries = static_cast<std::uint8_t>(layout.rnr_retries >> 5),
  };
}

template <class T>
void put(CmMessage::Mad& mad, const T& layout) noexcept {
  std::memcpy(mad.data() + CmMessage::header_bytes, &layout, sizeof layout);
}
template <class T>
T take(std::span<const std::uint8_t> mad) noexcept {
  T layout;
  std::memcpy(&layout, mad.data() + CmMessage::header_bytes, sizeof layout);
  return layout;
}

}  // namespace

std::size_t private_offset(CmAttribute attribute) noexcept {
  constexpr std::size_t start = CmMessage::header_bytes;
  switch (attribute) {
    case CmAttribute::request: return start + sizeof(RequestLayout);
    case CmAttribute::reply: return start + sizeof(ReplyLayout);
    case CmAttribute::disconnect: return start + sizeof(DisconnectLayout);
    case CmAttribute::reject: return start + 84;  // Behind 72 bytes of additional information.
    case CmAttribute::ready_to_use:
    case CmAttribute::disconnected: return start + 8;
  }
  return CmMessage::bytes;
}

CmMessage::Mad write_cm(const CmMessage& message) noexcept {
  CmMessage::Mad mad{};
  const MadHeader header{.base_version = 1,
                         .management_class = 7,
                         .class_version = 2,
                         .method = 3,  // Send.
                         .status = base::be32(0),
                         .transaction = base::be64(message.transaction),
                         .attribute = base::be16(static_cast<std::uint16_t>(message.attribute)),
                         .reserved = base::be16(0),
                         .modifier = base::be32(0)};
  std::memcpy(mad.data(), &header, sizeof header);
  const base::be32 local(message.local_id);
  const base::be32 remote(message.remote_id);
  switch (message.attribute) {
    case CmAttribute::request: put(mad, layout_of(message.local_id, message.request)); break;
    case CmAttribute::reply: put(mad, layout_of(message)); break;
    case CmAttribute::disconnect:
      put(mad, DisconnectLayout{local, remote, base::be32(message.remote_qp << qp_shift)});
      break;
    case CmAttribute::reject:
      put(mad, RejectLayout{local, remote, 0, 0, base::be16(message.reject_reason)});
      break;
    case CmAttribute::ready_to_use:
    case CmAttribute::disconnected: put(mad, DisconnectLayout{local, remote, base::be32(0)}); break;
  }
  const std::size_t offset = private_offset(message.attribute);
  std::memcpy(mad.data() + offset, message.private_data.data(), mad.size() - offset);
  return mad;
}

std::optional<CmMessage> parse_cm(std::span<const std::uint8_t> mad) noexcept {
  if (mad.size() < CmMessage::bytes) return std::nullopt;
  MadHeader header;
  std::memcpy(&header, mad.data(), sizeof header);
  if (header.management_class != 7 || header.method != 3) return std::nullopt;

  CmMessage message;
  message.attribute = static_cast<CmAttribute>(header.attribute.host());
  message.transaction = header.transaction.host();
  const auto ids = take<DisconnectLayout>(mad);
  message.local_id = ids.local_id.host();
  message.remote_id = ids.remote_id.host();
  switch (message.attribute) {
    case CmAttribute::request:
      message.remote_id = 0;
      message.request = request_of(take<RequestLayout>(mad));
      break;
    case CmAttribute::reply: message.reply = reply_of(take<ReplyLayout>(mad)); break;
    case CmAttribute::disconnect: message.remote_qp = ids.remote_qp.host() >> qp_shift; break;
    case CmAttribute::reject: message.reject_reason = take<RejectLayout>(mad).reason.host(); break;
    case CmAttribute::ready_to_use:
    case CmAttribute::disconnected: break;
    default: return std::nullopt;
  }
  const std::size_t offset = private_offset(message.attribute);
  std::memcpy(message.private_data.data(), mad.data() + offset, CmMessage::bytes - offset);
  return message;
}

void write_addresses(CmMessage& message, const CmAddresses& addresses) noexcept {
  auto* const data = message.private_data.data();
  const bool is_v4 = addresses.source.is_v4();
  data[0] = 0;  // Version.
  data[1] = is_v4 ? 0x40 : 0x60;
  const base::be16 port(addresses.source_port);
  std::memcpy(data + 2, &port, sizeof port);
  // An IPv4 address stands in the last 4 of 16 bytes, and is not mapped.
  const auto put_address = [is_v4](std::uint8_t* position, const base::IpAddress& address) {
    std::memset(position, 0, 16);
    const std::size_t skipped = is_v4 ? 12 : 0;
    std::memcpy(position + skipped, address.v6.bytes.data() + skipped, 16 - skipped);
  };
  put_address(data + 4, addresses.source);
  put_address(data + 20, addresses.destination);
}

RocePacket cm_packet(std::span<const std::uint8_t> mad, std::uint32_t psn) noexcept {
  RocePacket packet;
  packet.opcode = opcode_of(Transport::ud, Operation::send_only);
  packet.destination_qp = general_services_qp;
  packet.psn = psn;
  packet.wants_ack = true;  // As Linux' stack sends it; UD has no acknowledgments.
  packet.deth = {.key = general_services_key, .source_qp = general_services_qp};
  packet.payload = mad;
  return packet;
}

}  // namespace pktgen
