// SPDX-License-Identifier: Apache-2.0
// RDMA-CM between two endpoints: REQ, REP, RTU make a QP ready, DREQ and DREP close it. Messages
// are repeated until they are answered, and repeated ones are answered again. It says what to send
// and what a QP has learnt; the endpoint does both.
#pragma once

#include "tools/pktgen/endpoint/config.hpp"
#include "tools/pktgen/roce/cm.hpp"

#include <utility>
#include <vector>

namespace pktgen {

// A message for the peer of a connection's QP.
struct CmOutgoing {
  std::size_t qp;
  CmMessage message;
};

// What the endpoint does to a QP.
struct CmChange {
  enum class Kind : std::uint8_t { none, make, ready, close };
  Kind kind = Kind::none;
  std::size_t qp = 0;              // Not of make: the endpoint answers with accepted().
  std::uint32_t peer_qp = 0;       // Of make and ready.
  std::uint32_t starting_psn = 0;  // What the peer expects first.
  std::uint16_t path_mtu = 0;      // Of make.
  std::uint16_t port = 0;          // Of make: who listens there.
};

class Connections {
 public:
  explicit Connections(const EndpointConfig& config) noexcept
      : repeat_after_(config.cm_repeat_after), repeats_(config.cm_repeats) {}

  // The active side; `config` is that of the QP, with what it expects first.
  void connect(std::size_t qp, const QpConfig& config, std::uint16_t port, Time now);
  void disconnect(std::size_t qp, Time now);
  // A message that came from `source`.
  CmChange receive(const CmMessage& message, const base::IpAddress& source, Time now);
  // The passive side: the QP that a `make` asked for. Answers by REP.
  void accepted(const CmMessage& request, const base::IpAddress& source, std::size_t qp,
                const QpConfig& config, Time now);

  // Messages to send, in order; empties.
  std::vector<CmOutgoing> take() noexcept { return std::exchange(outgoing_, {}); }
  bool has_outgoing() const noexcept { return !outgoing_.empty(); }
  Time deadline() const noexcept { return deadline_; }
  // Repeats what was not answered; says of one QP that nobody answers.
  CmChange expire(Time now);

 private:
  enum class State : std::uint8_t { request_sent, reply_sent, ready, disconnect_sent, closed };
  struct Connection {
    State state;
    std::size_t qp;
    CmMessage last;  // Sent, for repeats.
    std::uint32_t local_id;
    std::uint32_t remote_id;
    std::uint32_t peer_qp;
    base::IpAddress peer;
    Time deadline = never;
    unsigned repeated = 0;
  };

  void send(Connection& connection, const CmMessage& message, Time now, bool awaits_answer);
  CmMessage plain(const Connection& connection, CmAttribute attribute) const noexcept;
  Connection* find(std::uint32_t local_id) noexcept;
  CmChange receive_request(const CmMessage& message, const base::IpAddress& source, Time now);
  CmChange receive_reply(Connection& connection, const CmMessage& message, Time now);
  CmChange receive_known(Connection& connection, const CmMessage& message, Time now);
  void look_for_deadline() noexcept;

  Time repeat_after_;
  unsigned repeats_;
  std::vector<Connection> connections_;
  std::vector<CmOutgoing> outgoing_;
  std::uint32_t next_id_ = 1;
  Time deadline_ = never;
};

}  // namespace pktgen
