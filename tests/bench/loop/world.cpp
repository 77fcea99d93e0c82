// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/loop/world.hpp"

#include "dataplane/base/check.hpp"

namespace bench {

using namespace pktgen;

namespace {

constexpr std::uint16_t host = 0, wire = 1, network = 1;
constexpr std::string_view west_mac = "02:70:63:61:70:00", east_mac = "02:70:63:61:70:ee";
constexpr std::string_view west_vtep = "198.18.0.1", east_vtep = "198.18.0.2";

base::MacAddress mac_of(unsigned host_number) {
  return {{2, 0, 0, 0, 1, static_cast<std::uint8_t>(host_number)}};
}
base::IpAddress address_of(unsigned host_number) {
  return base::IpAddress::from(base::be32(0x0a00'0000 + host_number));
}
constexpr unsigned receiver_number = 200;

void program(test::Gateway& gateway, bool is_west, unsigned senders) {
  const std::string_view own = is_west ? west_vtep : east_vtep;
  gateway.add_port(host, test::tenant_port(network));
  gateway.add_port(wire, test::underlay_port(is_west ? west_mac : east_mac));
  gateway.set_local_vtep(1, own);
  gateway.set_remote_vtep(2, {.address = is_west ? east_vtep : west_vtep,
                              .port = wire,
                              .source = own,
                              .next_hop_mac = is_west ? east_mac : west_mac});
  gateway.set_network(network, 100);
  for (unsigned i = 1; i <= senders; ++i) {
    gateway.set_endpoint(network, base::to_string(mac_of(i)),
                         is_west ? test::at_port(host) : test::at_vtep(2));
  }
  gateway.set_endpoint(network, base::to_string(mac_of(receiver_number)),
                       is_west ? test::at_vtep(2) : test::at_port(host));
  gateway.commit();
}

QpConfig sender_qp(unsigned number) {
  QpConfig config{.qp = 0x100 + number, .peer_qp = 0x1000 + number};
  config.path = {.source_mac = mac_of(number),
                 .destination_mac = mac_of(receiver_number),
                 .source = address_of(number),
                 .destination = address_of(receiver_number),
                 .tos = 26 << 2 | 2,
                 .source_port = source_port_of(config.qp, config.peer_qp)};
  config.window_packets = 1 << 20;  // DCQCN alone limits.
  config.starting_psn = 0xff'f000 + number;
  return config;
}

QpConfig receiver_qp(const QpConfig& sender) {
  QpConfig config = sender;
  std::swap(config.qp, config.peer_qp);
  std::swap(config.path.source, config.path.destination);
  std::swap(config.path.source_mac, config.path.destination_mac);
  std::swap(config.starting_psn, config.expected_psn);
  return config;
}

}  // namespace

// Frames into mbufs of a gateway's pool, on their way to it.
class World::Sink final : public FrameSink {
 public:
  Sink(World& world, rte_mempool& pool, Place next, Time delay)
      : world_(world), pool_(pool), next_(next), delay_(delay) {}
  std::uint8_t* begin(std::size_t) override {
    if (mbuf_ == nullptr) mbuf_ = rte_pktmbuf_alloc(&pool_);
    CHECK(mbuf_ != nullptr);
    return rte_pktmbuf_mtod(mbuf_, std::uint8_t*);
  }
  void send(std::uint8_t*, std::size_t bytes, Time now) override {
    mbuf_->data_len = static_cast<std::uint16_t>(bytes);
    mbuf_->pkt_len = static_cast<std::uint32_t>(bytes);
    world_.send_at(now + delay_, next_, std::exchange(mbuf_, nullptr));
  }
  ~Sink() override { rte_pktmbuf_free(mbuf_); }

 private:
  World& world_;
  rte_mempool& pool_;
  Place next_;
  Time delay_;
  rte_mbuf* mbuf_ = nullptr;
};

World::World(const Scenario& scenario)
    : scenario_(scenario),
      west_({.mbufs = 65535}),
      east_({.mbufs = 65535}),
      bottleneck_(scenario.curve, scenario.seed) {
  program(west_, true, scenario.senders);
  program(east_, false, scenario.senders);
  const EndpointConfig config{.line_bps = scenario.line_bps,
                              .overhead_bytes = 0,
                              .dcqcn = scenario.dcqcn,
                              .cnp_interval = scenario.dcqcn.cnp_interval};
  receiver_ = std::make_unique<Endpoint>(config, 0);
  for (unsigned i = 1; i <= scenario.senders; ++i) {
    const QpConfig qp = sender_qp(i);
    senders_.push_back(std::make_unique<Endpoint>(config, 0));
    senders_.back()->add_qp(qp, 0);
    senders_.back()->post(0, {.kind = WorkKind::write, .bytes = 1 << 20, .repeat = Work::for_ever});
    receiver_->add_qp(receiver_qp(qp), 0);
    sender_due_.add(senders_.back()->next_due());
  }
}

World::~World() {
  for (; !events_.empty(); events_.pop()) rte_pktmbuf_free(events_.top().frame);
}

void World::send_at(Time at, Place place, rte_mbuf* frame, unsigned sender) {
  events_.push({.at = at, .order = order_++, .place = place, .sender = sender, .frame = frame});
}

void World::pass(test::Gateway& gateway, std::uint16_t in, std::uint16_t out, rte_mbuf* frame,
                 std::vector<rte_mbuf*>& sent) {
  gateway.offer(in, frame, 0);
  gateway.worker(0).turn(0);
  sent = gateway.memory_port(out).take_sent(base::QueueId{0});
}

void World::arrive(const Event& event) {
  const Time half = scenario_.round_trip / 2;
  const auto bytes_of = [](const rte_mbuf* frame) {
    return std::span(rte_pktmbuf_mtod(frame, const std::uint8_t*), frame->pkt_len);
  };
  switch (event.place) {
    case Place::west_host:
      pass(west_, host, wire, event.frame, passed_);
      for (rte_mbuf* frame : passed_) bottleneck_.enqueue(frame, now_);
      break;
    case Place::east_wire:
      pass(east_, wire, host, event.frame, passed_);
      for (rte_mbuf* frame : passed_) send_at(now_, Place::receiver, frame);
      break;
    case Place::receiver:
      receiver_->receive(bytes_of(event.frame), now_);
      rte_pktmbuf_free(event.frame);
      break;
    case Place::east_host:
      pass(east_, host, wire, event.frame, passed_);
      for (rte_mbuf* frame : passed_) send_at(now_ + half, Place::west_wire, frame);
      break;
    case Place::west_wire:
      pass(west_, wire, host, event.frame, passed_);
      for (rte_mbuf* frame : passed_) {
        const unsigned number = bytes_of(frame)[5];
        send_at(now_, Place::sender, frame, number - 1);
      }
      break;
    case Place::sender:
      senders_[event.sender]->receive(bytes_of(event.frame), now_);
      sender_due_.change(event.sender, senders_[event.sender]->next_due());
      rte_pktmbuf_free(event.frame);
      break;
  }
}

void World::drain_queue() {
  const Time there = scenario_.round_trip / 2 - pktgen::ps_per_us;
  while (rte_mbuf* frame = bottleneck_.dequeue(now_)) {
    send_at(now_ + there, Place::east_wire, frame);
  }
}

void World::poll_endpoints() {
  while (sender_due_.first_due() <= now_) {
    const std::size_t i = sender_due_.first();
    Sink sink(*this, west_.pool(), Place::west_host, pktgen::ps_per_us);
    senders_[i]->poll(sink, now_);
    sender_due_.change(i, senders_[i]->next_due());
  }
  Sink sink(*this, east_.pool(), Place::east_host, 0);
  while (receiver_->next_due() <= now_ && receiver_->poll(sink, now_) > 0) {
  }
}

Time World::next_due() const {
  const Time event = events_.empty() ? never : events_.top().at;
  return std::min({event, bottleneck_.next_due(), sender_due_.first_due(), receiver_->next_due()});
}

void World::take_sample(std::vector<Sample>& samples) {
  Sample sample{.at = now_, .depth_bytes = bottleneck_.depth_bytes(), .rate_bps = {}};
  for (auto& sender : senders_) sample.rate_bps.push_back(sender->rate_bps(0, now_));
  samples.push_back(std::move(sample));
}

void World::run(Time end, Time sample_every, std::vector<Sample>& samples) {
  Time next_sample = now_;
  while (now_ < end) {
    const Time next = std::min({next_due(), next_sample, end});
    now_ = std::max(now_, next);
    if (now_ >= next_sample) {
      take_sample(samples);
      next_sample += sample_every;
    }
    while (!events_.empty() && events_.top().at <= now_) {
      const Event event = events_.top();
      events_.pop();
      arrive(event);
    }
    drain_queue();
    poll_endpoints();
  }
}

std::uint64_t World::received_bytes(unsigned sender) const {
  return receiver_->facts(sender).received.payload_bytes;
}

}  // namespace bench
