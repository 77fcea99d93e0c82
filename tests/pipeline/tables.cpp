// SPDX-License-Identifier: Apache-2.0
// Runs a table of cases: every frame that leaves, every drop and every count must be as written,
// and nothing else may happen. With 1 worker and with 2 workers × 2 queues; fused and observed.
// usage: pipeline_tables FILE [gtest options]
#include "tests/pipeline/case_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <tuple>

namespace {

using test::Bytes;
using test::Case;
using test::Gateway;
using test::GatewayOptions;

const test::CaseFile& file() {
  static const test::CaseFile cases = test::read_cases(std::getenv("WEIR_CASES"));
  return cases;
}

// Drops of `after` that `before` did not have.
Gateway::StageDrops difference(Gateway::StageDrops after, const Gateway::StageDrops& before) {
  for (const auto& [key, count] : before) after[key] -= count;
  std::erase_if(after, [](const auto& entry) { return entry.second == 0; });
  return after;
}

std::string describe(const Gateway::StageDrops& drops) {
  std::string text;
  for (const auto& [key, count] : drops) {
    text += key.first + " " + std::string(contract::name(key.second)) + " " +
            std::to_string(count) + "\n";
  }
  return text;
}

using Kinds =
    std::map<std::tuple<std::uint16_t, contract::PacketKind, contract::Ecn>, std::uint64_t>;

Kinds count_kinds(const Gateway& gateway, const Case& one) {
  Kinds kinds;
  for (const Case::KindCount& wanted : one.kinds) {
    for (std::size_t kind = 0; kind < contract::packet_kind_count; ++kind) {
      for (unsigned ecn = 0; ecn < 4; ++ecn) {
        const auto key = std::tuple(wanted.port, static_cast<contract::PacketKind>(kind),
                                    static_cast<contract::Ecn>(ecn));
        kinds[key] = gateway.kinds(wanted.port, std::get<1>(key), std::get<2>(key));
      }
    }
  }
  return kinds;
}

std::uint64_t read_count(const Gateway& gateway, const Case::Count& wanted) {
  const contract::NetworkCounters counters = gateway.network_counters(wanted.index);
  if (wanted.what == "flooded") return counters.flooded_packets;
  if (wanted.what == "local") return counters.local_packets;
  unsigned inner = 0;
  unsigned outer = 0;
  EXPECT_EQ(std::sscanf(wanted.what.c_str(), "ecn_decap_%u_%u", &inner, &outer), 2);
  return counters.ecn_decap[inner & 3][outer & 3];
}

class Tables : public testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  Tables() : gateway_(options()) {
    test::program(gateway_, file().topology);
    if (!std::get<1>(GetParam())) return;
    // A trace that waits for a frame that does not come: every burst runs observed.
    contract::TraceAdd never{};
    never.trace = 1;
    never.count = 1;
    never.fields = static_cast<std::uint16_t>(contract::TraceField::port);
    never.port = base::PortId{63};
    EXPECT_TRUE(gateway_.trace_board().add(never));
  }

  static GatewayOptions options() {
    const auto workers = static_cast<std::uint16_t>(std::get<0>(GetParam()));
    return {.workers = workers, .queues = workers};
  }

  void offer(const Case& one, std::uint16_t queue) {
    for (const Case::FrameIn& in : one.in) {
      gateway_.offer(in.port, in.frame, queue, in.segments);
    }
    gateway_.run();
  }

  void expect_frames(const Case& one) {
    std::map<std::uint16_t, std::vector<Bytes>> sent;
    std::size_t unexpected = 0;
    for (const std::uint16_t port : ports()) {
      sent[port] = gateway_.take_sent(port);
      unexpected += sent[port].size();
    }
    std::map<std::uint16_t, std::size_t> next;
    for (const Case::FrameOut& out : one.out) {
      auto& frames = sent[out.port];
      const std::size_t index = next[out.port]++;
      if (index >= frames.size()) {
        ADD_FAILURE() << "nothing left at port " << out.port;
        continue;
      }
      --unexpected;
      const std::string differences = test::compare(out.hex, frames[index]);
      if (!differences.empty()) ADD_FAILURE() << "at port " << out.port << ":\n" << differences;
    }
    EXPECT_EQ(unexpected, 0u) << "more frames left than expected";
  }

  static const std::vector<std::uint16_t>& ports() {
    static const std::vector<std::uint16_t> numbers = [] {
      std::vector<std::uint16_t> result;
      for (const std::string& line : file().topology) {
        unsigned number = 0;
        if (std::sscanf(line.c_str(), "port %u", &number) == 1) {
          result.push_back(static_cast<std::uint16_t>(number));
        }
      }
      return result;
    }();
    return numbers;
  }

  Gateway gateway_;
};

TEST_P(Tables, every_case_ends_as_written) {
  std::size_t failed = 0;
  std::uint16_t number = 0;
  for (const Case& one : file().cases) {
    SCOPED_TRACE(one.name);
    const auto drops = gateway_.stage_drops();
    const Kinds kinds = count_kinds(gateway_, one);
    std::vector<std::uint64_t> counts;
    for (const Case::Count& wanted : one.counts) counts.push_back(read_count(gateway_, wanted));

    offer(one, static_cast<std::uint16_t>(number++ % options().queues));

    expect_frames(one);
    EXPECT_EQ(describe(difference(gateway_.stage_drops(), drops)), describe(one.drops));
    Kinds expected = kinds;
    for (const Case::KindCount& wanted : one.kinds) {
      expected[{wanted.port, wanted.kind, wanted.ecn}] += wanted.count;
    }
    const Kinds counted = count_kinds(gateway_, one);
    for (const auto& [key, count] : counted) {
      EXPECT_EQ(count, expected[key])
          << contract::name(std::get<1>(key)) << " " << contract::name(std::get<2>(key));
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
      EXPECT_EQ(read_count(gateway_, one.counts[i]), counts[i] + one.counts[i].count)
          << one.counts[i].what;
    }
    EXPECT_EQ(gateway_.mismatch(), 0);
    EXPECT_EQ(gateway_.mbufs_in_use(), 0u);
    // Enough to see what is wrong; thousands of them would hide it.
    if (HasFailure() && ++failed == 10) FAIL() << "and perhaps more";
  }
  ASSERT_GT(number, 100u) << "an empty table proves nothing";
}

INSTANTIATE_TEST_SUITE_P(All, Tables, testing::Combine(testing::Values(1, 2), testing::Bool()),
                         [](const auto& chosen) {
                           return std::string(std::get<0>(chosen.param) == 1 ? "one_worker"
                                                                             : "two_workers") +
                                  (std::get<1>(chosen.param) ? "_observed" : "_fused");
                         });

}  // namespace
