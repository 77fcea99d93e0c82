// SPDX-License-Identifier: Apache-2.0
// Prometheus text of a region that the test fills.
#include "controlplane/metrics/text.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

class MetricsTest : public testing::Test {
 protected:
  MetricsTest()
      : shape_{.worker_count = 2,
               .port_count = 64,
               .network_count = 1001,
               .vtep_count = 4,
               .next_hop_count = 3,
               .neighbour_count = 3,
               .stages = {"host_to_wire/parse_frame", "wire_to_host/strip_vxlan"}},
        bytes_(contract::lay_out(shape_).total_bytes),
        memory_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + 63) / 64 * 64)),
                &std::free) {
    std::memset(memory_.get(), 0, bytes_);
    contract::describe_region(region(), shape_);
    names_["port"] = {{0, "wire0"}, {3, "odd\"name\\"}};
    names_["vtep"] = {{1, "gw2"}};
  }

  std::span<std::byte> region() { return {memory_.get(), bytes_}; }
  contract::WorkerBlock worker(std::uint32_t index) {
    return contract::worker_block(region(), shape_, index);
  }
  std::string write() {
    const auto view = contract::RegionView::open(region());
    EXPECT_TRUE(view);
    return cp::write_metrics(&*view, names_,
                             {.version = "1.2.3", .connected = true, .objects = {{"ports", 2}}});
  }
  static bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
  }

  contract::RegionShape shape_;
  std::size_t bytes_;
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;
  cp::PositionNames names_;
};

TEST_F(MetricsTest, sums_ports_over_workers_and_names_them) {
  worker(0).ports[0].rx_packets = 5;
  worker(1).ports[0].rx_packets = 7;
  worker(1).ports[3].tx_bytes = 9;

  const std::string text = write();

  EXPECT_TRUE(has_line(text, "weir_port_rx_packets_total{port=\"wire0\"} 12"));
  EXPECT_TRUE(has_line(text, "weir_port_tx_bytes_total{port=\"odd\\\"name\\\\\"} 9"));
}

TEST_F(MetricsTest, keeps_workers_apart_in_their_own_block) {
  worker(0).totals->rx = 5;
  worker(1).totals->rx = 7;
  worker(1).totals->drops[1] = 3;

  const std::string text = write();

  EXPECT_TRUE(has_line(text, "weir_worker_rx_total{worker=\"0\"} 5"));
  EXPECT_TRUE(has_line(text, "weir_worker_rx_total{worker=\"1\"} 7"));
  EXPECT_TRUE(
      has_line(text, "weir_worker_drops_total{worker=\"1\",drop_reason=\"frame_truncated\"} 3"));
}

TEST_F(MetricsTest, leaves_out_cells_that_are_zero) {
  worker(0).ports[0].rx_kinds[3][2] = 4;

  const std::string text = write();

  EXPECT_TRUE(has_line(
      text, "weir_port_rx_kinds_total{port=\"wire0\",packet_kind=\"roce_send\",ecn=\"ect0\"} 4"));
  EXPECT_EQ(text.find("packet_kind=\"roce_ack\""), text.npos);
  EXPECT_TRUE(has_line(text, "weir_port_tx_packets_total{port=\"wire0\"} 0"));
}

TEST_F(MetricsTest, turns_units_into_base_units) {
  worker(0).totals->idle_ns = 1'500'000'000;
  contract::port_states(region(), shape_)[0].link_speed_mbps = 100;

  const std::string text = write();

  EXPECT_TRUE(has_line(text, "weir_worker_idle_seconds_total{worker=\"0\"} 1.5"));
  EXPECT_TRUE(has_line(text, "weir_port_state_link_speed_bytes{port=\"wire0\"} 12500000"));
}

TEST_F(MetricsTest, tells_of_unaccounted_packets) {
  worker(1).totals->rx = 10;
  worker(1).totals->tx = 8;

  EXPECT_TRUE(has_line(write(), "weir_accounting_mismatch_packets{worker=\"1\"} 2"));
}

TEST_F(MetricsTest, sums_up_what_is_beyond_256_names) {
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    names_["network"].emplace_back(i, "net" + std::to_string(i));
    worker(0).networks[i].encap_packets = 1;
  }

  const std::string text = write();

  EXPECT_TRUE(has_line(text, "weir_network_encap_packets_total{network=\"net256\"} 1"));
  EXPECT_EQ(text.find("\"net257\""), text.npos);
  EXPECT_TRUE(has_line(text, "weir_network_encap_packets_total{network=\"(other)\"} 744"));
}

TEST_F(MetricsTest, tells_of_queues_of_those_ports_alone_that_have_some) {
  contract::QueueCounters& bulk = worker(0).queues[3 * contract::traffic_class_count + 5];
  bulk.marked_packets = 7;
  bulk.late_ns = 2'000'000'000;
  bulk.depth_packets_at[1] = 4;
  names_["queue.port"] = {{3, "spine3"}};
  names_["traffic_class"] = {{0, "0"}, {5, "5"}};

  const std::string text = write();

  EXPECT_TRUE(
      has_line(text, R"(weir_queue_marked_packets_total{port="spine3",traffic_class="5"} 7)"));
  EXPECT_TRUE(
      has_line(text, R"(weir_queue_marked_packets_total{port="spine3",traffic_class="0"} 0)"));
  EXPECT_TRUE(
      has_line(text, R"(weir_queue_late_seconds_total{port="spine3",traffic_class="5"} 2)"));
  EXPECT_TRUE(has_line(text,
                       "weir_queue_depth_packets_at_total{port=\"spine3\","
                       "traffic_class=\"5\",depth=\"2KiB\"} 4"));
  EXPECT_EQ(text.find(R"(traffic_class="1")"), text.npos);
  EXPECT_EQ(text.find(R"(weir_queue_tx_packets_total{port="wire0")"), text.npos);
}

TEST_F(MetricsTest, says_what_it_can_without_a_data_plane) {
  const std::string text = cp::write_metrics(nullptr, {}, {.version = "1.2.3"});

  EXPECT_TRUE(has_line(text, "weir_dataplane_connected 0"));
  EXPECT_TRUE(has_line(text, "weir_api_requests_refused_total 0"));
  EXPECT_TRUE(has_line(text, "weir_build_info{version=\"1.2.3\"} 1"));
}

// The package prometheus brings promtool; tools/packages lists it.
TEST_F(MetricsTest, is_clean_under_promtool) {
  worker(0).totals->drops[1] = 3;
  worker(0).stages[0].drops[1] = 3;
  worker(0).queues[0].depth_packets_at[1] = 4;
  names_["queue.port"] = {{0, "wire0"}};
  names_["traffic_class"] = {{0, "0"}};
  names_["network"] = {{1, "blue"}};
  worker(0).networks[1].ecn_decap[2][3] = 1;
  std::FILE* promtool = ::popen("promtool check metrics 2>&1", "w");
  ASSERT_NE(promtool, nullptr);

  const std::string text = write();
  std::fwrite(text.data(), 1, text.size(), promtool);

  EXPECT_EQ(::pclose(promtool), 0);
}

}  // namespace
