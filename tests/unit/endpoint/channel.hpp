// SPDX-License-Identifier: Apache-2.0
// Two endpoints and what lies between them, in virtual time: a channel that delays, drops,
// duplicates, reorders and marks frames as it is told or by chance, and knows exactly what it did.
#pragma once

#include "tools/pktgen/endpoint/endpoint.hpp"

#include <array>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace test {

using namespace pktgen;
using Bytes = std::vector<std::uint8_t>;

// Keeps the frame that was sent last.
struct OneFrame final : FrameSink {
  std::uint8_t* begin(std::size_t bytes) override {
    memory.assign(bytes, 0);
    return memory.data();
  }
  void send(std::uint8_t*, std::size_t bytes, Time) override { memory.resize(bytes); }
  Bytes memory;
};

// Of stamped frames in one direction.
struct Deeds {
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t delivered = 0;
  std::uint64_t late = 0;  // Delivered behind one that was sent after it.
  std::uint64_t marked = 0;
  std::uint64_t lost_below = 0;  // Dropped, and a later one was delivered.
};

struct Chances {
  double drop = 0;
  double duplicate = 0;
  double delay = 0;  // By delay_extra, so that others overtake.
  double mark = 0;
  double corrupt = 0;
  Time delay_extra = 5 * ps_per_us;
};

class Channel {
 public:
  // What happens to a frame before chance has its say: false drops it.
  using Judge = std::function<bool(const ParsedFrame& frame, Time now)>;

  explicit Channel(const EndpointConfig& config = {}, std::uint32_t seed = 1)
      : ends_{Endpoint(config, 0), Endpoint(config, 0)}, random_(seed) {}

  Endpoint& left() { return ends_[0]; }
  Endpoint& right() { return ends_[1]; }
  Time now() const { return now_; }
  const Deeds& deeds(int from) const { return deeds_[static_cast<std::size_t>(from)]; }
  void set(int from, const Chances& chances) { chances_[static_cast<std::size_t>(from)] = chances; }
  void judge(int from, Judge judge) { judges_[static_cast<std::size_t>(from)] = std::move(judge); }
  const std::vector<std::pair<Time, Bytes>>& frames(int from) const {
    return frames_[static_cast<std::size_t>(from)];
  }

  // Until nothing is due before `end`.
  void run(Time end) {
    for (;;) {
      const Time next = std::min({ends_[0].next_due(), ends_[1].next_due(), next_arrival()});
      if (next > end || next == never) break;
      now_ = std::max(now_, next);
      deliver_due();
      for (std::size_t from = 0; from < 2; ++from) {
        Sink sink(*this, from);
        while (ends_[from].next_due() <= now_ && ends_[from].poll(sink, now_) > 0) {
        }
      }
    }
    now_ = std::max(now_, end);
  }

  static constexpr Time one_way = 2 * ps_per_us;

 private:
  struct Flight {
    std::size_t from;
    std::uint64_t number;  // Of this direction's stamped frames; 0 of others.
    bool is_stamped;
    Bytes bytes;
  };

  class Sink final : public FrameSink {
   public:
    Sink(Channel& channel, std::size_t from) : channel_(channel), from_(from) {}
    std::uint8_t* begin(std::size_t bytes) override {
      frame_.assign(bytes, 0);
      return frame_.data();
    }
    void send(std::uint8_t* frame, std::size_t bytes, Time now) override {
      channel_.carry(from_, Bytes(frame, frame + bytes), now);
    }

   private:
    Channel& channel_;
    std::size_t from_;
    Bytes frame_;
  };

  Time next_arrival() const { return flights_.empty() ? never : flights_.begin()->first.first; }
  bool happens(double chance) {
    return chance > 0 && std::uniform_real_distribution<>(0, 1)(random_) < chance;
  }

