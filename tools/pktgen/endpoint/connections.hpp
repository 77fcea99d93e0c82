// SPDX-License-Identifier: Apache-2.0
// RDMA-CM between two endpoints: REQ, REP, RTU make a QP ready, DREQ and DREP close it. Messages
// are repeated until they are answered, and repeated ones are answered again. It says what to send
// and what a QP has learnt; the endpoint does both.
#pragma once

#include "tools/pktgen/endpoint/config.hpp"
#include "tools/pktgen/endpoint/due_heap.hpp"
#include "tools/pktgen/roce/cm.hpp"

#include <unordered_map>
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
  // `ready` to the asking side, `established` to the one that was asked. `fail`: nobody answered.
  enum class Kind : std::uint8_t { none, make, ready, established, close, fail };
  Kind kind = Kind::none;
  std::size_t qp = 0;              // Not of make: the endpoint answers with accepted().
  std::uint32_t peer_qp = 0;       // Of make and ready.
  std::uint32_t starting_psn = 0;  // What the peer expects first.
  std::uint16_t path_mtu = 0;      // Of make.
  std::uint16_t port = 0;          // Of make: who listens there.
};

struct CmFacts {
  std::uint64_t sent = 0;  // Messages, repetitions among them.
  std::uint64_t repeated = 0;
  std::uint64_t received = 0;
  std::uint64_t made = 0;  // Connections: asked for by either side,
  std::uint64_t ready = 0;
  std::uint64_t closed = 0;  // of them, after they were ready,
  std::uint64_t failed = 0;  // and without that.
};

class Connections {
 public:
  explicit Connections(const EndpointConfig& config) noexcept
      : repeat_after_(config.cm_repeat_after), repeats_(config.cm_repeats) {}

  // The active side; `config` is that of the QP, with what it expects first.
  void connect(std::size_t qp, const QpConfig& config, std::uint16_t port, Time now);
  CmChange disconnect(std::size_t qp, Time now);
  // A message that came from `source`.
  CmChange receive(const CmMessage& message, const base::IpAddress& source, Time now);
  // The passive side: the QP that a `make` asked for. Answers by REP.
  void accepted(const CmMessage& request, const base::IpAddress& source, std::size_t qp,
                const QpConfig& config, Time now);

  // Messages to send, in order; empties.
  std::vector<CmOutgoing> take() noexcept { return std::exchange(outgoing_, {}); }
  bool has_outgoing() const noexcept { return !outgoing_.empty(); }
  Time deadline() const noexcept { return deadlines_.first_due(); }
  const CmFacts& facts() const noexcept { return facts_; }
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
    unsigned repeated = 0;
  };

  Connection& add(const Connection& connection);
  // `due`: when it is sent again; never of what nobody answers.
  void send(Connection& connection, const CmMessage& message, Time due);
  void queue(const Connection& connection, const CmMessage& message);
  void wait(const Connection& connection, Time due);
  CmChange become_ready(Connection& connection, CmChange::Kind kind);
  CmChange end(Connection& connection);
  CmMessage plain(const Connection& connection, CmAttribute attribute) const noexcept;
  Connection* find(std::uint32_t local_id) noexcept;
  Connection* find_asker(std::uint32_t remote_id, const base::IpAddress& peer) noexcept;
  CmChange receive_request(const CmMessage& message, const base::IpAddress& source, Time now);
  CmChange receive_reply(Connection& connection, const CmMessage& message);
  CmChange receive_known(Connection& connection, const CmMessage& message);

  Time repeat_after_;
  unsigned repeats_;
  std::vector<Connection> connections_;  // By local id.
  std::unordered_map<std::size_t, std::size_t> by_qp_;
  std::unordered_multimap<std::uint32_t, std::size_t> by_remote_id_;  // Of those who asked us.
  DueHeap deadlines_;
  std::vector<CmOutgoing> outgoing_;
  CmFacts facts_;
};

}  // namespace pktgen
