// SPDX-License-Identifier: Apache-2.0
// Generated frames: valid to whoever reads them whole, every queue pair in its turn, PSNs without
// gaps; and what a receiver finds when some of them are lost, late or twice.
#include "tools/pktgen/generate/generator.hpp"

#include "tools/pktgen/profile/read.hpp"
#include "tools/pktgen/receive/receiver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace pktgen;

Profile profile_of(const std::string& text) {
  const auto profile = read_profile(text, "test.yaml");
  EXPECT_TRUE(profile) << to_string(profile.error().front());
  return *profile;
}

std::vector<std::uint8_t> write(const NextFrame& next, Time sent_at = 0) {
  FrameFields fields = next.fields;
  fields.sent_at = sent_at;
  std::vector<std::uint8_t> frame(next.frame->bytes());
  next.frame->write(frame.data(), fields);
  return frame;
}

std::uint32_t read_psns(const std::vector<std::uint8_t>& frame) {
  return (parse_frame(frame)->packet.reth.bytes + 255) / 256;
}

// All that can be said of frames without a template.
constexpr const char* everything =
    "pmtu: 256\n"
    "flows: {count: 37, first_qp: 1000, first_psn: 16777200}\n"
    "mix:\n"
    "  - {operation: write, bytes: 700}\n"
    "  - {operation: write_imm, bytes: 600}\n"
    "  - {operation: write_imm, bytes: 60}\n"
    "  - {operation: send, bytes: 600}\n"
    "  - {operation: send, bytes: 5}\n"
    "  - {operation: send_imm, bytes: 513}\n"
    "  - {operation: send_imm, bytes: 64}\n"
    "  - {operation: send_invalidate, bytes: 600}\n"
    "  - {operation: send_invalidate, bytes: 64}\n"
    "  - {operation: write, bytes: 54}\n"
    "  - {operation: read, bytes: 256}\n"
    "  - {operation: read, bytes: 2000}\n"
    "  - {operation: compare_swap}\n"
    "  - {operation: fetch_add}\n"
    "  - {operation: atomic_write}\n"
    "  - {operation: flush, bytes: 4096}\n"
    "  - {operation: ack, share: 3}\n"
    "  - {operation: read_response, bytes: 900}\n"
    "  - {operation: read_response, bytes: 100}\n"
    "  - {operation: atomic_ack}\n"
    "  - {operation: cnp}\n"
    "  - {operation: uc_send, bytes: 600}\n"
    "  - {operation: uc_send, bytes: 200}\n"
    "  - {operation: uc_send_imm, bytes: 600}\n"
    "  - {operation: uc_send_imm, bytes: 200}\n"
    "  - {operation: uc_write, bytes: 900}\n"
    "  - {operation: uc_write, bytes: 90}\n"
    "  - {operation: uc_write_imm, bytes: 900}\n"
    "  - {operation: uc_write_imm, bytes: 90}\n"
    "  - {operation: ud_send, bytes: 77}\n"
    "  - {operation: ud_send_imm, bytes: 77}\n";

class Forms : public testing::TestWithParam<std::string> {};

