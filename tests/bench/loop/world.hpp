// SPDX-License-Identifier: Apache-2.0
// Incast over the overlay in one process and virtual time: senders ─► gateway west ─► its queue ─►
// gateway east ─► receiver, and ACKs and CNPs back through both. Links only delay; the queue is the
// only place where frames wait, besides the senders' own lines.
#pragma once

#include "tests/bench/loop/bottleneck.hpp"
#include "tests/pipeline/gateway.hpp"
#include "tools/pktgen/endpoint/endpoint.hpp"

#include <memory>
#include <queue>
#include <vector>

namespace bench {

struct Scenario {
  unsigned senders = 2;
  double line_bps = 100e9;
  Time round_trip = 10 * pktgen::ps_per_us;
  Curve curve{.bps = 100e9, .kmin = 400'000, .kmax = 1'600'000, .pmax = 0.2, .buffer = 32'000'000};
  pktgen::DcqcnParameters dcqcn = pktgen::dcqcn_hpcc(100e9);
  std::uint64_t seed = 1;
};

struct Sample {
  Time at;
  std::uint64_t depth_bytes;
  std::vector<double> rate_bps;  // Of each sender.

  bool operator==(const Sample&) const = default;
};

class World {
 public:
  explicit World(const Scenario& scenario);
  ~World();

  void run(Time end, Time sample_every, std::vector<Sample>& samples);

  // Since the start.
  std::uint64_t received_bytes(unsigned sender) const;
  const Bottleneck& bottleneck() const { return bottleneck_; }
  const pktgen::SendFacts& sent(unsigned sender) const { return senders_[sender]->facts(0).sent; }

 private:
  enum class Place : std::uint8_t { west_host, east_wire, receiver, east_host, west_wire, sender };
  struct Event {
    Time at;
    std::uint64_t order;
    Place place;
    unsigned sender;
    rte_mbuf* frame;
    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  class Sink;

  void send_at(Time at, Place place, rte_mbuf* frame, unsigned sender = 0);
  void arrive(const Event& event);
  void poll_endpoints();
  void drain_queue();
  void pass(test::Gateway& gateway, std::uint16_t in, std::uint16_t out, rte_mbuf* frame,
            std::vector<rte_mbuf*>& sent);
  Time next_due() const;
  void take_sample(std::vector<Sample>& samples);

  Scenario scenario_;
  Time now_ = 0;
  std::uint64_t order_ = 0;
  test::Gateway west_;
  test::Gateway east_;
  Bottleneck bottleneck_;
  std::vector<std::unique_ptr<pktgen::Endpoint>> senders_;
  pktgen::DueHeap sender_due_;
  std::unique_ptr<pktgen::Endpoint> receiver_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<rte_mbuf*> passed_;
};

}  // namespace bench
