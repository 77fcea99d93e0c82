// SPDX-License-Identifier: Apache-2.0
// Frames in buffers that somebody else reads too, jumbo frames, and no buffer left to gather
// headers in. That a split frame ends like a whole one is shown by the tables, case by case.
#include "dataplane/packet/segments.hpp"

#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace {

using contract::DropReason;
using test::Bytes;
using test::Gateway;
using test::GatewayOptions;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t left = 2;
constexpr std::uint16_t right = 3;
constexpr std::uint16_t blue = 1;
constexpr std::string_view here = "02:00:00:00:0a:01";
constexpr std::size_t header_bytes = 14 + 20 + 8 + 12 + 4;  // With the ICRC.
constexpr std::uint8_t ce = 3;
constexpr std::uint8_t ect0 = 2;

Bytes bytes_of(const rte_mbuf* mbuf) {
  Bytes bytes(mbuf->pkt_len);
  if (bytes.empty()) return bytes;  // And no address to copy to.
  const void* data = rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, bytes.data());
  if (data != bytes.data()) std::memcpy(bytes.data(), data, bytes.size());
  return bytes;
}

// All of the buffer, headroom included: what a stage must not touch.
Bytes buffer_of(const rte_mbuf* mbuf) {
  const auto* start = static_cast<const std::uint8_t*>(mbuf->buf_addr);
  return {start, start + mbuf->data_off + mbuf->data_len};
}