TEST_P(Forms, each_frame_is_valid_to_a_reader_that_computes_its_checksums) {
  const Profile profile = profile_of(everything + GetParam());
  const Mix mix = make_mix(profile);
  Generator generator(profile, mix);
  std::set<unsigned> opcodes;

  for (int i = 0; i < 20'000; ++i) {
    const NextFrame next = generator.next();
    std::vector<std::uint8_t> frame = write(next, 0x0102'0304'0506'0708u + static_cast<Time>(i));
    std::span<const std::uint8_t> inner = frame;
    if (profile.tunnel.present) {
      const auto tunnel = parse_tunnel(frame);
      ASSERT_TRUE(tunnel) << name(tunnel.error());
      EXPECT_EQ(tunnel->tunnel.vni, profile.tunnel.vni);
      EXPECT_EQ(tunnel->tunnel.tos & 3, 2) << "RFC 6040";
      inner = tunnel->inner;
    }
    const auto parsed = parse_frame(inner);

    ASSERT_TRUE(parsed) << name(parsed.error());
    EXPECT_TRUE(icrc_holds(*parsed));
    if (parsed->path.source.is_v4()) {
      EXPECT_EQ(dp::fold(dp::sum_words(inner.data() + 14, 20)), 0xffff);
    }
    EXPECT_EQ(parsed->packet.opcode, next.opcode);
    EXPECT_EQ(parsed->packet.destination_qp, next.fields.qp);
    EXPECT_EQ(parsed->packet.psn, next.fields.psn);
    EXPECT_EQ(parsed->path.source_port, next.fields.source_port);
    if (parsed->packet.payload.size() >= sizeof(Stamp)) {
      const auto stamp = read_stamp(parsed->packet.payload);
      ASSERT_TRUE(stamp);
      EXPECT_EQ(stamp->sent_at.host(), 0x0102'0304'0506'0708u + static_cast<Time>(i));
    }
    opcodes.insert(next.opcode);
  }
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    EXPECT_EQ(opcodes.contains(opcode), is_known(static_cast<std::uint8_t>(opcode))) << opcode;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Paths, Forms,
    testing::Values("addresses: {sources: 50, destinations: 3}\n",
                    "addresses: {source: fd00::ff01, destination: fd00::2, sources: 200}\n",
                    "tunnel: {vni: 77}\n", "tunnel: {source: fd01::1, destination: fd01::2}\n",
                    "addresses: {source: fd00::1, destination: fd00::2}\ntunnel: {vni: 7}\n"));

TEST(Generator, sends_to_each_queue_pair_once_a_round_in_another_order) {
  const Profile profile = profile_of("flows: {count: 1000}\nmix: [{operation: ack}]\n");
  const Mix mix = make_mix(profile);
  Generator generator(profile, mix);
  std::vector<std::vector<std::uint32_t>> rounds(3);

  for (auto& round : rounds) {
    for (int i = 0; i < 1000; ++i) round.push_back(generator.next().flow);
  }

  std::vector<std::uint32_t> all(1000);
  std::iota(all.begin(), all.end(), 0u);
  EXPECT_NE(rounds[0], rounds[1]);
  EXPECT_NE(rounds[1], rounds[2]);
  for (auto round : rounds) {
    const auto neighbours = std::ranges::count_if(
        all, [&](std::uint32_t i) { return i > 0 && round[i] == round[i - 1] + 1; });
    EXPECT_LT(neighbours, 50) << "looks sorted";
    std::ranges::sort(round);
    EXPECT_EQ(round, all);
  }
}

TEST(Generator, psns_of_each_series_of_each_queue_pair_count_on_by_one) {
  const Profile profile = profile_of(everything);
  const Mix mix = make_mix(profile);
  Generator generator(profile, mix);
  std::map<std::pair<std::uint32_t, Series>, std::uint32_t> expected;

  for (int i = 0; i < 37 * 300 + 11; ++i) {
    const NextFrame next = generator.next();
    const Series series = series_of(next.opcode);
    if (series == Series::none) continue;
    const auto [at, is_new] = expected.try_emplace({next.flow, series}, 16'777'200u);
    ASSERT_EQ(next.fields.psn, at->second) << "frame " << i;
    // A READ takes the PSNs of its answer.
    at->second = (at->second + (next.opcode == 0x0c ? read_psns(write(next)) : 1)) & 0xff'ffff;
  }

  const Generator::Ends ends = generator.ends();
  for (const auto& [key, psn] : expected) {
    EXPECT_EQ(ends[key.first][static_cast<std::size_t>(key.second)], psn);
  }
  EXPECT_EQ(generator.sent(), 37u * 300 + 11);
}

TEST(Generator, shares_of_the_mix_are_kept_and_messages_come_whole) {
  const Profile profile = profile_of(
      "pmtu: 256\nflows: {count: 10}\nmix:\n"
      "  - {operation: write, bytes: 1024, share: 80}\n"
      "  - {operation: ack, share: 15}\n"
      "  - {operation: cnp, share: 5}\n");
  const Mix mix = make_mix(profile);
  Generator generator(profile, mix);
  std::map<unsigned, int> counts;
  std::map<std::uint32_t, unsigned> last_write;

  for (int i = 0; i < 10 * static_cast<int>(mix.slots.size()); ++i) {
    const NextFrame next = generator.next();
    ++counts[next.opcode];
    if (next.opcode > 0x0a) continue;
    // First, Middle, Middle, Last: a Middle never begins, and a First never follows a Middle.
    const unsigned before = std::exchange(last_write[next.flow], next.opcode);
    const bool follows = (next.opcode == 0x06 && (before == 0 || before == 0x08)) ||
                         (next.opcode == 0x07 && (before == 0x06 || before == 0x07)) ||
                         (next.opcode == 0x08 && before == 0x07);
    EXPECT_TRUE(follows) << before << " and then " << unsigned{next.opcode};
  }

  EXPECT_EQ(mix.slots.size(), 16u * 4 + 3 + 1);
  EXPECT_EQ(counts[0x06], 160);
  EXPECT_EQ(counts[0x07], 320);
  EXPECT_EQ(counts[0x08], 160);
  EXPECT_EQ(counts[0x11], 30);
  EXPECT_EQ(counts[0x81], 10);
}

TEST(Generator, the_same_seed_gives_the_same_frames) {
  const Profile profile = profile_of("seed: 9\n" + std::string(everything));
  const Profile other = profile_of("seed: 10\n" + std::string(everything));
  const Mix mix = make_mix(profile);
  Generator one(profile, mix);
  Generator two(profile, mix);
  Generator three(other, mix);
  bool differs = false;

  for (int i = 0; i < 1000; ++i) {
    const auto frame = write(one.next());
    EXPECT_EQ(frame, write(two.next()));
    differs = differs || frame != write(three.next());
  }
  EXPECT_TRUE(differs);
}

TEST(Receiver, finds_exactly_the_losses_duplicates_and_late_frames_that_were_made) {
  const Profile profile = profile_of(everything);
  const Mix mix = make_mix(profile);
  Generator generator(profile, mix);
  Receiver receiver(profile);
  std::mt19937 random(5);
  std::vector<std::vector<std::uint8_t>> held(37);
  std::uint64_t dropped = 0;
  std::uint64_t doubled = 0;
  std::uint64_t delayed = 0;
  std::uint64_t damaged = 0;
  std::uint64_t cnps_dropped = 0;
  std::uint64_t missing = 0;  // PSNs of what was dropped or damaged.

  for (int i = 0; i < 50'000; ++i) {
    const NextFrame next = generator.next();
    auto frame = write(next, 1'000'000);
    const bool is_cnp = next.opcode == cnp_opcode;
    const std::uint64_t psns = next.opcode == 0x0c ? read_psns(frame) : 1;
    const unsigned fate = random() % 100;
    if (fate < 4) {
      (is_cnp ? cnps_dropped : dropped) += 1;
      missing += is_cnp ? 0 : psns;
      continue;
    }
    if (fate < 6 && !is_cnp) {
      ++damaged;
      missing += psns;
      frame[frame.size() - 1] ^= 0x10;
    }
    if (fate >= 6 && fate < 9 && !is_cnp) {
      doubled += 1;
      receiver.take(frame, 3'000'000);
    }
    // Overtaken by the next request of the same queue pair.
    auto& waiting = held[next.flow];
    if (fate >= 9 && fate < 12 && series_of(next.opcode) == Series::requests && waiting.empty()) {
      waiting = frame;
      continue;
    }
    receiver.take(frame, 3'000'000);
    if (!waiting.empty() && series_of(next.opcode) == Series::requests && fate >= 6) {
      receiver.take(waiting, 3'000'000);
      waiting.clear();
      ++delayed;
    }
  }
  for (auto& frame : held) {
    if (!frame.empty()) receiver.take(frame, 3'000'000);
  }
  receiver.expect_ends(generator.ends());

  const ReceiveCounters& counters = receiver.counters();
  EXPECT_EQ(counters.lost, missing);
  EXPECT_GT(missing, dropped + damaged);
  EXPECT_EQ(counters.duplicates, doubled);
  EXPECT_EQ(counters.late, delayed);
  EXPECT_EQ(counters.icrc_errors, damaged);
  EXPECT_EQ(counters.too_old + counters.unknown_qps + counters.wrong_clocks, 0u);
  EXPECT_EQ(counters.roce + dropped + damaged + cnps_dropped, 50'000 + counters.duplicates);
  EXPECT_EQ(receiver.latency_ns().quantile(0.5), 2000u);
  std::uint64_t by_flow = 0;
  for (const FlowCounters& flow : receiver.flows()) by_flow += flow.lost;
  EXPECT_EQ(by_flow, counters.lost);
}

TEST(Receiver, tells_what_is_not_its_own) {
  const Profile profile = profile_of("mix: [{operation: write, bytes: 64}]\n");
  const Profile other = profile_of("flows: {first_qp: 9000}\nmix: [{operation: write, bytes: 64}]");
  const Mix mix = make_mix(other);
  Generator generator(other, mix);
  Receiver receiver(profile);
  const std::vector<std::uint8_t> arp(60, 0);

  receiver.take(write(generator.next()), 0);
  receiver.take(arp, 0);
  receiver.take({}, 0);

  EXPECT_EQ(receiver.counters().frames, 3u);
  EXPECT_EQ(receiver.counters().roce, 0u);
  EXPECT_EQ(receiver.counters().unknown_qps, 1u);
  EXPECT_EQ(receiver.counters().not_roce[static_cast<std::size_t>(ParseError::not_ip)], 1u);
  EXPECT_EQ(receiver.counters().not_roce[static_cast<std::size_t>(ParseError::truncated)], 1u);
}

TEST(Receiver, counts_marks_and_stamps_of_the_future) {
  const Profile profile =
      profile_of("marking: {ecn: ce}\nmix: [{operation: write, bytes: 64}]\nflows: {count: 2}\n");
  const Mix mix = make_mix(profile);
  Generator generator(profile, mix);
  Receiver receiver(profile);

  receiver.take(write(generator.next(), 5000), 4000);
  receiver.take(write(generator.next(), 5000), 6'000'000);

  EXPECT_EQ(receiver.counters().ecn[3], 2u);
  EXPECT_EQ(receiver.counters().wrong_clocks, 1u);
  EXPECT_EQ(receiver.latency_ns().count(), 1u);
  EXPECT_EQ(receiver.latency_ns().most(), 5995u);
}

}  // namespace
