// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/endpoint/connections.hpp"

#include <algorithm>

namespace pktgen {

namespace {
constexpr std::uint64_t tcp_port_space = 0x0106'0000;
constexpr std::uint32_t id_space = 0x5765'0000;  // So that ids are not taken for QP numbers.
}  // namespace

void Connections::send(Connection& connection, const CmMessage& message, Time now,
                       bool awaits_answer) {
  connection.last = message;
  connection.repeated = 0;
  connection.deadline = awaits_answer ? now + repeat_after_ : never;
  outgoing_.push_back({.qp = connection.qp, .message = message});
  look_for_deadline();
}

void Connections::look_for_deadline() noexcept {
  deadline_ = never;
  for (const Connection& one : connections_) deadline_ = std::min(deadline_, one.deadline);
}

Connections::Connection* Connections::find(std::uint32_t local_id) noexcept {
  for (Connection& one : connections_) {
    if (one.local_id == local_id) return &one;
  }
  return nullptr;
}

CmMessage Connections::plain(const Connection& connection, CmAttribute attribute) const noexcept {
  return {.attribute = attribute,
          .transaction = connection.last.transaction,
          .local_id = connection.local_id,
          .remote_id = connection.remote_id};
}

void Connections::connect(std::size_t qp, const QpConfig& config, std::uint16_t port, Time now) {
  const std::uint32_t id = id_space + next_id_++;
  CmMessage message{.attribute = CmAttribute::request,
                    .transaction = std::uint64_t{id} << 32 | id,
                    .local_id = id};
  message.request.service_id = cm_service_of_port(port);
  message.request.qp = config.qp;
  message.request.transport = config.transport == Transport::uc ? 1 : 0;
  message.request.starting_psn = config.expected_psn & mask_24;
  message.request.retries = config.retries & 7;
  message.request.rnr_retries = config.rnr_retries & 7;
  message.request.partition_key = config.partition_key;
  message.request.path_mtu = path_mtu_code(config.path_mtu);
  message.request.local_gid = config.path.source.v6.bytes;
  message.request.remote_gid = config.path.destination.v6.bytes;
  message.request.ack_timeout = config.timeout_exponent;
  message.request.hop_limit = config.path.ttl;
  write_addresses(message, {.source = config.path.source,
                            .destination = config.path.destination,
                            .source_port = static_cast<std::uint16_t>(0x8000 + next_id_)});
  connections_.push_back({.state = State::request_sent,
                          .qp = qp,
                          .last = {},
                          .local_id = id,
                          .remote_id = 0,
                          .peer_qp = 0,
                          .peer = config.path.destination});
  send(connections_.back(), message, now, true);
}

void Connections::disconnect(std::size_t qp, Time now) {
  for (Connection& one : connections_) {
    if (one.qp != qp || one.state == State::closed) continue;
    CmMessage message = plain(one, CmAttribute::disconnect);
    message.remote_qp = one.peer_qp;
    one.state = State::disconnect_sent;
    send(one, message, now, true);
  }
}

CmChange Connections::receive(const CmMessage& message, const base::IpAddress& source, Time now) {
  if (message.attribute == CmAttribute::request) return receive_request(message, source, now);
  Connection* const found = find(message.remote_id);
  if (found == nullptr || found->peer != source) return {};
  return receive_known(*found, message, now);
}

CmChange Connections::receive_request(const CmMessage& message, const base::IpAddress& source,
                                      Time now) {
  for (Connection& one : connections_) {
    if (one.remote_id != message.local_id || one.peer != source) continue;
    // Our REP was lost. Once ready, the peer has it.
    if (one.state == State::reply_sent) send(one, one.last, now, true);
    return {};
  }
  const std::uint64_t service = message.request.service_id;
  if ((service & ~std::uint64_t{0xffff}) != tcp_port_space) return {};
  return {.kind = CmChange::Kind::make,
          .peer_qp = message.request.qp,
          .starting_psn = message.request.starting_psn,
          .path_mtu = path_mtu_of(message.request.path_mtu),
          .port = static_cast<std::uint16_t>(service)};
}

void Connections::accepted(const CmMessage& request, const base::IpAddress& source, std::size_t qp,
                           const QpConfig& config, Time now) {
  const std::uint32_t id = id_space + next_id_++;
  connections_.push_back({.state = State::reply_sent,
                          .qp = qp,
                          .last = {},
                          .local_id = id,
                          .remote_id = request.local_id,
                          .peer_qp = request.request.qp,
                          .peer = source});
  CmMessage reply{.attribute = CmAttribute::reply,
                  .transaction = request.transaction,
                  .local_id = id,
                  .remote_id = request.local_id};
  reply.reply.qp = config.qp;
  reply.reply.starting_psn = config.expected_psn & mask_24;
  reply.reply.rnr_retries = config.rnr_retries & 7;
  send(connections_.back(), reply, now, true);
}

CmChange Connections::receive_reply(Connection& connection, const CmMessage& message, Time now) {
  if (connection.state == State::ready) {
    // Our RTU was lost.
    send(connection, plain(connection, CmAttribute::ready_to_use), now, false);
    return {};
  }
  if (connection.state != State::request_sent) return {};
  connection.state = State::ready;
  connection.remote_id = message.local_id;
  connection.peer_qp = message.reply.qp;
  send(connection, plain(connection, CmAttribute::ready_to_use), now, false);
  return {.kind = CmChange::Kind::ready,
          .qp = connection.qp,
          .peer_qp = message.reply.qp,
          .starting_psn = message.reply.starting_psn};
}

CmChange Connections::receive_known(Connection& connection, const CmMessage& message, Time now) {
  switch (message.attribute) {
    case CmAttribute::reply: return receive_reply(connection, message, now);
    case CmAttribute::ready_to_use:
      if (connection.state != State::reply_sent) return {};
      connection.state = State::ready;
      connection.deadline = never;
      look_for_deadline();
      return {};  // The QP is ready since its REP: data may overtake the RTU.
    case CmAttribute::disconnect:
      send(connection, plain(connection, CmAttribute::disconnected), now, false);
      connection.state = State::closed;
      return {.kind = CmChange::Kind::close, .qp = connection.qp};
    case CmAttribute::disconnected:
    case CmAttribute::reject:
      connection.state = State::closed;
      connection.deadline = never;
      look_for_deadline();
      return {.kind = CmChange::Kind::close, .qp = connection.qp};
    case CmAttribute::request: return {};
  }
  return {};
}

CmChange Connections::expire(Time now) {
  for (Connection& one : connections_) {
    if (one.deadline > now) continue;
    if (++one.repeated > repeats_) {
      one.deadline = never;
      one.state = State::closed;
      look_for_deadline();
      return {.kind = CmChange::Kind::close, .qp = one.qp};
    }
    one.deadline = now + repeat_after_;
    outgoing_.push_back({.qp = one.qp, .message = one.last});
  }
  look_for_deadline();
  return {};
}

}  // namespace pktgen
