// SPDX-License-Identifier: Apache-2.0
// CNPs at their interval and before everything else, rates that pace, and DCQCN's reaction point
// against numbers worked out by hand from its formulas.
#include "tests/unit/endpoint/channel.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace test;

constexpr double giga = 1e9, mega = 1e6;
constexpr Time us = ps_per_us;

TEST(Endpoint, sends_at_most_one_cnp_in_its_interval) {
  EndpointConfig config = ten_gigabit();
  config.cnp_interval = 50 * us;
  Channel channel(config);
  add(channel, pair_of(Transport::rc));
  channel.set(0, {.mark = 1});
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 1'000'000});

  channel.run(ps_per_ms);

  std::vector<Time> times;
  for (const auto& [time, bytes] : channel.frames(1)) {
    const auto frame = parse_frame(bytes);
    if (frame->packet.opcode != cnp_opcode) continue;
    times.push_back(time);
    EXPECT_EQ(frame->packet.destination_qp, 0x11u);
    EXPECT_EQ(frame->packet.psn, 0u);
    EXPECT_TRUE(frame->packet.becn);
    EXPECT_EQ(frame->packet.partition_key, 0xffff);
    EXPECT_EQ(frame->path.tos, 48 << 2 | 2);
    EXPECT_TRUE(icrc_holds(*frame));
  }
  // The message takes 0.87 ms.
  ASSERT_EQ(times.size(), 18u);
  EXPECT_LE(times.front(), Channel::one_way + us);
  for (std::size_t i = 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], 50 * us);
    EXPECT_LE(times[i] - times[i - 1], 51 * us);
  }
  EXPECT_EQ(channel.left().facts(0).sent.cnps_received, 18u);
  EXPECT_EQ(channel.right().facts(0).received.ce_frames, channel.deeds(0).marked);
}

TEST(Endpoint, sends_cnps_before_what_waits) {
  EndpointConfig config{.line_bps = 1e9};
  Channel channel(config);
  add(channel, pair_of(Transport::rc));
  channel.right().post(0, {.kind = WorkKind::write, .bytes = 100'000});
  channel.run(20 * us);
  const std::size_t before = channel.frames(1).size();
  channel.set(0, {.mark = 1});
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 64});

  channel.run(100 * us);

  const auto& frames = channel.frames(1);
  const Time arrived = channel.frames(0).back().first + Channel::one_way;
  std::size_t at = before;
  while (at < frames.size() && frames[at].first < arrived) ++at;
  ASSERT_LT(at + 2, frames.size());
  EXPECT_EQ(parse_frame(frames[at].second)->packet.opcode, cnp_opcode);
  EXPECT_EQ(parse_frame(frames[at + 1].second)->packet.opcode, 0x11);
}

TEST(Endpoint, does_not_answer_marked_cnps_and_acks) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc));
  channel.set(0, {.mark = 1});
  channel.set(1, {.mark = 1});
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 64});

  channel.run(ps_per_ms);

  EXPECT_EQ(channel.frames(0).size(), 1u);
  EXPECT_EQ(channel.frames(1).size(), 2u);
}

TEST(Endpoint, paces_each_qp_to_its_rate) {
  Channel channel({.line_bps = 100e9});
  Pair pair = pair_of(Transport::uc);
  pair.left.rate_bps_max = 3e9;
  add(channel, pair);
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 1024, .repeat = Work::for_ever});

  channel.run(10 * ps_per_ms);

  // A WRITE Only is 1098 bytes, and 24 more on the line.
  const double expected = 3e9 * 0.01 / ((1098 + 24) * 8);
  EXPECT_NEAR(static_cast<double>(channel.frames(0).size()), expected, 1.01);
  // Never two closer than the rate has them.
  for (std::size_t i = 1; i < channel.frames(0).size(); ++i) {
    EXPECT_GE(channel.frames(0)[i].first - channel.frames(0)[i - 1].first, 2'991'999u);
  }
}

