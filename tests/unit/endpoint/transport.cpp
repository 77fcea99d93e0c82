// SPDX-License-Identifier: Apache-2.0
// SEND, WRITE, READ and atomics between two endpoints, over channels from perfect to bad: all
// messages arrive once and in order, and the receiver reports what the channel did.
#include "tests/unit/endpoint/channel.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using namespace test;

std::set<std::uint8_t> opcodes(const Channel& channel, int from) {
  std::set<std::uint8_t> seen;
  for (const auto& [time, bytes] : channel.frames(from)) {
    seen.insert(parse_frame(bytes)->packet.opcode);
  }
  return seen;
}

std::vector<ParsedFrame> parsed(const Channel& channel, int from) {
  std::vector<ParsedFrame> frames;
  for (const auto& [time, bytes] : channel.frames(from)) frames.push_back(*parse_frame(bytes));
  return frames;
}

const ReceiveFacts& received(Channel& channel) {
  return channel.right().facts(0).received;
}
const SendFacts& sent(Channel& channel) {
  return channel.left().facts(0).sent;
}

TEST(Endpoint, cuts_messages_at_the_path_mtu) {
  for (const std::uint16_t path_mtu : {256, 1024, 4096}) {
    Channel channel(ten_gigabit());
    Pair pair = pair_of(Transport::rc);
    pair.left.path_mtu = pair.right.path_mtu = path_mtu;
    add(channel, pair);
    channel.left().post(0, {.kind = WorkKind::send, .bytes = 3u * path_mtu + 1});
    channel.left().post(0, {.kind = WorkKind::write, .bytes = 2u * path_mtu});
    channel.left().post(0, {.kind = WorkKind::write, .bytes = 0});

    channel.run(ps_per_ms);

    const auto frames = parsed(channel, 0);
    ASSERT_EQ(frames.size(), 7u);
    const std::uint8_t expected[] = {0, 1, 1, 2, 6, 8, 10};
    for (std::size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(frames[i].packet.opcode, expected[i]);
      EXPECT_EQ(frames[i].packet.psn, 100 + i);
      EXPECT_EQ(frames[i].packet.wants_ack, i == 3 || i >= 5);
      EXPECT_TRUE(icrc_holds(frames[i]));
    }
    EXPECT_EQ(frames[3].packet.payload.size(), 1u);
    EXPECT_EQ(frames[4].packet.reth.bytes, 2u * path_mtu);
    EXPECT_EQ(received(channel).messages, 3u);
    EXPECT_EQ(received(channel).message_bytes, 5u * path_mtu + 1);
    EXPECT_EQ(sent(channel).messages_completed, 3u);
    EXPECT_TRUE(channel.left().requester(0).is_idle());
  }
}

TEST(Endpoint, acknowledges_the_last_packet_of_a_message_only) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc));
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 32 * 1024, .repeat = 3});

  channel.run(ps_per_ms);

  const auto acks = parsed(channel, 1);
  ASSERT_EQ(acks.size(), 3u);
  for (std::size_t i = 0; i < acks.size(); ++i) {
    EXPECT_EQ(acks[i].packet.psn, 100 + 32 * (i + 1) - 1);
    EXPECT_EQ(acks[i].packet.aeth.msn, i + 1);
    EXPECT_EQ(acks[i].packet.aeth.syndrome, syndrome::ack_without_credits);
  }
}

TEST(Endpoint, acknowledges_every_so_many_packets_of_long_messages) {
  Channel channel(ten_gigabit());
  Pair pair = pair_of(Transport::rc);
  pair.right.ack_every_packets = 10;
  pair.left.ack_request_packets = 1000;
  add(channel, pair);
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 35 * 1024});

  channel.run(ps_per_ms);

  const auto acks = parsed(channel, 1);
  ASSERT_EQ(acks.size(), 4u);
  EXPECT_EQ(acks[0].packet.psn, 109u);
  EXPECT_EQ(acks[3].packet.psn, 134u);
}

TEST(Endpoint, keeps_within_its_window) {
  EndpointConfig fast;  // No pacing: only the window limits.
  Channel channel(fast);
  Pair pair = pair_of(Transport::rc);
  pair.left.window_packets = 8;
  add(channel, pair);
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 100 * 1024});

  channel.run(Channel::one_way / 2);
  EXPECT_EQ(channel.frames(0).size(), 8u);

  channel.run(ps_per_ms);
  EXPECT_EQ(channel.frames(0).size(), 100u);
  EXPECT_EQ(received(channel).messages, 1u);
}

