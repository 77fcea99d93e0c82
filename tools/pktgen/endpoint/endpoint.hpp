// SPDX-License-Identifier: Apache-2.0
// A RoCEv2 NIC as logic: QPs that ask and answer, CNPs for marked frames, and DCQCN's rates. It has
// no clock, thread or port: frames and the time come in as arguments, and what is due goes out by a
// sink that owns the memory. Not thread-safe: one thread per endpoint.
#pragma once

#include "tools/pktgen/endpoint/config.hpp"
#include "tools/pktgen/endpoint/connections.hpp"
#include "tools/pktgen/endpoint/due_heap.hpp"
#include "tools/pktgen/endpoint/facts.hpp"
#include "tools/pktgen/endpoint/requester.hpp"
#include "tools/pktgen/endpoint/responder.hpp"
#include "tools/pktgen/roce/parse.hpp"

#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace pktgen {

// Where frames go: begin() gives memory for one, nullptr when there is none now; send() takes it.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual std::uint8_t* begin(std::size_t bytes) = 0;
  virtual void send(std::uint8_t* frame, std::size_t bytes, Time now) = 0;
};

using QpIndex = std::size_t;  // Counts up from 0 in the order of add_qp().

// A received data frame, for statistics.
struct DataArrival {
  QpIndex qp;
  const ParsedFrame& frame;
  bool is_ce;
  std::optional<Stamp> stamp;
  SequenceTracker::Finding finding;  // Only with a stamp.
  Time now;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void data_arrived(const DataArrival&) {}
  virtual void cnp_arrived(QpIndex, Time) {}
  // Somebody asked for it by RDMA-CM; it may be given work.
  virtual void qp_accepted(QpIndex) {}
};

// Frames that were for no QP.
struct StrayFacts {
  std::uint64_t not_roce = 0;  // ARP, other protocols, opcodes that this endpoint does not know.
  std::uint64_t unknown_qp = 0;
  std::uint64_t wrong_peer = 0;  // A known QP, but not from its peer's address.
  std::uint64_t icrc_failures = 0;
};

class Endpoint {
 public:
  // The observer outlives it; nullptr for none.
  Endpoint(const EndpointConfig& config, Time now, Observer* observer = nullptr);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  QpIndex add_qp(const QpConfig& config, Time now);
  // It answers, and asks nothing before the peer's first packet: who is not there yet would only be
  // asked until the retries are used up.
  void wait_for_peer(QpIndex qp);
  void post(QpIndex qp, const Work& work);
  // Works in turn, as Requester::post_in_turn() has it.
  void post_in_turn(QpIndex qp, std::span<const Work> works, std::size_t first,
                    std::uint64_t messages);
  // Receives that SENDs to this QP may use.
  void post_receives(QpIndex qp, std::uint64_t count);

  // By RDMA-CM: a QP that sends when its peer has answered; config's peer_qp and starting_psn come
  // from there. The first `count` who ask at a listening port get a QP like `like`, numbered on.
  QpIndex connect(const QpConfig& config, std::uint16_t port, Time now);
  void listen(std::uint16_t port, const QpConfig& like, std::uint32_t count);
  void disconnect(QpIndex qp, Time now);
  const CmFacts& connections() const noexcept { return connections_.facts(); }

  void receive(std::span<const std::uint8_t> frame, Time now);
  // Sends what is due, at most `frames`; returns how many.
  unsigned poll(FrameSink& sink, Time now, unsigned frames = 32);
  // When poll() has something to do next: never before what it returned the last time was done.
  Time next_due() const noexcept;

  std::size_t qp_count() const noexcept { return qps_.size(); }
  const QpFacts& facts(QpIndex qp) const noexcept;
  const QpConfig& config(QpIndex qp) const noexcept;
  QpState state(QpIndex qp) const noexcept;
  const Responder& responder(QpIndex qp) const noexcept;
  const Requester& requester(QpIndex qp) const noexcept;
  // What the QP may send now; the line's where nothing limits it.
  double rate_bps(QpIndex qp, Time now);
  const StrayFacts& strays() const noexcept { return strays_; }

 private:
  struct Qp;
  struct Control {  // CNPs and MADs: frames beside the QPs' own order.
    QpIndex qp;
    RocePacket packet;
    Path path;
    std::vector<std::uint8_t> payload;
  };

  struct Received {
    ParsedFrame frame;
    bool is_ce;
  };
  std::optional<Received> parse(std::span<const std::uint8_t> frame);
  void deliver(QpIndex index, const Received& received, Time now);
  void account(QpIndex index, const Received& received, Time now);
  void manage(const ParsedFrame& frame, Time now);
  void count_late(QpIndex index, const Received& received, Time now);
  void apply(const CmChange& change);
  void accept(const CmMessage& request, const CmChange& change, const Path& path, Time now);
  void queue_messages();
  void notify_congestion(QpIndex index, const ParsedFrame& frame, Time now);
  bool send_control(FrameSink& sink, Time now);
  bool send_of(QpIndex index, FrameSink& sink, Time now);
  void pace(Qp& qp, std::size_t frame_bytes, Time now);
  std::size_t place_frame(std::uint8_t* frame, const QpConfig& config, const Path& path,
                          const RocePacket& packet) noexcept;
  void occupy_port(std::size_t frame_bytes, Time now) noexcept;
  Time due_of(const Qp& qp) const noexcept;
  void reschedule(QpIndex index);

  EndpointConfig config_;
  Observer* observer_;
  std::vector<std::unique_ptr<Qp>> qps_;
  std::unordered_map<std::uint32_t, QpIndex> by_number_;
  DueHeap due_;
  std::deque<Control> control_;
  Connections connections_;
  struct Listener {
    QpConfig next;  // QP's config.
    std::uint32_t left;
  };
  std::unordered_map<std::uint16_t, Listener> listening_;  // By port.
  std::uint32_t management_psn_ = 0;
  Time port_free_;           // When the line has sent what it was given.
  double port_rest_ps_ = 0;  // Fractions of a picosecond that it is ahead.
  std::uint16_t identification_ = 0;
  StrayFacts strays_;
};

}  // namespace pktgen