class Segments : public test::OnWorkers {
 protected:
  std::unique_ptr<Gateway> make_gateway(const GatewayOptions& options = {},
                                        std::uint16_t mtu = 1600) {
    auto gateway = std::make_unique<Gateway>(on_workers(options));
    gateway->add_port(host, test::tenant_port(blue, 9216));
    gateway->add_port(wire, test::underlay_port("02:70:63:61:70:00", mtu));
    gateway->add_port(left, test::transit_port(right));
    gateway->add_port(right, test::transit_port(left));
    gateway->set_local_vtep(1, "198.18.0.1");
    gateway->set_remote_vtep(
        2, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1", .mtu = mtu});
    gateway->set_network(blue, 100, true, std::array<std::uint16_t, 1>{2});
    gateway->set_endpoint(blue, here, test::at_port(host));
    gateway->set_endpoint(blue, "02:00:00:00:0b:01", test::at_vtep(2));
    gateway->commit();
    return gateway;
  }
  static std::uint16_t last_queue() { return static_cast<std::uint16_t>(workers() - 1); }
};

INSTANTIATE_TEST_SUITE_P(Workers, Segments, test::one_and_two_workers);

// A frame of each direction, with the ports that it enters and leaves at.
struct Way {
  std::uint16_t in;
  std::uint16_t out;
  Bytes frame;
};

std::vector<Way> ways() {
  const Bytes tenant = test::make({.tos = ect0, .payload = 400});
  const Bytes inner = test::make({.destination_mac = here, .tos = ect0, .payload = 400});
  return {{host, wire, tenant},
          {wire, host, test::wrap(inner, {.tos = ce})},  // The inner header is written to.
          {left, right, tenant}};
}

TEST_P(Segments, a_frame_that_others_hold_leaves_and_stays_as_it_is) {
  for (const Way& way : ways()) {
    for (const std::vector<std::uint16_t>& sizes :
         {std::vector<std::uint16_t>{}, {30}, {300}, {14, 20, 8}, {0, 60, 0}}) {
      auto gateway = make_gateway();
      gateway->offer(way.in, way.frame, last_queue(), sizes);
      gateway->run();
      const std::vector<Bytes> expected = gateway->take_sent(way.out);
      ASSERT_EQ(expected.size(), 1U);

      rte_mbuf* held = test::make_mbuf(gateway->pool(), way.frame, sizes);
      const Bytes before = buffer_of(held);
      rte_mbuf_refcnt_update(held, 1);
      for (rte_mbuf* next = held->next; next != nullptr; next = next->next) {
        rte_mbuf_refcnt_update(next, 1);
      }
      gateway->offer(way.in, held, last_queue());
      gateway->run();

      EXPECT_EQ(gateway->take_sent(way.out), expected);
      EXPECT_EQ(buffer_of(held), before);
      EXPECT_EQ(bytes_of(held), way.frame);
      EXPECT_EQ(rte_mbuf_refcnt_read(held), 1);
      rte_pktmbuf_free(held);
      EXPECT_EQ(gateway->mbufs_in_use(), 0U);
    }
  }
}

TEST_P(Segments, a_frame_in_somebody_elses_buffer_leaves_that_as_it_is) {
  for (const Way& way : ways()) {
    for (const std::vector<std::uint16_t>& sizes : {std::vector<std::uint16_t>{}, {30}, {300}}) {
      auto gateway = make_gateway();
      gateway->offer(way.in, way.frame, last_queue());
      gateway->run();
      const std::vector<Bytes> expected = gateway->take_sent(way.out);

      rte_mbuf* original = test::make_mbuf(gateway->pool(), way.frame, sizes);
      const Bytes before = buffer_of(original);
      gateway->offer(way.in, rte_pktmbuf_clone(original, &gateway->pool()), last_queue());
      gateway->run();

      EXPECT_EQ(gateway->take_sent(way.out), expected);
      EXPECT_EQ(buffer_of(original), before);
      EXPECT_EQ(bytes_of(original), way.frame);
      rte_pktmbuf_free(original);
      EXPECT_EQ(gateway->mbufs_in_use(), 0U);
    }
  }
}

TEST_P(Segments, headers_without_a_buffer_to_gather_them_in_are_counted) {
  for (const Way& way : ways()) {
    auto gateway = make_gateway({.copies = 1});
    rte_mbuf* only = rte_pktmbuf_alloc(&gateway->worker(0).environment().pool);
    ASSERT_NE(only, nullptr);

    // Its buffer is full to the end: nothing can be pulled up.
    rte_mbuf* first = test::make_mbuf(
        gateway->pool(), Bytes(way.frame.begin(), way.frame.begin() + 40), {},
        static_cast<std::uint16_t>(rte_pktmbuf_data_room_size(&gateway->pool()) - 40));
    ASSERT_EQ(
        rte_pktmbuf_chain(first, test::make_mbuf(gateway->pool(),
                                                 Bytes(way.frame.begin() + 40, way.frame.end()))),
        0);
    gateway->offer(way.in, first, last_queue());
    gateway->run();

    EXPECT_EQ(gateway->drops(DropReason::no_mbuf), 1U);
    EXPECT_EQ(gateway->take_sent(way.out).size(), 0U);
    EXPECT_EQ(gateway->mismatch(), 0);
    rte_pktmbuf_free(only);
  }
}

TEST_P(Segments, jumbo_frames_are_carried_in_as_many_buffers_as_they_came) {
  // RoCE's path MTU of 4096, frames of 9000 bytes, and the largest that a tunnel over an MTU of
  // 9216 has room for.
  for (const std::size_t payload :
       {std::size_t{4096}, 9000 - header_bytes, 9216 - 36 - header_bytes}) {
    auto gateway = make_gateway({.mbufs = 1023}, 9216);
    const Bytes frame = test::make({.payload = payload});
    const Bytes back = test::make({.destination_mac = here, .payload = payload});
    const std::vector<std::uint16_t> sizes(frame.size() / 2048, 2048);
    const std::vector<std::uint16_t> wrapped_sizes((back.size() + 50) / 2048, 2048);

    gateway->offer(host, frame, last_queue(), sizes);
    gateway->offer(wire, test::wrap(back), last_queue(), wrapped_sizes);
    gateway->run();

    const std::vector<Bytes> sent = gateway->take_sent(wire);
    ASSERT_EQ(sent.size(), 1U) << payload;
    EXPECT_EQ(Bytes(sent[0].begin() + test::tunnel_bytes, sent[0].end()), frame);
    EXPECT_EQ(gateway->take_sent(host), std::vector<Bytes>{back});
  }
}

TEST_P(Segments, a_frame_is_judged_by_its_whole_length_against_the_mtu) {
  auto gateway = make_gateway();
  // Each segment would fit; the outer packet has one byte too many.
  const std::size_t fits = 1600 - 36 - header_bytes;
  for (const std::size_t payload : {fits, fits + 1}) {
    gateway->offer(host, test::make({.payload = payload}), last_queue(),
                   std::array<std::uint16_t, 2>{400, 400});
  }
  gateway->run();

  EXPECT_EQ(gateway->take_sent(wire).size(), 1U);
  EXPECT_EQ(gateway->stage_drops("host_to_wire/choose_next_hop", DropReason::mtu_exceeded), 1U);
}

TEST_P(Segments, a_trace_shows_headers_from_all_their_buffers) {
  for (const Way& way : ways()) {
    auto gateway = make_gateway();
    contract::TraceAdd every{};
    every.trace = 1;
    every.count = 1;
    ASSERT_TRUE(gateway->trace_board().add(every));

    gateway->offer(way.in, way.frame, last_queue(), std::vector<std::uint16_t>(300, 1));
    gateway->run();

    const std::vector<contract::TracePacket> traces = gateway->take_traces();
    const std::vector<Bytes> sent = gateway->take_sent(way.out);
    ASSERT_EQ(traces.size(), 1U);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(traces[0].bytes_in, way.frame.size());
    EXPECT_EQ(std::memcmp(traces[0].head_in.data(), way.frame.data(), contract::trace_bytes_max),
              0);
    EXPECT_EQ(std::memcmp(traces[0].head_out.data(), sent[0].data(), contract::trace_bytes_max), 0);
  }
}

TEST(StripSegmentsBack, takes_bytes_off_over_any_segments) {
  Gateway gateway;
  Bytes frame(200);
  for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<std::uint8_t>(i);
  const std::vector<std::uint16_t> sizes{50, 1, 49, 60};
  for (std::uint32_t bytes = 0; bytes <= frame.size(); ++bytes) {
    rte_mbuf* mbuf = test::make_mbuf(gateway.pool(), frame, sizes);

    dp::strip_segments_back(*mbuf, bytes);

    EXPECT_EQ(bytes_of(mbuf),
              Bytes(frame.begin(), frame.end() - static_cast<std::ptrdiff_t>(bytes)));
    const char* reason = nullptr;
    EXPECT_EQ(rte_mbuf_check(mbuf, 1, &reason), 0) << reason;
    rte_pktmbuf_free(mbuf);
  }
}

// A frame's padding is stripped by its 32-bit length, whatever 16 bits of it are.
TEST(StripSegmentsBack, takes_off_more_than_16_bits_count) {
  Gateway gateway;
  const Bytes frame(2000, 7);
  rte_mbuf* mbuf = test::make_mbuf(gateway.pool(), frame);
  while (mbuf->pkt_len < 70'000) {
    ASSERT_EQ(rte_pktmbuf_chain(mbuf, test::make_mbuf(gateway.pool(), frame)), 0);
  }

  dp::strip_segments_back(*mbuf, mbuf->pkt_len - 100);

  EXPECT_EQ(mbuf->pkt_len, 100U);
  EXPECT_EQ(mbuf->nb_segs, 1);
  EXPECT_EQ(rte_mempool_in_use_count(&gateway.pool()), 1U);
  rte_pktmbuf_free(mbuf);
}

}  // namespace