TEST(Endpoint, reads_and_numbers_the_answer_in_its_own_psns) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc, 0xff'fffe));
  channel.left().post(0, {.kind = WorkKind::read, .bytes = 4 * 1024});
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 8});
  channel.left().post(0, {.kind = WorkKind::read, .bytes = 100});

  channel.run(ps_per_ms);

  const auto requests = parsed(channel, 0);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].packet.psn, 0xff'fffeu);
  EXPECT_EQ(requests[1].packet.psn, 2u);
  EXPECT_EQ(requests[2].packet.psn, 3u);
  const auto answers = parsed(channel, 1);
  ASSERT_EQ(answers.size(), 6u);
  const std::uint8_t expected[] = {13, 14, 14, 15, 17, 16};
  const std::uint32_t psns[] = {0xff'fffe, 0xff'ffff, 0, 1, 2, 3};
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].packet.opcode, expected[i]);
    EXPECT_EQ(answers[i].packet.psn, psns[i]);
  }
  EXPECT_EQ(sent(channel).bytes_completed, 4 * 1024u + 8 + 100);
}

TEST(Endpoint, counts_and_swaps_words_once_each) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc));
  channel.set(0, {.drop = 0.2, .duplicate = 0.2});
  channel.set(1, {.drop = 0.2});
  channel.left().post(0, {.kind = WorkKind::fetch_add, .repeat = 200, .swap_or_add = 3});
  channel.left().post(0, {.kind = WorkKind::compare_swap, .swap_or_add = 7, .compare = 600});

  channel.run(100 * ps_per_s);

  EXPECT_EQ(sent(channel).messages_completed, 201u);
  EXPECT_GT(sent(channel).repeated, 0u);
  EXPECT_EQ(channel.right().responder(0).word_at(Work{}.remote_address), 7u);
}

TEST(Endpoint, naks_once_for_a_gap_and_goes_back) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc));
  bool dropped = false;
  channel.judge(0, [&dropped](const ParsedFrame& frame, Time) {
    if (frame.packet.psn != 103 || dropped) return true;
    dropped = true;
    return false;
  });
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 10 * 1024});

  channel.run(ps_per_ms);

  unsigned naks = 0;
  for (const auto& answer : parsed(channel, 1)) {
    if (answer.packet.aeth.syndrome != syndrome::sequence_error) continue;
    ++naks;
    EXPECT_EQ(answer.packet.psn, 103u);
  }
  EXPECT_EQ(naks, 1u);
  EXPECT_EQ(received(channel).psn_gaps, 1u);
  EXPECT_EQ(sent(channel).sequence_naks_received, 1u);
  EXPECT_EQ(sent(channel).timeouts, 0u);
  // It repeats 103 and whatever it had sent behind: the NAK took a round trip.
  EXPECT_GE(sent(channel).repeated, 4u);
  EXPECT_EQ(received(channel).messages, 1u);
}

TEST(Endpoint, repeats_after_its_timeout_and_gives_up_after_its_retries) {
  Channel channel(ten_gigabit());
  Pair pair = pair_of(Transport::rc);
  pair.left.timeout_exponent = 8;  // 1.048576 ms.
  pair.left.retries = 3;
  add(channel, pair);
  channel.judge(0, [](const ParsedFrame&, Time) { return false; });
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 100});

  channel.run(ps_per_s);

  const auto& frames = channel.frames(0);
  ASSERT_EQ(frames.size(), 4u);
  const Time timeout = Time{4'096'000} << 8;
  for (std::size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i].first, i * timeout);
  EXPECT_EQ(channel.left().state(0), QpState::failed);
  EXPECT_EQ(sent(channel).timeouts, 4u);
  EXPECT_EQ(sent(channel).messages_completed, 0u);
}

TEST(Endpoint, waits_as_long_as_an_rnr_nak_says) {
  Channel channel(ten_gigabit());
  Pair pair = pair_of(Transport::rc);
  pair.right.receives = 1;
  pair.right.rnr_timer = 14;  // 1.28 ms.
  add(channel, pair);
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 3000, .repeat = 2});

  channel.run(500 * ps_per_us);
  EXPECT_EQ(received(channel).messages, 1u);
  EXPECT_EQ(received(channel).rnr_naks_sent, 1u);
  EXPECT_EQ(sent(channel).rnr_naks_received, 1u);
  const std::size_t before = channel.frames(0).size();
  EXPECT_EQ(before, 6u);
  Time nak_at = 0;
  for (const auto& [time, bytes] : channel.frames(1)) {
    if (parse_frame(bytes)->packet.aeth.syndrome == (syndrome::rnr | 14)) nak_at = time;
  }
  ASSERT_GT(nak_at, 0u);
  channel.right().post_receives(0, 1);

  channel.run(10 * ps_per_ms);

  ASSERT_EQ(channel.frames(0).size(), before + 3);
  EXPECT_EQ(channel.frames(0)[before].first, nak_at + Channel::one_way + 1'280 * ps_per_us);
  EXPECT_EQ(received(channel).messages, 2u);
}