TEST(Endpoint, shares_its_line_among_qps_that_want_more) {
  Channel channel({.line_bps = 10e9});
  Pair pair = pair_of(Transport::uc);
  for (std::uint32_t i = 0; i < 4; ++i) {
    pair.left.qp = 0x100 + i;
    channel.left().add_qp(pair.left, 0);
    channel.left().post(i, {.kind = WorkKind::write, .bytes = 1024, .repeat = Work::for_ever});
  }

  channel.run(10 * ps_per_ms);

  const double line = 10e9 * 0.01 / ((1098 + 24) * 8);
  for (QpIndex i = 0; i < 4; ++i) {
    EXPECT_NEAR(static_cast<double>(channel.left().facts(i).sent.frames), line / 4, 2);
  }
}

TEST(Endpoint, slows_down_when_its_frames_are_marked) {
  EndpointConfig config = ten_gigabit();
  config.dcqcn = dcqcn_paper();
  Channel channel(config);
  add(channel, pair_of(Transport::rc));
  channel.set(0, {.mark = 1});
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 10'000'000});

  channel.run(140 * us);

  // Three CNPs, each before the timers of the one before: alpha stays 1, and the rate is halved.
  EXPECT_EQ(channel.left().facts(0).sent.cnps_received, 3u);
  EXPECT_NEAR(channel.left().rate_bps(0, channel.now()), 10e9 / 8, 1);

  channel.set(0, {});
  channel.run(30 * ps_per_ms);
  EXPECT_GT(channel.left().rate_bps(0, channel.now()), 9e9);
  EXPECT_EQ(channel.right().facts(0).received.messages, 1u);
}

TEST(ReactionPoint, follows_the_paper_by_hand) {
  // 40 Gb/s; g 1/256. The byte counter is out of the way.
  DcqcnParameters paper = dcqcn_paper();
  paper.byte_counter = 1'000'000'000'000;
  ReactionPoint point(paper, 40 * giga, 0);
  point.see_cnp(0);
  EXPECT_DOUBLE_EQ(point.target_bps(), 40 * giga);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 20 * giga);  // 40 (1 - 1/2)
  EXPECT_DOUBLE_EQ(point.alpha(), 1);             // (1 - g) + g

  point.advance(55 * us - 1);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 20 * giga);
  point.advance(55 * us);
  EXPECT_DOUBLE_EQ(point.alpha(), 255.0 / 256);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 30 * giga);  // Fast recovery: (20 + 40) / 2
  point.advance(110 * us);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 35 * giga);

  point.see_cnp(120 * us);
  const double alpha = 255.0 / 256 * 255 / 256;
  EXPECT_DOUBLE_EQ(point.target_bps(), 35 * giga);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 35 * giga * (1 - alpha / 2));
  EXPECT_DOUBLE_EQ(point.alpha(), 255.0 / 256 * alpha + 1.0 / 256);
}

TEST(ReactionPoint, recovers_five_times_then_adds_40_mbps) {
  // The timer alone: the byte counter never reaches F, so increase stays additive.
  DcqcnParameters paper = dcqcn_paper();
  ReactionPoint point(paper, 40 * giga, 0);
  point.see_cnp(0);
  point.see_cnp(1);  // 20, then 10 Gb/s; the target is 20.
  for (Time i = 1; i <= 5; ++i) point.advance(1 + i * 55 * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga);
  EXPECT_DOUBLE_EQ(point.rate_bps(), (20 - 10.0 / 32) * giga);

  const double before = point.rate_bps();
  point.advance(1 + 6 * 55 * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga + 40 * mega);
  EXPECT_DOUBLE_EQ(point.rate_bps(), (before + 20 * giga + 40 * mega) / 2);
  point.advance(1 + 10 * 55 * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga + 5 * 40 * mega);
}

TEST(ReactionPoint, increases_by_bytes_too_and_hyper_when_both_have) {
  DcqcnParameters paper = dcqcn_paper();
  ReactionPoint point(paper, 40 * giga, 0);
  point.see_cnp(0);
  point.see_cnp(1);
  point.count_sent(10'000'000, 2);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 15 * giga);
  for (int i = 0; i < 5; ++i) point.count_sent(10'000'000, 2);
  // Byte stage 6, timer stage 0: the sixth was additive.
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga + 40 * mega);

  point.advance(1 + 5 * 55 * us);  // Timer stages 1 to 5: additive, as the lower is not above F.
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga + 6 * 40 * mega);
  point.advance(1 + 6 * 55 * us);  // Both above F: i is 1.
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga + 6 * 40 * mega + 200 * mega);
  point.count_sent(10'000'000, 1 + 6 * 55 * us);
  point.advance(1 + 7 * 55 * us);  // Byte stage 7 (i is 1), then timer stage 7 (i is 2).
  EXPECT_DOUBLE_EQ(point.target_bps(), 20 * giga + 6 * 40 * mega + (1 + 1 + 2) * 200 * mega);
}

