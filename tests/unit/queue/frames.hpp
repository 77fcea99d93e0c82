// SPDX-License-Identifier: Apache-2.0
// Frames for queues in tests that need neither EAL nor pool: mbufs in ordinary memory, which the
// test takes out of the queue again.
#pragma once

#include "dataplane/housekeeper/derive_queue.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/ecn.hpp"
#include "dataplane/packet/headers.hpp"
#include "dataplane/packet/udp_tunnel.hpp"
#include "dataplane/queue/egress_queue.hpp"
#include "dataplane/queue/epoch.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <new>
#include <span>
#include <vector>

namespace test {

inline constexpr std::uint64_t tsc_hz = 2'000'000'000;
inline constexpr std::uint64_t cycles_per_us = tsc_hz / 1'000'000;

class QueueTest : public testing::Test {
 protected:
  static constexpr std::uint64_t seed = 42;
  static constexpr std::uint32_t frames_max = 100'000;

  ~QueueTest() override {
    while (queue_.take_any().mbuf != nullptr) {
    }
    queue_.take_over([](std::span<const dp::QueuedFrame>) {});
  }

  dp::QueueCounterSpan counters() noexcept { return dp::QueueCounterSpan(counters_); }

  // What port and classes are told; port 0 without a rate and without records by default.
  void configure(contract::PortSet port, std::vector<contract::QueueSet> sets) {
    dp::QueueSettings settings{};
    for (const contract::QueueSet& set : sets) settings[set.traffic_class] = &set;
    const dp::QueueRecord* before = generation_ == 0 ? nullptr : &record_;
    record_ = dp::after(before, dp::make_queue_record(port, settings, tsc_hz));
    queue_.use(record_, ++generation_);
  }

  // An mbuf whose frame is all header: `pkt_len` says how long it pretends to be.
  rte_mbuf* mbuf(std::uint32_t bytes) {
    Buffer& buffer = buffers_.emplace_back();
    auto* made = new (buffer.data()) rte_mbuf{};
    made->buf_addr = buffer.data() + sizeof(rte_mbuf);
    made->pkt_len = bytes;
    made->data_len = header_bytes;
    return made;
  }

  // An IPv4 frame of that class, without a tunnel.
  dp::QueuedFrame frame(std::uint32_t bytes, std::uint8_t traffic_class = 0,
                        dp::Ecn ecn = dp::Ecn::ect0, bool control = false) {
    rte_mbuf* buffer = mbuf(bytes);
    auto* ip = reinterpret_cast<dp::Ipv4Header*>(data(buffer) + sizeof(dp::EthernetHeader));
    ip->version_ihl = dp::Ipv4Header::plain;
    ip->tos = static_cast<std::uint8_t>(0x68 | static_cast<unsigned>(ecn));
    ip->ttl = 64;
    ip->checksum =
        base::be16::from_raw(static_cast<std::uint16_t>(~dp::fold(dp::sum_words(ip, sizeof *ip))));
    return {.mbuf = buffer,
            .bytes = bytes,
            .outer_ip = sizeof(dp::EthernetHeader),
            .inner_ip = 0,
            .traffic_class = static_cast<std::uint8_t>(traffic_class & 7u),
            .control = control,
            .epoch = static_cast<std::uint8_t>(record_.epoch % dp::queue_epochs),
            .stage = 0};
  }
  static std::uint8_t* data(rte_mbuf* buffer) {
    return static_cast<std::uint8_t*>(buffer->buf_addr);
  }
  static const dp::Ipv4Header& ip_of(const dp::QueuedFrame& frame) {
    return *reinterpret_cast<const dp::Ipv4Header*>(data(frame.mbuf) + frame.outer_ip);
  }
  static bool is_ce(const dp::QueuedFrame& frame) {
    EXPECT_TRUE(dp::checksum_holds(ip_of(frame)));
    return dp::ecn_of(ip_of(frame).tos) == dp::Ecn::ce;
  }

  bool enqueue(const dp::QueuedFrame& frame) { return enqueue_in(queue_, frame); }
  bool enqueue_in(dp::EgressQueue& queue, const dp::QueuedFrame& frame) {
    bool taken = true;
    queue.enqueue({&frame, 1}, record_, counters(), [&](const dp::QueuedFrame&) { taken = false; });
    return taken;
  }
  bool hand_over(std::uint16_t worker, const dp::QueuedFrame& frame) {
    return queue_.hand_over(base::WorkerId{worker}, {&frame, 1}) == 1;
  }
  // All of the rings; the class has room.
  std::size_t take_over() {
    std::size_t taken = 0;
    queue_.take_over([&](std::span<const dp::QueuedFrame> frames) {
      taken += frames.size();
      queue_.enqueue(frames, record_, counters(), [](const dp::QueuedFrame&) { FAIL(); });
    });
    return taken;
  }
  // All that may leave at `now`, through a port that takes everything.
  std::vector<dp::QueuedFrame> leave(std::uint64_t now) {
    std::vector<dp::QueuedFrame> left;
    for (;;) {
      const std::size_t dropped_before = dropped_.size();
      const auto frames =
          queue_.dequeue(record_, now, random_, counters(),
                         [this](const dp::QueuedFrame& dead) { dropped_.push_back(dead); });
      if (frames.empty() && dropped_.size() == dropped_before) return left;
      left.insert(left.end(), frames.begin(), frames.end());
      queue_.settle(static_cast<std::uint16_t>(frames.size()), record_, counters());
    }
  }

  static constexpr std::size_t header_bytes = 160;
  // An mbuf and its bytes.
  struct alignas(64) Buffer : std::array<std::uint8_t, sizeof(rte_mbuf) + header_bytes> {};
  std::deque<Buffer> buffers_;
  dp::EgressQueue queue_{base::PortId{3}, base::WorkerId{0}, 2, frames_max};
  dp::QueueRecord record_{};
  base::Generation generation_ = 0;
  std::array<contract::QueueCounters, contract::traffic_class_count> counters_{};
  dp::Random random_{seed};
  std::vector<dp::QueuedFrame> dropped_;
};

}  // namespace test