TEST(Endpoint, knows_the_rnr_times_of_the_specification) {
  EXPECT_EQ(rnr_time(0), 655'360 * ps_per_us);
  EXPECT_EQ(rnr_time(1), 10 * ps_per_us);
  EXPECT_EQ(rnr_time(12), 640 * ps_per_us);
  EXPECT_EQ(rnr_time(31), 491'520 * ps_per_us);
}

TEST(Endpoint, refuses_what_continues_no_message) {
  Channel channel(ten_gigabit());
  Pair pair = pair_of(Transport::rc);
  pair.right.path_mtu = 512;  // Disagrees: First packets of 1024 are not full ones here.
  add(channel, pair);
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 5000});

  channel.run(ps_per_ms);

  EXPECT_EQ(received(channel).invalid_requests, 1u);
  EXPECT_EQ(channel.left().state(0), QpState::failed);
}

// Whatever the channel does, RC delivers all messages, and the receiver's sequence facts are the
// channel's deeds.
class BadChannel : public testing::TestWithParam<std::uint32_t> {};

TEST_P(BadChannel, loses_no_message_and_is_reported_exactly) {
  Channel channel(ten_gigabit(), GetParam());
  Pair pair = pair_of(Transport::rc, 0xff'ff80);  // Wraps soon.
  pair.left.timeout_exponent = 6;
  add(channel, pair);
  channel.set(0, {.drop = 0.01, .duplicate = 0.01, .delay = 0.01});
  channel.set(1, {.drop = 0.02, .duplicate = 0.01});
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 9000, .repeat = 200});
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 3000, .repeat = 200});

  channel.run(10 * ps_per_s);

  const Deeds& deeds = channel.deeds(0);
  EXPECT_GT(deeds.dropped, 5u);
  EXPECT_GT(deeds.duplicated, 5u);
  EXPECT_GT(deeds.late, 2u);
  EXPECT_EQ(sent(channel).messages_completed, 400u);
  EXPECT_EQ(received(channel).messages, 400u);
  EXPECT_EQ(received(channel).message_bytes, 200u * 12000);
  EXPECT_EQ(sent(channel).stamped, deeds.sent);
  const SequenceTracker& sequence = received(channel).sequence;
  EXPECT_EQ(sequence.received(), deeds.delivered);
  EXPECT_EQ(sequence.lost(), deeds.lost_below);
  EXPECT_EQ(sequence.duplicates(), deeds.duplicated);
  EXPECT_EQ(sequence.late(), deeds.late);
  EXPECT_EQ(sequence.stale(), 0u);
}

TEST_P(BadChannel, answers_every_read) {
  Channel channel(ten_gigabit(), GetParam());
  Pair pair = pair_of(Transport::rc, 0xff'ffc0);
  pair.left.timeout_exponent = 6;
  add(channel, pair);
  channel.set(0, {.drop = 0.01});
  channel.set(1, {.drop = 0.01, .duplicate = 0.01, .delay = 0.005});
  channel.left().post(0, {.kind = WorkKind::read, .bytes = 9000, .repeat = 300});
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 3000, .repeat = 10});

  channel.run(10 * ps_per_s);

  EXPECT_EQ(sent(channel).messages_completed, 310u);
  EXPECT_EQ(sent(channel).bytes_completed, 300u * 9000 + 10 * 3000);
  EXPECT_TRUE(channel.left().requester(0).is_idle());
  const SequenceTracker& sequence = channel.left().facts(0).received.sequence;
  const Deeds& deeds = channel.deeds(1);
  EXPECT_GT(deeds.dropped, 5u);
  EXPECT_EQ(sequence.lost(), deeds.lost_below);
  EXPECT_EQ(sequence.duplicates(), deeds.duplicated);
  EXPECT_EQ(sequence.late(), deeds.late);
}

