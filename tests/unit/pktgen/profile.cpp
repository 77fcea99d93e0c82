// SPDX-License-Identifier: Apache-2.0
// Profiles: what is read, and what a mistake is answered with.
#include "tools/pktgen/profile/fields.hpp"
#include "tools/pktgen/profile/messages.hpp"
#include "tools/pktgen/profile/read.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace {

std::string errors_of(const std::string& text) {
  const auto profile = pktgen::read_profile(text, "p.yaml");
  if (profile) return "none";
  std::string all;
  for (const cp::Error& error : profile.error()) all += to_string(error) + "\n";
  return all;
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

constexpr const char* mix = "mix: [{operation: write}]\n";

TEST(Profile, every_shipped_profile_is_right_and_says_what_it_is_for) {
  ASSERT_GE(pktgen::shipped_profiles().size(), 5u);
  for (const pktgen::ShippedProfile& shipped : pktgen::shipped_profiles()) {
    const auto profile = pktgen::load_profile(std::string(shipped.name));

    ASSERT_TRUE(profile) << to_string(profile.error().front());
    EXPECT_EQ(profile->name, shipped.name);
    EXPECT_FALSE(profile->description.empty());
  }
}

TEST(Profile, fields_are_read_and_what_is_left_out_keeps_its_default) {
  const auto profile = pktgen::read_profile(
      "rate: {frames_per_second: 20k}\n"
      "flows: {count: 2M, order: sequential}\n"
      "addresses: {source: fd00::1, destination: fd00::2}\n"
      "marking: {ecn: ect1, dscp: 0}\n"
      "mix:\n"
      "  - {operation: write, bytes: 100, share: 3}\n"
      "  - {operation: cnp}\n",
      "dir/two.yaml");

  ASSERT_TRUE(profile) << to_string(profile.error().front());
  EXPECT_EQ(profile->name, "two");
  EXPECT_EQ(profile->rate.frames_per_second, 20'000u);
  EXPECT_EQ(profile->rate.burst, 8u);
  EXPECT_EQ(profile->flows.count, 2'000'000u);
  EXPECT_EQ(profile->flows.order, pktgen::Order::sequential);
  EXPECT_EQ(base::to_string(profile->addresses.source), "fd00::1");
  EXPECT_EQ(profile->marking.ecn, pktgen::EcnField::ect1);
  EXPECT_FALSE(profile->tunnel.present);
  ASSERT_EQ(profile->mix.size(), 2u);
  EXPECT_EQ(profile->mix[0].bytes, 100u);
  EXPECT_EQ(profile->mix[1].operation, pktgen::MessageKind::cnp);
  EXPECT_EQ(profile->mix[1].share, 1u);
}

TEST(Profile, a_tunnel_is_there_where_it_is_written) {
  const auto profile = pktgen::read_profile(std::string(mix) + "tunnel: {vni: 7}\n", "p.yaml");

  ASSERT_TRUE(profile);
  EXPECT_TRUE(profile->tunnel.present);
  EXPECT_EQ(profile->tunnel.vni, 7u);
}

TEST(Profile, mistakes_are_told_with_their_place_and_the_nearest_right_word) {
  EXPECT_EQ(errors_of(std::string(mix) + "rats: {burst: 8}\n"),
            "p.yaml:2:1: rats: there is no such field (nearest: rate)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "rate: {bursts: 8}\n"),
            "p.yaml:2:8: rate.bursts: there is no such field (nearest: burst)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "rate: {burst: 65}\n"),
            "p.yaml:2:15: rate.burst: must be a number 1..64, not \"65\" (nearest: 64)\n");
  EXPECT_EQ(errors_of("mix:\n  - {operation: wirte}\n"),
            "p.yaml:2:17: mix[0].operation: must be write | write_imm | send | send_imm | "
            "send_invalidate | read | compare_swap | fetch_add | atomic_write | flush | ack | "
            "read_response | atomic_ack | cnp | uc_send | uc_send_imm | uc_write | uc_write_imm | "
            "ud_send | ud_send_imm, not \"wirte\" (nearest: write)\n");
  EXPECT_EQ(errors_of("seconds: 5\nseconds: 6\n"),
            "p.yaml:2:1: seconds is given twice (before in line 1)\n");
  EXPECT_EQ(errors_of("mix: 7\n"), "p.yaml:1:6: mix: must be a list\n");
  EXPECT_EQ(errors_of("rate: 7\n"), "p.yaml:1:7: rate: must be a map of fields\n");
  EXPECT_EQ(errors_of("seconds: [1]\n"),
            "p.yaml:1:1: seconds: must be a single value: 1..604800\n");
  EXPECT_NE(errors_of("\tmix: 7\n").find("p.yaml:1:1: this is no YAML"), std::string::npos);
  EXPECT_EQ(errors_of(""), "p.yaml:1:1: a profile is a map of fields: see weir-pktgen --fields\n");
  EXPECT_NE(errors_of("- 7\n").find("a profile is a map of fields"), std::string::npos);
}

TEST(Profile, all_mistakes_are_told_at_once) {
  EXPECT_EQ(errors_of("seconds: 0\nframes: many\n" + std::string(mix)),
            "p.yaml:1:10: seconds: must be a number 1..604800 (s), not \"0\" (nearest: 1)\n"
            "p.yaml:2:9: frames: must be a number 0..1000000000000, not \"many\"\n");
}

TEST(Profile, what_makes_no_sense_together_is_refused) {
  EXPECT_EQ(errors_of("seconds: 5\n"),
            "p.yaml:1:1: mix: says nothing to send (nearest: [{operation: write, bytes: 4096}])\n");
  EXPECT_EQ(errors_of(std::string(mix) + "rate:\n  frames_per_second: 1\n  bits_per_second: 1M\n"),
            "p.yaml:4:20: rate.bits_per_second: is said beside frames_per_second: keep one of "
            "them\n");
  EXPECT_EQ(errors_of(std::string(mix) + "pmtu: 1500\n"),
            "p.yaml:2:7: pmtu: is 256, 512, 1024, 2048 or 4096 (nearest: 1024)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "flows: {count: 8M, first_qp: 16000000}\n"),
            "p.yaml:2:16: flows.count: queue pairs 16000000 and on are 777215 at most (nearest: "
            "777215)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "flows: {first_qp: 1}\n"),
            "p.yaml:2:19: flows.first_qp: 0 and 1 are for management, and no endpoint sends data "
            "to them (nearest: 2)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "flows: {first_source_port: 65000, source_ports: 600}\n"),
            "p.yaml:2:49: flows.source_ports: there are no ports beyond 65535 (nearest: 536)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "addresses: {source: fd00::1}\n"),
            "p.yaml:2:12: addresses.destination: must be IPv6 as the source is\n");
  EXPECT_EQ(errors_of(std::string(mix) + "addresses: {source: 10.0.255.0, sources: 257}\n"),
            "p.yaml:2:42: addresses.sources: the last 16 bits of 10.0.255.0 cannot count on so "
            "far (nearest: 256)\n");
  EXPECT_EQ(errors_of(std::string(mix) + "tunnel: {source: fd00::1}\n"),
            "p.yaml:2:9: tunnel.destination: must be IPv6 as the source is\n");
  EXPECT_EQ(errors_of("pmtu: 1024\nmix: [{operation: ud_send, bytes: 2000}]\n"),
            "p.yaml:2:35: mix[0].bytes: UD messages are single packets: at most pmtu (nearest: "
            "1024)\n");
  EXPECT_EQ(errors_of("mix: [{operation: cnp, bytes: 64}]\n"),
            "p.yaml:1:31: mix[0].bytes: cnp has a size of its own: leave it out\n");
  EXPECT_EQ(errors_of("pmtu: 256\nmix: [{operation: read, bytes: 4097}]\n"),
            "p.yaml:2:32: mix[0].bytes: a generated READ asks for 16 packets of pmtu at most "
            "(nearest: 4096)\n");
  EXPECT_EQ(
      errors_of("pmtu: 256\n"
                "mix: [{operation: write, bytes: 1048576, share: 17}, {operation: ack}]\n"),
      "p.yaml:2:6: mix: is 69633 packets until it begins anew, and may be 65536: lower shares "
      "or bytes\n");
}

TEST(Profile, endpoints_have_mistakes_of_their_own) {
  const std::string mode = "mode: endpoints\n" + std::string(mix);
  EXPECT_EQ(errors_of(mode), "none");
  EXPECT_EQ(errors_of("mode: endpoints\n"),
            "p.yaml:1:1: mix: says nothing to send (nearest: [{operation: write, bytes: 4096}])\n");
  EXPECT_EQ(errors_of(mode + "flows: {count: 20000}\n"),
            "p.yaml:3:16: flows.count: endpoints have at most 16384 queue pairs (nearest: "
            "16384)\n");
  EXPECT_EQ(errors_of(mode + "endpoints: {line_bits_per_second: 10M, least_bits_per_second: 1G}"),
            "p.yaml:3:63: endpoints.least_bits_per_second: is more than the line's (nearest: "
            "10000000)\n");
  EXPECT_EQ(
      errors_of("mode: endpoints\nmix:\n" + repeated("  - {operation: send, share: 9999}\n", 6) +
                "  - {operation: read, share: 10000}\n"),
      "p.yaml:3:3: mix: is 69994 messages until it begins anew, and may be 65536: lower "
      "shares\n");
  EXPECT_EQ(errors_of(mode + "addresses: {sources: 2}\n"),
            "p.yaml:3:12: addresses: endpoints have one address on each side: leave sources and "
            "destinations out\n");
  EXPECT_EQ(errors_of(mode + "rate: {frames_per_second: 5}\n"),
            "p.yaml:3:7: rate: is of mode generate; endpoints share line_bits_per_second\n");
  EXPECT_EQ(errors_of(mode + "endpoints: {dcqcn: hpc}\n"),
            "p.yaml:3:20: endpoints.dcqcn: must be off | paper | hpcc | nvidia, not \"hpc\" "
            "(nearest: hpcc)\n");
  EXPECT_EQ(errors_of(mode + "endpoints: {both_ways: maybe}\n"),
            "p.yaml:3:24: endpoints.both_ways: must be no | yes, not \"maybe\"\n");
  EXPECT_EQ(errors_of("mode: endpoints\nmix: [{operation: read_response}]\n"),
            "p.yaml:2:19: mix[0].operation: read_response is of mode generate: endpoints answer by "
            "themselves\n");
}

TEST(Profile, endpoints_deal_their_queue_pairs_to_transports_by_shares) {
  const std::string three =
      "mode: endpoints\nmix:\n  - {operation: write, share: 3}\n  - {operation: read, share: 1}\n"
      "  - {operation: uc_send}\n  - {operation: ud_send}\n";
  const auto profile = pktgen::read_profile(three, "p.yaml");
  ASSERT_TRUE(profile);
  std::map<pktgen::Transport, int> counts;
  for (const pktgen::Transport transport : pktgen::transports_in_turn(*profile)) {
    ++counts[transport];
  }
  EXPECT_EQ(counts[pktgen::Transport::rc], 4);
  EXPECT_EQ(counts[pktgen::Transport::uc], 1);
  EXPECT_EQ(counts[pktgen::Transport::ud], 1);

  EXPECT_EQ(errors_of(three + "flows: {count: 2}\n"),
            "p.yaml:7:16: flows.count: is too low for mix[2].share to give its transport a queue "
            "pair (nearest: 3)\n"
            "p.yaml:7:16: flows.count: is too low for mix[3].share to give its transport a queue "
            "pair (nearest: 5)\n");
  EXPECT_EQ(
      errors_of(three + "endpoints: {connect: rdma_cm}\n"),
      "p.yaml:7:22: endpoints.connect: RDMA-CM connects RC and UC, and mix[3].operation is UD "
      "(nearest: known)\n");
}

TEST(Profile, shares_are_turns_without_clusters) {
  const std::uint32_t shares[] = {10, 5, 5};
  const auto turns = pktgen::turns_of(shares);

  EXPECT_EQ(turns, (std::vector<std::uint16_t>{0, 1, 2, 0}));
}

TEST(Profile, a_name_that_is_nothing_gets_the_nearest_profile) {
  const auto profile = pktgen::load_profile("ai-mx");

  ASSERT_FALSE(profile);
  EXPECT_EQ(to_string(profile.error().front()),
            "ai-mx: is neither a file nor a profile that comes with the program (weir-pktgen "
            "--list) (nearest: ai-mix)");
}

// The help is made of the same description: what it prints can be read.
TEST(Profile, the_printed_fields_are_a_profile_themselves) {
  const std::string text = pktgen::fields_text();
  const auto profile = pktgen::read_profile(text, "fields.yaml");

  ASSERT_FALSE(profile) << "an empty description is refused, and nothing else";
  ASSERT_EQ(profile.error().size(), 1u) << text;
  EXPECT_EQ(profile.error().front().field, "description");
}

}  // namespace