  void carry(std::size_t from, Bytes bytes, Time now) {
    frames_[from].emplace_back(now, bytes);
    const auto parsed = parse_frame(bytes);
    if (!parsed) std::abort();
    const bool is_stamped = read_stamp(parsed->packet.payload).has_value();
    const Chances& chances = chances_[from];
    Deeds& deeds = deeds_[from];
    const std::uint64_t number = is_stamped ? deeds.sent++ : 0;
    if ((judges_[from] && !judges_[from](*parsed, now)) || happens(chances.drop)) {
      deeds.dropped += is_stamped ? 1 : 0;
      if (is_stamped) missing_[from].insert(number);
      return;
    }
    // The ICRC does not cover the ECN field; the IPv4 checksum nobody reads here.
    if (happens(chances.mark)) {
      bytes[15] |= 3;
      ++deeds.marked;
    }
    if (happens(chances.corrupt)) bytes[bytes.size() - 5] ^= 1;
    const Time extra = happens(chances.delay) ? chances.delay_extra : 0;
    const int copies = happens(chances.duplicate) ? 2 : 1;
    deeds.duplicated += is_stamped && copies == 2 ? 1 : 0;
    for (int i = 0; i < copies; ++i) {
      flights_.emplace(std::pair(now + one_way + extra, order_++),
                       Flight{from, number, is_stamped, bytes});
    }
  }

  void deliver_due() {
    while (next_arrival() <= now_) {
      const Flight flight = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      if (flight.is_stamped) note(flight);
      ends_[1 - flight.from].receive(flight.bytes, now_);
    }
  }

  void note(const Flight& flight) {
    Deeds& deeds = deeds_[flight.from];
    auto& missing = missing_[flight.from];
    ++deeds.delivered;
    if (flight.number < highest_[flight.from] && seen_[flight.from].insert(flight.number).second) {
      ++deeds.late;
    }
    seen_[flight.from].insert(flight.number);
    highest_[flight.from] = std::max(highest_[flight.from], flight.number);
    deeds.lost_below = static_cast<std::uint64_t>(
        std::distance(missing.begin(), missing.lower_bound(highest_[flight.from])));
  }

  std::array<Endpoint, 2> ends_;
  std::minstd_rand random_;
  std::array<Chances, 2> chances_{};
  std::array<Judge, 2> judges_{};
  std::array<Deeds, 2> deeds_{};
  std::array<std::set<std::uint64_t>, 2> missing_{}, seen_{};
  std::array<std::uint64_t, 2> highest_{};
  std::array<std::vector<std::pair<Time, Bytes>>, 2> frames_{};
  std::map<std::pair<Time, std::uint64_t>, Flight> flights_;
  std::uint64_t order_ = 0;
  Time now_ = 0;
};

// The two ends of a QP.
struct Pair {
  QpConfig left;
  QpConfig right;
};

inline Pair pair_of(Transport transport, std::uint32_t psn = 100) {
  QpConfig left{.transport = transport, .qp = 0x11, .peer_qp = 0x22};
  left.path = {.source_mac = {{2, 0, 0, 0, 0, 1}},
               .destination_mac = {{2, 0, 0, 0, 0, 2}},
               .source = *base::parse_ip("10.0.0.1"),
               .destination = *base::parse_ip("10.0.0.2"),
               .tos = 2,
               .source_port = source_port_of(0x11, 0x22)};
  left.starting_psn = psn;
  left.expected_psn = 0x777777;
  QpConfig right = left;
  std::swap(right.qp, right.peer_qp);
  std::swap(right.path.source, right.path.destination);
  std::swap(right.path.source_mac, right.path.destination_mac);
  std::swap(right.starting_psn, right.expected_psn);
  return {left, right};
}

// Adds the pair as QP 0 of both ends.
inline void add(Channel& channel, const Pair& pair) {
  channel.left().add_qp(pair.left, channel.now());
  channel.right().add_qp(pair.right, channel.now());
}

// 10 Gb/s: a frame of 1082 bytes takes 0.88 µs.
inline EndpointConfig ten_gigabit() {
  return {.line_bps = 10e9};
}

}  // namespace test