TEST_P(BadChannel, loses_messages_of_unreliable_connections_whole) {
  Channel channel(ten_gigabit(), GetParam());
  add(channel, pair_of(Transport::uc, 0xff'fff0));
  channel.set(0, {.drop = 0.02});
  channel.left().post(0, {.kind = WorkKind::write, .bytes = 4096, .repeat = 1000});

  channel.run(ps_per_s);

  EXPECT_TRUE(channel.frames(1).empty());
  EXPECT_EQ(channel.frames(0).size(), 4000u);
  const Deeds& deeds = channel.deeds(0);
  EXPECT_EQ(received(channel).sequence.lost(), deeds.lost_below);
  EXPECT_LT(received(channel).messages, 1000u - deeds.dropped / 4);
  EXPECT_GE(received(channel).messages, 1000u - deeds.dropped);
  EXPECT_EQ(received(channel).message_bytes, received(channel).messages * 4096);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BadChannel, testing::Values(1, 2, 3, 4, 5));

TEST(Endpoint, sends_datagrams_with_their_source) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::ud));
  channel.left().post(0, {.bytes = 900, .repeat = 5});
  channel.left().post(0, {.bytes = 20, .has_immediate = true, .id = 99});

  channel.run(ps_per_ms);

  EXPECT_EQ(opcodes(channel, 0), (std::set<std::uint8_t>{0x64, 0x65}));
  EXPECT_EQ(parsed(channel, 0).front().packet.deth.source_qp, 0x11u);
  EXPECT_EQ(parsed(channel, 0).back().packet.immediate, 99u);
  EXPECT_EQ(received(channel).messages, 6u);
  EXPECT_EQ(received(channel).message_bytes, 5 * 900u + 20);
}

TEST(Endpoint, drops_and_counts_what_is_not_for_it) {
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc));
  channel.set(0, {.corrupt = 1});
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 100});
  channel.run(10 * ps_per_us);
  EXPECT_EQ(channel.right().strays().icrc_failures, 1u);
  EXPECT_EQ(received(channel).icrc_failures, 1u);
  EXPECT_EQ(received(channel).frames, 0u);

  Bytes frame = channel.frames(0).front().second;
  frame[12] = 0x80;
  channel.right().receive(frame, channel.now());
  EXPECT_EQ(channel.right().strays().not_roce, 1u);
  // Back to its sender, which has no such QP.
  channel.left().receive(channel.frames(0).front().second, channel.now());
  EXPECT_EQ(channel.left().strays().unknown_qp, 1u);

  Path foreign = pair_of(Transport::rc).left.path;
  foreign.source = *base::parse_ip("10.0.0.9");
  RocePacket packet{.opcode = 4, .destination_qp = 0x22, .psn = 100};
  Bytes other(frame_bytes(foreign, packet));
  write_frame(other.data(), foreign, packet);
  channel.right().receive(other, channel.now());
  EXPECT_EQ(channel.right().strays().wrong_peer, 1u);
}

TEST(Endpoint, tells_the_latency_by_the_stamp) {
  struct Latencies final : Observer {
    void data_arrived(const DataArrival& arrival) override {
      seen.insert(arrival.now - arrival.stamp->sent_at.host());
    }
    std::set<Time> seen;
  };
  Latencies latencies;
  Endpoint receiver(ten_gigabit(), 0, &latencies);
  receiver.add_qp(pair_of(Transport::rc).right, 0);
  Channel channel(ten_gigabit());
  add(channel, pair_of(Transport::rc));
  channel.left().post(0, {.kind = WorkKind::send, .bytes = 5000});
  channel.run(ps_per_ms);

  for (const auto& [time, bytes] : channel.frames(0)) receiver.receive(bytes, time + 12345);

  EXPECT_EQ(latencies.seen, std::set<Time>{12345});
}

TEST(Endpoint, comes_and_goes_in_tunnels) {
  Pair pair = pair_of(Transport::rc);
  pair.left.tunnel = Tunnel{.source = *base::parse_ip("198.18.0.1"),
                            .destination = *base::parse_ip("198.18.0.2"),
                            .vni = 7};
  Endpoint sender(ten_gigabit(), 0);
  Endpoint receiver(ten_gigabit(), 0);
  sender.add_qp(pair.left, 0);
  receiver.add_qp(pair.right, 0);
  sender.post(0, {.kind = WorkKind::send, .bytes = 64});
  OneFrame sink;

  ASSERT_EQ(sender.poll(sink, 0), 1u);

  const auto tunnel = parse_tunnel(sink.memory);
  ASSERT_TRUE(tunnel);
  EXPECT_EQ(tunnel->tunnel.vni, 7u);
  EXPECT_EQ(tunnel->tunnel.tos, 2);
  sink.memory[15] |= 3;  // Marked in the underlay.
  receiver.receive(sink.memory, 10);
  EXPECT_EQ(receiver.facts(0).received.messages, 1u);
  EXPECT_EQ(receiver.facts(0).received.ce_frames, 1u);
  ASSERT_GE(receiver.poll(sink, 20), 1u);
  EXPECT_EQ(receiver.facts(0).sent.cnps, 1u);
}

}  // namespace
