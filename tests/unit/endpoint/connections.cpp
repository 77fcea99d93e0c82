// SPDX-License-Identifier: Apache-2.0
// RDMA-CM between two endpoints, also where messages are lost.
#include "tests/unit/endpoint/channel.hpp"

#include <gtest/gtest.h>

namespace {

using namespace test;

constexpr std::uint16_t port = 4420;

std::vector<CmAttribute> attributes(const Channel& channel, int from) {
  std::vector<CmAttribute> seen;
  for (const auto& [time, bytes] : channel.frames(from)) {
    const auto frame = parse_frame(bytes);
    if (frame->packet.destination_qp != general_services_qp) continue;
    EXPECT_EQ(frame->path.tos, 0);
    EXPECT_EQ(frame->packet.deth.key, general_services_key);
    seen.push_back(parse_cm(frame->packet.payload)->attribute);
  }
  return seen;
}

// The left side asks, without knowing the QP and the PSN of the right one.
struct Asked {
  explicit Asked(Channel& channel) {
    Pair pair = pair_of(Transport::rc, 0x123456);
    channel.right().listen(port, pair.right, 1);
    pair.left.peer_qp = pair.left.starting_psn = 0;
    channel.left().connect(pair.left, port, channel.now());
    channel.left().post(0, {.kind = WorkKind::send, .bytes = 2000});
  }
};

using enum CmAttribute;

TEST(Connections, become_ready_carry_data_and_close) {
  Channel channel(ten_gigabit());
  const Asked asked(channel);
  EXPECT_EQ(channel.left().state(0), QpState::connecting);

  channel.run(ps_per_ms);

  ASSERT_EQ(channel.right().qp_count(), 1u);
  EXPECT_EQ(channel.left().state(0), QpState::ready);
  EXPECT_EQ(channel.left().config(0).peer_qp, 0x22u);
  EXPECT_EQ(channel.right().config(0).peer_qp, 0x11u);
  // Each side starts with what the other one said.
  EXPECT_EQ(channel.left().requester(0).next_psn(), 0x123456u + 2);
  EXPECT_EQ(channel.right().requester(0).next_psn(), 0x777777u);
  EXPECT_EQ(channel.right().facts(0).received.messages, 1u);
  channel.right().post(0, {.kind = WorkKind::send, .bytes = 100});
  channel.run(2 * ps_per_ms);
  EXPECT_EQ(channel.left().facts(0).received.messages, 1u);

  channel.left().disconnect(0, channel.now());
  channel.run(3 * ps_per_ms);

  EXPECT_EQ(channel.left().state(0), QpState::closed);
  EXPECT_EQ(channel.right().state(0), QpState::closed);
  EXPECT_EQ(attributes(channel, 0), (std::vector<CmAttribute>{request, ready_to_use, disconnect}));
  EXPECT_EQ(attributes(channel, 1), (std::vector<CmAttribute>{reply, disconnected}));
}

TEST(Connections, survive_the_loss_of_each_message) {
  for (const CmAttribute lost : {request, reply, ready_to_use, disconnect, disconnected}) {
    Channel channel(ten_gigabit());
    unsigned drops = 0;
    const auto judge = [&drops, lost](const ParsedFrame& frame, Time) {
      if (frame.packet.destination_qp != general_services_qp || drops > 0) return true;
      if (parse_cm(frame.packet.payload)->attribute != lost) return true;
      ++drops;
      return false;
    };
    channel.judge(0, judge);
    channel.judge(1, judge);
    const Asked asked(channel);
    channel.run(5 * ps_per_s);
    channel.left().disconnect(0, channel.now());
    channel.run(10 * ps_per_s);

    EXPECT_EQ(drops, 1u);
    ASSERT_EQ(channel.right().qp_count(), 1u);
    EXPECT_EQ(channel.right().facts(0).received.messages, 1u);
    EXPECT_EQ(channel.left().state(0), QpState::closed);
    EXPECT_EQ(channel.right().state(0), QpState::closed);
  }
}

TEST(Connections, give_up_where_nobody_listens) {
  Channel channel(ten_gigabit());
  Pair pair = pair_of(Transport::rc);
  channel.left().connect(pair.left, port, 0);

  channel.run(20 * ps_per_s);

  EXPECT_EQ(channel.left().state(0), QpState::failed);
  EXPECT_EQ(channel.left().connections().failed, 1u);
  EXPECT_EQ(attributes(channel, 0).size(), 16u);
  EXPECT_EQ(channel.left().next_due(), never);
}

TEST(Connections, give_each_asker_its_own_qp) {
  Channel channel(ten_gigabit());
  Pair pair = pair_of(Transport::rc);
  channel.right().listen(port, pair.right, 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    pair.left.qp = 0x100 + i;
    channel.left().connect(pair.left, port, 0);
    channel.left().post(i, {.kind = WorkKind::write, .bytes = 5000, .repeat = 10});
  }

  channel.run(ps_per_s);

  ASSERT_EQ(channel.right().qp_count(), 3u);
  for (QpIndex i = 0; i < 3; ++i) {
    EXPECT_EQ(channel.right().config(i).qp, 0x22 + i);
    EXPECT_EQ(channel.right().facts(i).received.messages, 10u);
  }
}

}  // namespace
