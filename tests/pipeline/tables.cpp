// SPDX-License-Identifier: Apache-2.0
// Runs a table of cases: every frame that leaves, every drop and every count must be as written,
// and nothing else may happen. With 1 worker and with 2 workers × 2 queues; fused and observed; in
// one buffer, split over several at every byte, and in buffers that somebody else reads too.
// usage: pipeline_tables FILE [gtest options]
#include "dataplane/packet/segmentation.hpp"
#include "tests/pipeline/case_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
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

// host_bgp of a port: what its twin got of that class.
std::optional<std::uint64_t> read_host_count(const Gateway& gateway, const Case::Count& wanted) {
  const contract::PortCounters counters = gateway.port_counters(wanted.index);
  for (const contract::HostClassText& text : contract::host_classes) {
    const auto index = static_cast<std::size_t>(text.host_class);
    if (wanted.what == "host_" + std::string(text.name)) return counters.host_passed[index];
  }
  return std::nullopt;
}

std::uint64_t read_count(const Gateway& gateway, const Case::Count& wanted) {
  if (const auto host = read_host_count(gateway, wanted)) return *host;
  const contract::NetworkCounters counters = gateway.network_counters(wanted.index);
  if (wanted.what == "flooded") return counters.flooded_packets;
  if (wanted.what == "local") return counters.local_packets;
  unsigned inner = 0;
  unsigned outer = 0;
  EXPECT_EQ(std::sscanf(wanted.what.c_str(), "ecn_decap_%u_%u", &inner, &outer), 2);
  return counters.ecn_decap[inner & 3][outer & 3];
}

// How a frame lies in buffers.
struct Layout {
  std::vector<std::uint16_t> sizes;  // Of all segments but the last.
  bool tailroom = true;              // Behind the first segment.

  rte_mbuf* make(rte_mempool& pool, const Bytes& frame) const {
    if (tailroom || frame.empty()) return test::make_mbuf(pool, frame, sizes);
    const auto first = std::min<std::size_t>(sizes.front(), frame.size());
    const auto split = frame.begin() + static_cast<std::ptrdiff_t>(first);
    rte_mbuf* mbuf =
        test::make_mbuf(pool, Bytes(frame.begin(), split), {},
                        static_cast<std::uint16_t>(rte_pktmbuf_data_room_size(&pool) - first));
    if (split == frame.end()) return mbuf;
    const std::span<const std::uint16_t> others(sizes);
    EXPECT_EQ(rte_pktmbuf_chain(
                  mbuf, test::make_mbuf(pool, Bytes(split, frame.end()), others.subspan(1))),
              0);
    return mbuf;
  }

