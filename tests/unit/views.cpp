// SPDX-License-Identifier: Apache-2.0
// What the API tells of a counter region that the test fills.
#include "controlplane/api/views.hpp"

#include "dataplane/contract/drop_reason.hpp"
#include "dataplane/contract/gaps.hpp"

#include <boost/json/serialize.hpp>
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

class TrafficClassesTest : public ViewsTest {
 protected:
  TrafficClassesTest() {
    names_["port"] = names_["queue.port"] = {{1, "wire0"}};
    intent_.ports.push_back({.name = *cp::Name::make("wire0"), .rate = cp::Rate{10'000'000'000}});
    intent_.queues.push_back({.port = *cp::Name::make("wire0"),
                              .traffic_class = 5,
                              .dscp = {26},
                              .carries = {cp::RoceTraffic::cnp},
                              .rate = cp::Rate{2'000'000'000},
                              .kmin = cp::ByteCount{100},
                              .kmax = cp::ByteCount{200},
                              .pmax = cp::Share{2000}});
    contract::QueueCounters& counters =
        contract::worker_block(region(), shape_, 0).queues[contract::traffic_class_count + 5];
    counters.marked_packets = 7;
    counters.depth_bytes = 150;
    counters.depth_packets_at[0] = 9;
  }
  json::array classes(std::string_view port = {}, std::optional<std::uint8_t> number = {}) {
    const auto view = contract::RegionView::open(region());
    EXPECT_TRUE(view);
    return cp::traffic_classes_view(&*view, names_, intent_, port, number)
        .at("traffic_classes")
        .as_array();
  }

  cp::PositionNames names_;
  cp::Intent intent_;
};

TEST_F(TrafficClassesTest, all_eight_of_a_port_are_told_with_what_holds) {
  const json::array list = classes();

  ASSERT_EQ(list.size(), 8u);
  const json::value& set = list[5];
  EXPECT_EQ(set.at("name").as_string(), "wire0/5");
  EXPECT_TRUE(set.at("configured").as_bool());
  EXPECT_TRUE(set.at("strict").as_bool());
  EXPECT_EQ(set.at("home_worker").to_number<int>(), 0);
  EXPECT_EQ(set.at("port_rate").as_uint64(), 10'000'000'000u);
  EXPECT_EQ(set.at("rate").as_uint64(), 2'000'000'000u);
  EXPECT_EQ(set.at("burst").to_number<int>(), 32 * 1024);  // 100 us are 25,000 bytes.
  EXPECT_EQ(set.at("buffer").to_number<int>(), 1024 * 1024);
  EXPECT_EQ(set.at("kmax").as_uint64(), 200u);
  EXPECT_EQ(set.at("pmax").as_double(), 0.2);
  EXPECT_EQ(set.at("mark").as_string(), "outer");
  EXPECT_EQ(set.at("not_ect").as_string(), "drop");
  EXPECT_FALSE(set.at("mark_control").as_bool());
  EXPECT_EQ(set.at("marked_packets").as_uint64(), 7u);
  EXPECT_EQ(set.at("depth_bytes").as_uint64(), 150u);
  EXPECT_EQ(set.at("depth_packets_at").as_object().size(), 1u);
  EXPECT_EQ(set.at("depth_packets_at").at("1KiB").as_uint64(), 9u);
  const json::value& other = list[6];
  EXPECT_FALSE(other.at("configured").as_bool());
  EXPECT_FALSE(other.at("strict").as_bool());
  EXPECT_TRUE(other.at("kmin").is_null());
  EXPECT_EQ(other.at("marked_packets").as_uint64(), 0u);
}

TEST_F(TrafficClassesTest, one_can_be_asked_for) {
  EXPECT_EQ(classes("wire0").size(), 8u);
  EXPECT_EQ(classes("wire1").size(), 0u);
  ASSERT_EQ(classes("wire0", 5).size(), 1u);
  EXPECT_EQ(classes("wire0", 5)[0].at("traffic_class").to_number<int>(), 5);
}

TEST_F(TrafficClassesTest, without_a_data_plane_nothing_is_counted) {
  const json::array list =
      cp::traffic_classes_view(nullptr, names_, intent_, {}, {}).at("traffic_classes").as_array();

  ASSERT_EQ(list.size(), 8u);
  EXPECT_EQ(list[5].at("kmin").as_uint64(), 100u);
  EXPECT_TRUE(list[5].at("home_worker").is_null());
  EXPECT_FALSE(list[5].as_object().contains("marked_packets"));
}

TEST_F(TrafficClassesTest, a_queue_has_its_counters_as_state) {
  json::array queues{json::object{{"port", "wire0"}, {"traffic_class", 5}},
                     json::object{{"port", "wire1"}, {"traffic_class", 5}}};
  const auto view = contract::RegionView::open(region());
  ASSERT_TRUE(view);

  cp::add_states(queues, *view, names_, "queue");

  EXPECT_EQ(queues[0].at("state").at("marked_packets").as_uint64(), 7u);
  EXPECT_FALSE(queues[1].as_object().contains("state"));
}

TEST_F(ViewsTest, a_workers_gap_is_what_one_turn_in_ten_thousand_exceeds) {
  const auto worker = [&] {
    const auto view = contract::RegionView::open(region());
    return cp::workers_view(*view).at("workers").as_array().at(0);
  };
  EXPECT_EQ(worker().at("gap_p99_99").as_string(), "") << "it has not turned";
  const contract::WorkerBlock block = contract::worker_block(region(), shape_, 0);
  auto& turns = contract::worker_gaps(block).turns_by_gap;
  turns[0] = 19'990;
  turns[contract::gap_slot(4 * 20)] = 9;
  turns[contract::gap_slots - 1] = 1;

  EXPECT_EQ(worker().at("gap_p99_99").as_string(), "24us") << "20 us are less than that";
  EXPECT_EQ(worker().at("turns_by_gap").at("unbounded").as_uint64(), 1u);
  turns[contract::gap_slots - 1] = 3;
  EXPECT_EQ(worker().at("gap_p99_99").as_string(), "unbounded");
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

// Two sockets: the first worker is at 0, the second at 1, and the third is not pinned.
TEST(WorkersView, tells_places_and_warns_of_devices_at_another_socket) {
  const contract::RegionShape shape{.worker_count = 3,
                                    .port_count = 3,
                                    .network_count = 1,
                                    .vtep_count = 1,
                                    .next_hop_count = 1,
                                    .neighbour_count = 1,
                                    .stages = {}};
  const std::size_t bytes = (contract::lay_out(shape).total_bytes + 63) / 64 * 64;
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(64, bytes)), &std::free);
  const std::span<std::byte> region(memory.get(), bytes);
  std::memset(memory.get(), 0, bytes);
  contract::describe_region(region, shape);
  const auto places = contract::worker_places(region, shape);
  places[0] = {.core = 4, .socket = 0};
  places[1] = {.core = 6, .socket = 1};
  places[2] = {.core = contract::nowhere, .socket = contract::nowhere};
  const auto ports = contract::port_states(region, shape);
  const std::array sockets{std::uint64_t{0}, std::uint64_t{1}, contract::nowhere};
  for (std::size_t port = 0; port < 2; ++port) {
    ports[port].present = 1;
    ports[port].rx_queues = 2;
    ports[port].socket = sockets[port];
    ports[port].name = contract::to_text<32>("wire" + std::to_string(port));
  }
  const auto view = contract::RegionView::open(region);
  ASSERT_TRUE(view);

  const json::array workers = cp::workers_view(*view).at("workers").as_array();

  ASSERT_EQ(workers.size(), 3u);
  EXPECT_EQ(workers[0].at("core").to_number<int>(), 4);
  EXPECT_EQ(workers[0].at("socket").to_number<int>(), 0);
  EXPECT_TRUE(workers[2].at("core").is_null());
  EXPECT_TRUE(workers[2].at("socket").is_null());
  // Queues 0 and 1 of wire0 are read by workers 0 and 1, those of wire1 by 1 and 2.
  EXPECT_EQ(json::serialize(workers[0].at("ports")), R"([{"port":"wire0","socket":0}])");
  EXPECT_EQ(json::serialize(workers[1].at("ports")),
            R"([{"port":"wire0","socket":0},{"port":"wire1","socket":1}])");
  EXPECT_TRUE(workers[0].at("warnings").as_array().empty());
  ASSERT_EQ(workers[1].at("warnings").as_array().size(), 1u);
  EXPECT_EQ(workers[1].at("warnings").as_array()[0].as_string(),
            "worker 1 is at socket 1, the device of wire0 at socket 0: give --cores of the ports' "
            "socket");
  EXPECT_TRUE(workers[2].at("warnings").as_array().empty());
}

}  // namespace
