// SPDX-License-Identifier: Apache-2.0
// Whose neighbours a port's are, and what the counter region tells of them.
#include "tests/unit/housekeeper/harness.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string_view>
#include <thread>

namespace test {
namespace {

using base::Errc;
using contract::NeighbourKeeper;
using contract::Verb;

class NeighboursTest : public HousekeeperTest {
 protected:
  NeighboursTest() : controller_(path()) {}
  void SetUp() override { ASSERT_TRUE(controller_.hello().ok()); }

  // One transaction: an underlay port of that device and keeper.
  Answer add_port(std::uint32_t transaction, std::uint16_t id, const std::string& device,
                  NeighbourKeeper keeper) {
    EXPECT_TRUE(controller_.begin(transaction).ok());
    EXPECT_TRUE(controller_.send(Verb::port_add, transaction, port_add(id, device)).ok());
    contract::PortSet record = port_set(id, contract::PortRole::underlay);
    record.neighbours = keeper;
    EXPECT_TRUE(controller_.send(Verb::port_set, transaction, record).ok());
    return controller_.commit(transaction);
  }
  // What is shown of an address now; nothing where it has no place.
  std::optional<contract::NeighbourState> state_of(std::string_view address) const {
    for (const contract::NeighbourState& place : region_.neighbours()) {
      const contract::NeighbourState state = snapshot(place);
      if (std::string_view(state.address.data()) == address) return state;
    }
    return std::nullopt;
  }
  static bool comes_true(const std::function<bool()>& predicate) {
    for (int i = 0; i < 1000 && !predicate(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return predicate();
  }

  Controller controller_;
};

TEST_F(NeighboursTest, are_the_kernels_only_where_it_has_the_interface) {
  const Answer refused = add_port(1, 2, "memory2", NeighbourKeeper::kernel);
  EXPECT_EQ(refused.code(), Errc::unsupported);
  EXPECT_NE(refused.text.find("neighbours: kernel needs a device whose interface the kernel has"),
            std::string::npos)
      << refused.text;
  EXPECT_TRUE(add_port(2, 2, "shared2", NeighbourKeeper::kernel).ok());
  EXPECT_TRUE(add_port(3, 3, "memory3", NeighbourKeeper::weir).ok());

  contract::PortSet record = port_set(3, contract::PortRole::underlay);
  record.neighbours = NeighbourKeeper::kernel;
  ASSERT_TRUE(controller_.begin(4).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 4, record).ok());
  EXPECT_EQ(controller_.commit(4).code(), Errc::unsupported) << "of an open device";
  record.neighbours = NeighbourKeeper{3};
  ASSERT_TRUE(controller_.begin(5).ok());
  EXPECT_EQ(controller_.send(Verb::port_set, 5, record).code(), Errc::invalid_argument);
}

TEST_F(NeighboursTest, are_told_as_long_as_they_are_configured) {
  configure(controller_, 1);
  EXPECT_TRUE(comes_true([&] {
    const auto state = state_of("198.18.0.1");
    return state.has_value() && std::string_view(state->state.data()) == "usable";
  }));
  const contract::NeighbourState vtep = *state_of("198.18.0.1");
  EXPECT_EQ(vtep.own, 1U);
  EXPECT_EQ(vtep.usable, 1U);
  EXPECT_EQ(std::string_view(vtep.port.data()), "port1");
  EXPECT_EQ(std::string_view(vtep.mac.data()), "02:00:00:00:00:77");
  EXPECT_GT(vtep.since_ns, 0U);

  ASSERT_TRUE(controller_.begin(2).ok());
  const contract::NextHopSet hop{
      .next_hop = {1}, .port = {1}, .mac = {}, .address = *base::parse_ip("198.18.0.9")};
  ASSERT_TRUE(controller_.send(Verb::next_hop_set, 2, hop).ok());
  ASSERT_TRUE(controller_.commit(2).ok());
  EXPECT_TRUE(comes_true([&] { return state_of("198.18.0.9").has_value(); }));
  EXPECT_EQ(std::string_view(state_of("198.18.0.9")->state.data()), "incomplete");
  EXPECT_EQ(state_of("198.18.0.9")->own, 0U);

  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::next_hop_remove, 3, contract::NextHopRemove{{1}}).ok());
  ASSERT_TRUE(controller_.commit(3).ok());
  EXPECT_TRUE(comes_true([&] { return !state_of("198.18.0.9"); }));
  EXPECT_TRUE(state_of("198.18.0.1"));
}

TEST_F(NeighboursTest, of_the_kernel_are_not_answered_for) {
  configure(controller_, 1);
  EXPECT_TRUE(comes_true([&] { return state_of("198.18.0.1").has_value(); }));
  ASSERT_TRUE(add_port(2, 2, "shared2", NeighbourKeeper::kernel).ok());
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::vtep_set, 3, local_vtep(5, "198.18.0.5", 2)).ok());
  ASSERT_TRUE(controller_.commit(3).ok());
  ASSERT_TRUE(controller_.begin(4).ok());
  ASSERT_TRUE(controller_.send(Verb::vtep_set, 4, local_vtep(6, "198.18.0.6", 1)).ok());
  ASSERT_TRUE(controller_.commit(4).ok());

  EXPECT_TRUE(comes_true([&] { return state_of("198.18.0.6").has_value(); }));
  EXPECT_FALSE(state_of("198.18.0.5"));
}

TEST_F(NeighboursTest, beyond_the_room_for_them_are_counted) {
  configure(controller_, 1);
  ASSERT_TRUE(controller_.begin(2).ok());
  std::vector<contract::VtepSet> many;
  for (std::uint16_t id = 10; id < 40; ++id) {
    many.push_back(local_vtep(id, "198.18.1." + std::to_string(id), 1));
  }
  ASSERT_TRUE(controller_.send(Verb::vtep_set, 2, many).ok());
  ASSERT_TRUE(controller_.commit(2).ok());

  // One VTEP more stands there already, and 24 have room.
  EXPECT_TRUE(comes_true([&] { return shown(region_.global().neighbours_unlisted) == 31 - 24; }));
}

}  // namespace
}  // namespace test
