// SPDX-License-Identifier: Apache-2.0
// Where workers and memory are on machines of several sockets, which are made up here.
#include "dataplane/start/placement.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace {

using dp::no_socket;
using dp::Placement;
using dp::Sockets;

const Sockets two_sockets({{0, 1, 4, 5}, {2, 3, 6, 7}});

Placement place(const Sockets& sockets, std::uint16_t workers, std::vector<unsigned> cores) {
  return dp::place_workers(sockets, workers, cores);
}

TEST(Placement, workers_are_at_the_sockets_of_their_cores) {
  const Placement placement = place(two_sockets, 3, {5, 2, 7});

  ASSERT_EQ(placement.workers.size(), 3U);
  EXPECT_EQ(placement.workers[0].core, 5);
  EXPECT_EQ(placement.workers[0].socket, 0);
  EXPECT_EQ(placement.workers[1].socket, 1);
  EXPECT_EQ(placement.workers[2].socket, 1);
}

TEST(Placement, packets_are_at_home_where_most_workers_are) {
  EXPECT_EQ(place(two_sockets, 3, {5, 2, 7}).home, 1);
  EXPECT_EQ(place(two_sockets, 3, {5, 2, 4}).home, 0);
  // As many at either: the first.
  EXPECT_EQ(place(two_sockets, 2, {2, 0}).home, 0);
  EXPECT_EQ(place(two_sockets, 1, {6}).home, 1);
}

TEST(Placement, memory_is_spread_over_the_sockets_that_have_workers) {
  EXPECT_EQ(place(two_sockets, 2, {2, 0}).sockets, (std::vector{0, 1}));
  EXPECT_EQ(place(two_sockets, 2, {6, 7}).sockets, (std::vector{1}));
}

TEST(Placement, does_not_matter_where_there_is_one_socket_or_no_core_is_named) {
  const Placement one = place(Sockets({{0, 1}}), 2, {0, 1});
  EXPECT_EQ(one.home, no_socket);
  EXPECT_TRUE(one.sockets.empty());
  EXPECT_EQ(one.workers[1].core, 1);
  EXPECT_EQ(one.workers[1].socket, 0);

  const Placement unpinned = place(two_sockets, 2, {});
  EXPECT_EQ(unpinned.home, no_socket);
  ASSERT_EQ(unpinned.workers.size(), 2U);
  EXPECT_EQ(unpinned.workers[0].core, -1);
  EXPECT_EQ(unpinned.workers[0].socket, no_socket);
}

TEST(Placement, a_core_of_no_socket_is_nowhere) {
  EXPECT_EQ(two_sockets.of_core(8), no_socket);
  EXPECT_EQ(place(two_sockets, 1, {8}).home, no_socket);
  EXPECT_EQ(place(Sockets({}), 1, {0}).workers[0].socket, no_socket);
}

TEST(Placement, sockets_are_read_as_the_kernel_lists_them) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("nodes-" + std::to_string(getpid()));
  const auto write = [&folder](const std::string& node, const std::string& list) {
    std::filesystem::create_directories(folder / node);
    std::ofstream(folder / node / "cpulist") << list << "\n";
  };
  write("node0", "0-2,8");
  write("node2", "3");
  write("node1", "");  // Memory without cores.
  write("node_other", "4");

  const Sockets sockets = Sockets::read(folder);
  std::filesystem::remove_all(folder);

  EXPECT_EQ(sockets.count(), 3U);
  EXPECT_EQ(sockets.of_core(2), 0);
  EXPECT_EQ(sockets.of_core(8), 0);
  EXPECT_EQ(sockets.of_core(3), 2);
  EXPECT_EQ(sockets.of_core(4), no_socket);
  EXPECT_EQ(Sockets::read(folder).count(), 0U);
}

TEST(Placement, says_whether_the_kernel_takes_a_preference_and_its_end) {
  // An emulator of programs does not.
  const bool takes = ::syscall(SYS_set_mempolicy, 0, nullptr, 0) == 0;

  // Socket 0 is everywhere.
  EXPECT_EQ(dp::prefer_sockets(std::array{0}), takes);
  EXPECT_EQ(dp::prefer_sockets({}), takes);
}

}  // namespace