TEST(ReactionPoint, looks_at_intervals_as_the_vendors_nic_does) {
  // HPCC at 100 Gb/s: alpha each µs, decrease each 4 µs, increase each 300 µs.
  ReactionPoint point(dcqcn_hpcc(100 * giga), 100 * giga, 0);
  point.see_cnp(0);
  point.advance(4 * us - 1);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 100 * giga);
  point.advance(4 * us);
  // The first CNP only starts the timers; alpha falls four times before the rate does.
  const double alpha = std::pow(255.0 / 256, 4);
  EXPECT_NEAR(point.alpha(), alpha, 1e-12);
  EXPECT_NEAR(point.rate_bps(), 100 * giga * (1 - alpha / 2), 1);
  EXPECT_DOUBLE_EQ(point.target_bps(), 100 * giga);

  // A second decrease before any increase keeps the target.
  point.see_cnp(5 * us + 1);
  point.advance(8 * us);
  // At 5 µs without, at 6 µs with a CNP, at 7 and 8 µs without.
  const double falls = 255.0 / 256;
  const double second = (alpha * falls * falls + 1.0 / 256) * falls * falls;
  EXPECT_NEAR(point.alpha(), second, 1e-9);
  EXPECT_DOUBLE_EQ(point.target_bps(), 100 * giga);
  const double slow = point.rate_bps();

  point.advance(308 * us);
  EXPECT_NEAR(point.rate_bps(), (slow + 100 * giga) / 2, 1);  // Fast recovery, F is 1.
  EXPECT_DOUBLE_EQ(point.target_bps(), 100 * giga);
}

TEST(ReactionPoint, adds_once_then_hyper_after_one_recovery) {
  ReactionPoint point(dcqcn_hpcc(100 * giga), 100 * giga, 0);
  point.see_cnp(0);
  point.advance(304 * us);  // Decrease at 4 µs, fast recovery at 304 µs.
  const double first = point.rate_bps();
  point.see_cnp(305 * us);  // Now the target falls to the rate.
  point.advance(308 * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), first);
  point.advance((308 + 300) * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), first);
  point.advance((308 + 600) * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), first + 20 * mega);
  point.advance((308 + 900) * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), first + 20 * mega + 200 * mega);
  point.advance((308 + 1200) * us);
  EXPECT_DOUBLE_EQ(point.target_bps(), first + 20 * mega + 400 * mega);
}

TEST(ReactionPoint, comes_back_to_line_rate_and_stays) {
  for (const char* name : {"paper", "hpcc", "nvidia"}) {
    ReactionPoint point(*dcqcn_preset(name, 100 * giga), 100 * giga, 0);
    for (Time i = 0; i < 20; ++i) point.see_cnp(i * 60 * us);
    EXPECT_LT(point.rate_bps(), 10 * giga) << name;
    point.advance(3600 * ps_per_s);
    EXPECT_DOUBLE_EQ(point.rate_bps(), 100 * giga) << name;
    EXPECT_LT(point.alpha(), 1e-6) << name;
  }
  EXPECT_FALSE(dcqcn_preset("timely", 1));
}

TEST(ReactionPoint, never_falls_below_its_least_rate) {
  ReactionPoint point(dcqcn_hpcc(100 * giga), 100 * giga, 0);
  for (Time i = 0; i < 10'000; ++i) point.see_cnp(i * us);
  EXPECT_DOUBLE_EQ(point.rate_bps(), 1 * giga);
}

TEST(ReactionPoint, scales_its_times_only) {
  const DcqcnParameters slow = scaled(dcqcn_paper(), 100);
  EXPECT_EQ(slow.cnp_interval, 5'000 * us);
  EXPECT_EQ(slow.alpha_period, 5'500 * us);
  EXPECT_EQ(slow.increase_period, 5'500 * us);
  EXPECT_EQ(slow.decrease_period, 0u);
  EXPECT_EQ(slow.byte_counter, 10'000'000u);
  EXPECT_DOUBLE_EQ(slow.additive_bps, 40 * mega);
}

}  // namespace
