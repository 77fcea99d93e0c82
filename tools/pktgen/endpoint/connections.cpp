// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/endpoint/connections.hpp"

#include <algorithm>

namespace pktgen {

namespace {
constexpr std::uint64_t tcp_port_space = 0x0106'0000;
constexpr std::uint32_t id_space = 0x5765'0001;  // So that ids are not taken for QP numbers.
constexpr std::uint16_t port_space = 0x8000;     // Of the asking side.
}  // namespace

Connections::Connection& Connections::add(const Connection& connection) {
  by_qp_.insert_or_assign(connection.qp, connections_.size());
  connections_.push_back(connection);
  connections_.back().local_id = id_space + static_cast<std::uint32_t>(connections_.size() - 1);
  deadlines_.add(never);
  ++facts_.made;
  return connections_.back();
}

void Connections::wait(const Connection& connection, Time due) {
  deadlines_.change(connection.local_id - id_space, due);
}

void Connections::queue(const Connection& connection, const CmMessage& message) {
  outgoing_.push_back({.qp = connection.qp, .message = message});
  ++facts_.sent;
}

void Connections::send(Connection& connection, const CmMessage& message, Time due) {
  connection.last = message;
  connection.repeated = 0;
  wait(connection, due);
  queue(connection, message);
}

Connections::Connection* Connections::find(std::uint32_t local_id) noexcept {
  const std::uint32_t index = local_id - id_space;  // Wraps below the first.
  return index < connections_.size() ? &connections_[index] : nullptr;
}

Connections::Connection* Connections::find_asker(std::uint32_t remote_id,
                                                 const base::IpAddress& peer) noexcept {
  const auto [first, end] = by_remote_id_.equal_range(remote_id);
  const auto found = std::find_if(
      first, end, [&](const auto& one) { return connections_[one.second].peer == peer; });
  return found == end ? nullptr : &connections_[found->second];
}

CmChange Connections::become_ready(Connection& connection, CmChange::Kind kind) {
  connection.state = State::ready;
  ++facts_.ready;
  return {.kind = kind, .qp = connection.qp, .peer_qp = connection.peer_qp};
}

CmChange Connections::end(Connection& connection) {
  const State before = std::exchange(connection.state, State::closed);
  wait(connection, never);
  if (before == State::closed) return {};
  const bool was_ready = before == State::ready || before == State::disconnect_sent;
  ++(was_ready ? facts_.closed : facts_.failed);
  return {.kind = was_ready ? CmChange::Kind::close : CmChange::Kind::fail, .qp = connection.qp};
}

CmMessage Connections::plain(const Connection& connection, CmAttribute attribute) const noexcept {
  return {.attribute = attribute,
          .transaction = connection.last.transaction,
          .local_id = connection.local_id,
          .remote_id = connection.remote_id};
}

void Connections::connect(std::size_t qp, const QpConfig& config, std::uint16_t port, Time now) {
  Connection& connection = add({.state = State::request_sent,
                                .qp = qp,
                                .last = {},
                                .local_id = 0,
                                .remote_id = 0,
                                .peer_qp = 0,
                                .peer = config.path.destination});
  const std::uint32_t id = connection.local_id;
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
                            .source_port = static_cast<std::uint16_t>(port_space | (id & 0x7fff))});
  send(connection, message, now + repeat_after_);
}

CmChange Connections::disconnect(std::size_t qp, Time now) {
  const auto found = by_qp_.find(qp);
  if (found == by_qp_.end()) return {};
  Connection& one = connections_[found->second];
  if (one.state == State::closed || one.state == State::disconnect_sent) return {};
  // What was asked for and not answered is given up without a word, as the peer has no connection.
  if (one.state == State::request_sent) return end(one);
  if (one.state == State::reply_sent) (void)become_ready(one, CmChange::Kind::established);
  CmMessage message = plain(one, CmAttribute::disconnect);
  message.remote_qp = one.peer_qp;
  one.state = State::disconnect_sent;
  send(one, message, now + repeat_after_);
  return {};
}

CmChange Connections::receive(const CmMessage& message, const base::IpAddress& source, Time now) {
  ++facts_.received;
  if (message.attribute == CmAttribute::request) return receive_request(message, source, now);
  Connection* const found = find(message.remote_id);
  if (found == nullptr || found->peer != source) return {};
  return receive_known(*found, message);
}

CmChange Connections::receive_request(const CmMessage& message, const base::IpAddress& source,
                                      Time now) {
  if (Connection* const known = find_asker(message.local_id, source)) {
    // Our REP was lost. Once ready, the peer has it.
    if (known->state == State::reply_sent) {
      ++facts_.repeated;
      send(*known, CmMessage(known->last), now + repeat_after_);
    }
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
  Connection& connection = add({.state = State::reply_sent,
                                .qp = qp,
                                .last = {},
                                .local_id = 0,
                                .remote_id = request.local_id,
                                .peer_qp = request.request.qp,
                                .peer = source});
  by_remote_id_.emplace(request.local_id, connections_.size() - 1);
  CmMessage reply{.attribute = CmAttribute::reply,
                  .transaction = request.transaction,
                  .local_id = connection.local_id,
                  .remote_id = request.local_id};
  reply.reply.qp = config.qp;
  reply.reply.starting_psn = config.expected_psn & mask_24;
  reply.reply.rnr_retries = config.rnr_retries & 7;
  send(connection, reply, now + repeat_after_);
}

CmChange Connections::receive_reply(Connection& connection, const CmMessage& message) {
  const bool is_first = connection.state == State::request_sent;
  // Again: our RTU was lost.
  if (!is_first && connection.state != State::ready) return {};
  connection.remote_id = message.local_id;
  send(connection, plain(connection, CmAttribute::ready_to_use), never);
  if (!is_first) {
    ++facts_.repeated;
    return {};
  }
  connection.peer_qp = message.reply.qp;
  CmChange change = become_ready(connection, CmChange::Kind::ready);
  change.starting_psn = message.reply.starting_psn;
  return change;
}

CmChange Connections::receive_known(Connection& connection, const CmMessage& message) {
  switch (message.attribute) {
    case CmAttribute::reply: return receive_reply(connection, message);
    case CmAttribute::ready_to_use:
      if (connection.state != State::reply_sent) return {};
      wait(connection, never);
      return become_ready(connection, CmChange::Kind::established);
    case CmAttribute::disconnect:
      // It was ready to whoever wants it closed, whether or not the RTU came.
      if (connection.state == State::request_sent) return {};
      if (connection.state == State::reply_sent) {
        (void)become_ready(connection, CmChange::Kind::established);
      }
      send(connection, plain(connection, CmAttribute::disconnected), never);
      return end(connection);
    case CmAttribute::disconnected:
      return connection.state == State::disconnect_sent ? end(connection) : CmChange{};
    case CmAttribute::reject: return end(connection);
    case CmAttribute::request: return {};
  }
  return {};
}

CmChange Connections::expire(Time now) {
  while (deadlines_.first_due() <= now) {
    Connection& one = connections_[deadlines_.first()];
    if (++one.repeated > repeats_) return end(one);
    wait(one, now + repeat_after_);
    ++facts_.repeated;
    queue(one, one.last);
  }
  return {};
}

}  // namespace pktgen
