// SPDX-License-Identifier: Apache-2.0
// What the API tells of a counter region that the test fills.
#include "controlplane/api/views.hpp"

#include "dataplane/contract/drop_reason.hpp"

#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

namespace {

namespace json = boost::json;

class ViewsTest : public testing::Test {
 protected:
  ViewsTest()
      : shape_{.worker_count = 1,
               .port_count = 2,
               .network_count = 2,
               .vtep_count = 2,
               .next_hop_count = 2,
               .neighbour_count = 8,
               .stages = {}},
        bytes_(contract::lay_out(shape_).total_bytes),
        memory_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + 63) / 64 * 64)),
                &std::free) {
    std::memset(memory_.get(), 0, bytes_);
    contract::describe_region(region(), shape_);
  }

  std::span<std::byte> region() { return {memory_.get(), bytes_}; }
  json::array neighbours() {
    const auto view = contract::RegionView::open(region());
    EXPECT_TRUE(view);
    cp::PositionNames names;
    names["neighbour"] = cp::neighbour_names(*view);
    return cp::neighbours_view(*view, names).at("neighbours").as_array();
  }

  contract::RegionShape shape_;
  std::size_t bytes_;
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;
};

TEST_F(ViewsTest, neighbours_are_those_that_have_a_place) {
  EXPECT_TRUE(neighbours().empty());
  contract::NeighbourState& state = contract::neighbour_states(region(), shape_)[5];
  state.usable = 1;
  state.moves = 3;
  state.port = contract::to_text<sizeof state.port>("wire0");
  state.mac = contract::to_text<sizeof state.mac>("02:00:00:00:ff:02");
  state.state = contract::to_text<sizeof state.state>("reachable");
  state.address = contract::to_text<sizeof state.address>("198.18.0.2");

  const json::array shown = neighbours();

  ASSERT_EQ(shown.size(), 1u);
  const json::value& one = shown[0];
  EXPECT_EQ(one.at("address").as_string(), "198.18.0.2");
  EXPECT_EQ(one.at("port").as_string(), "wire0");
  EXPECT_EQ(one.at("mac").as_string(), "02:00:00:00:ff:02");
  EXPECT_EQ(one.at("state").as_string(), "reachable");
  EXPECT_FALSE(one.at("own").as_bool());
  EXPECT_TRUE(one.at("usable").as_bool());
  EXPECT_EQ(one.at("moves").as_uint64(), 3u);
  EXPECT_EQ(one.at("losses").as_uint64(), 0u);
  EXPECT_TRUE(one.at("since").as_string().ends_with("Z"));
  EXPECT_FALSE(one.as_object().contains("since_ns"));
  EXPECT_FALSE(one.as_object().contains("name"));
}

TEST_F(ViewsTest, neighbours_are_named_by_port_and_address) {
  contract::NeighbourState& state = contract::neighbour_states(region(), shape_)[1];
  state.port = contract::to_text<sizeof state.port>("wire0");
  state.address = contract::to_text<sizeof state.address>("fd00::1");
  const auto view = contract::RegionView::open(region());
  ASSERT_TRUE(view);

  const auto names = cp::neighbour_names(*view);

  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].first, 1u);
  EXPECT_EQ(names[0].second, "wire0/fd00::1");
}

TEST_F(ViewsTest, drops_say_what_they_mean) {
  using enum contract::DropReason;
  const contract::WorkerBlock worker = contract::worker_block(region(), shape_, 0);
  for (const contract::DropReason reason : {queue_full, marker_dropped, hand_over_full}) {
    worker.totals->drops[static_cast<std::size_t>(reason)] = 1 + static_cast<std::uint64_t>(reason);
  }
  const auto view = contract::RegionView::open(region());
  ASSERT_TRUE(view);

  const json::array drops = cp::drops_view(*view, {}).at("drops").as_array();

  ASSERT_EQ(drops.size(), 3u);
  const std::array names{"queue_full", "marker_dropped", "hand_over_full"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(drops[i].at("reason").as_string(), names[i]);
    EXPECT_EQ(drops[i].at("packets").as_uint64(), 1 + static_cast<std::uint64_t>(queue_full) + i);
    EXPECT_FALSE(drops[i].at("help").as_string().empty());
  }
}

}  // namespace