  std::string name() const {
    std::string text = tailroom ? "" : "without tailroom: ";
    for (const std::uint16_t size : sizes) text += std::to_string(size) + ",";
    return text + "rest";
  }
};

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

  void offer(const Case& one, const Layout& layout) {
    gateway_.let_pass(1'000'000);  // What is bounded by time never is here.
    for (const Case::FrameIn& in : one.in) {
      rte_mbuf* mbuf = layout.make(gateway_.pool(), in.frame);
      if (in.segment_bytes != 0) dp::mark_large(*mbuf, in.segment_bytes);
      gateway_.offer(in.port, mbuf, queue_);
      if (layout.sizes.size() > 1) gateway_.run();  // There are not so many buffers for a burst.
    }
    gateway_.run();
    queue_ = static_cast<std::uint16_t>((queue_ + 1) % options().queues);
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

  // Known to come from their port.
  void expect_punted(const Case& one) {
    const auto punted = gateway_.take_punted();
    ASSERT_EQ(punted.size(), one.punts ? one.in.size() : 0U) << "frames for the housekeeper";
    for (std::size_t i = 0; i < punted.size(); ++i) {
      EXPECT_EQ(punted[i].port, one.in[i].port);
      const std::string expected =
          one.punted_hex.empty() ? test::to_hex(one.in[i].frame) : one.punted_hex;
      EXPECT_EQ(test::compare(expected, punted[i].frame), "");
    }
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

  // Offers a case in each of the layouts: as often everything happens.
  void judge(const Case& one, const std::vector<Layout>& layouts) {
    SCOPED_TRACE(one.name);
    const std::uint64_t times = layouts.size();
    const auto drops = gateway_.stage_drops();
    Kinds kinds = count_kinds(gateway_, one);
    std::vector<std::uint64_t> counts;
    for (const Case::Count& wanted : one.counts) counts.push_back(read_count(gateway_, wanted));

    for (const Layout& layout : layouts) {
      offer(one, layout);
      expect_frames(one);
      expect_punted(one);
      if (HasFailure()) FAIL() << "laid out as " << layout.name();
    }

    auto expected_drops = one.drops;
    for (auto& [key, count] : expected_drops) count *= times;
    EXPECT_EQ(describe(difference(gateway_.stage_drops(), drops)), describe(expected_drops));
    for (const Case::KindCount& wanted : one.kinds) {
      kinds[{wanted.port, wanted.kind, wanted.ecn}] += wanted.count * times;
    }
    for (const auto& [key, count] : count_kinds(gateway_, one)) {
      EXPECT_EQ(count, kinds[key])
          << contract::name(std::get<1>(key)) << " " << contract::name(std::get<2>(key));
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
      EXPECT_EQ(read_count(gateway_, one.counts[i]), counts[i] + one.counts[i].count * times)
          << one.counts[i].what;
    }
    EXPECT_EQ(gateway_.mismatch(), 0);
    EXPECT_EQ(gateway_.mbufs_in_use(), 0u);
  }

  void judge_all(const std::function<std::vector<Layout>(const Case&)>& layouts_of) {
    std::size_t failed = 0;
    std::size_t cases = 0;
    for (const Case& one : file().cases) {
      ++cases;
      judge(one, layouts_of(one));
      // Enough to see what is wrong; thousands of them would hide it.
      if (HasFailure() && ++failed == 10) FAIL() << "and perhaps more";
    }
    ASSERT_GT(cases, 100u) << "an empty table proves nothing";
  }

  Gateway gateway_;
  std::uint16_t queue_ = 0;
};

TEST_P(Tables, every_case_ends_as_written) {
  judge_all([](const Case&) { return std::vector<Layout>(1); });
}

// Takes a hundred times as long: in two of the four forms.
class SplitTables : public Tables {};

TEST_P(SplitTables, every_case_ends_the_same_split_at_every_byte) {
  // Sanitizers make this ten times slower: there each case is split at every n-th byte only, the
  // next one a byte further on.
  const char* wanted_step = std::getenv("WEIR_SPLIT_STEP");
  const std::size_t step = wanted_step == nullptr ? 1 : std::strtoul(wanted_step, nullptr, 10);
  ASSERT_GT(step, 0u);
  std::size_t begin = 0;
  judge_all([&](const Case& one) {
    std::size_t bytes = 0;
    for (const Case::FrameIn& in : one.in) bytes = std::max(bytes, in.frame.size());
    // Beyond that no header lies: single bytes tell nothing new.
    bytes = std::min<std::size_t>(bytes, dp::head_bytes + 16);
    std::vector<Layout> layouts;
    begin = (begin + 1) % step;
    for (std::size_t place = begin; place < bytes; place += step) {
      const auto first = static_cast<std::uint16_t>(place);
      layouts.push_back({.sizes = {first}});
      // Where nothing can be pulled up, the frame is copied.
      if (first % 7 == 0) layouts.push_back({.sizes = {first}, .tailroom = false});
    }
    // All behind the headers in one piece: what has left holds its buffers until it is judged.
    const std::vector<std::uint16_t> ones(std::min<std::size_t>(bytes, dp::head_bytes), 1);
    layouts.push_back({.sizes = ones});
    layouts.push_back({.sizes = ones, .tailroom = false});
    layouts.push_back({.sizes = {0, 0, 14, 0, 20, 0, 0, 8, 16, 0, 60, 0}});
    // Odd ones behind the headers, for who sums the payload.
    layouts.push_back({.sizes = {269, 1, 7, 2, 1, 1, 5, 31, 0, 3}});
    return layouts;
  });
}

std::string form_name(const testing::TestParamInfo<std::tuple<int, bool>>& chosen) {
  return std::string(std::get<0>(chosen.param) == 1 ? "one_worker" : "two_workers") +
         (std::get<1>(chosen.param) ? "_observed" : "_fused");
}

INSTANTIATE_TEST_SUITE_P(All, Tables, testing::Combine(testing::Values(1, 2), testing::Bool()),
                         form_name);
INSTANTIATE_TEST_SUITE_P(Two, SplitTables,
                         testing::Values(std::tuple(1, false), std::tuple(2, true)), form_name);

}  // namespace
