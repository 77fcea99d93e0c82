// SPDX-License-Identifier: Apache-2.0
// VLANs as the housekeeper makes them of the contract's records: what workers read, and what is
// published.
#include "tests/unit/housekeeper/harness.hpp"

#include <rte_mbuf.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

namespace test {
namespace {

using contract::PortRole;

contract::PortSet vlan_set(std::uint16_t id, std::uint16_t network, std::uint16_t vlan,
                           std::uint16_t inner_vlan = 0) {
  auto set = port_set(id, PortRole::tenant, network);
  set.parent = 1;  // Port 0.
  set.vlan = vlan;
  set.inner_vlan = inner_vlan;
  return set;
}

class Vlans : public HousekeeperTest {
 protected:
  Vlans() : controller_(path()) {
    EXPECT_TRUE(controller_.hello().ok());
    configure(controller_, 1);
  }

  // Networks 2 and 3; port 2: VLAN 100 in network 2, port 3: 100 and 7 within in network 3.
  void add_vlans(std::uint32_t transaction) {
    ASSERT_TRUE(controller_.begin(transaction).ok());
    ASSERT_TRUE(
        controller_.send(Verb::port_add, transaction, std::vector{port_add(2, ""), port_add(3, "")})
            .ok());
    ASSERT_TRUE(
        controller_
            .send(Verb::network_set, transaction, std::vector{network(2, 200), network(3, 300)})
            .ok());
    ASSERT_TRUE(controller_
                    .send(Verb::port_set, transaction,
                          std::vector{vlan_set(2, 2, 100), vlan_set(3, 3, 100, 7)})
                    .ok());
    const Answer answer = controller_.commit(transaction);
    ASSERT_TRUE(answer.ok()) << answer.text;
  }
  std::uint32_t port_of(std::uint16_t vlan, std::uint16_t inner, base::Generation generation) {
    return tables_.port_by_vlan.lookup(dp::vlan_key(base::PortId{0}, vlan, inner), generation);
  }

  Controller controller_;
};

TEST_F(Vlans, are_ports_without_a_device) {
  add_vlans(2);

  const dp::PortRecord* parent = tables_.ports.find(0, 2);
  const dp::PortRecord* one = tables_.ports.find(2, 2);
  const dp::PortRecord* two = tables_.ports.find(3, 2);
  ASSERT_TRUE(parent != nullptr && one != nullptr && two != nullptr);
  EXPECT_EQ(parent->maps_vlans, 1);
  EXPECT_EQ(parent->network, base::no_network);
  EXPECT_EQ(parent->untagged_network.value, 1);
  EXPECT_EQ(one->network.value, 2);
  EXPECT_EQ(one->vlan, 100);
  EXPECT_EQ(one->inner_vlan, 0);
  EXPECT_EQ(one->parent.value, 0);
  EXPECT_EQ(one->maps_vlans, 0);
  EXPECT_EQ(two->inner_vlan, 7);
  // With its tags, the largest frame is the parent's.
  EXPECT_EQ(one->frame_bytes_max() + 4, parent->frame_bytes_max());
  EXPECT_EQ(two->frame_bytes_max() + 8, parent->frame_bytes_max());
  for (std::uint32_t port = 0; port < 4; ++port) {
    EXPECT_EQ(tables_.ports.find(port, 2)->tagging_ports, 0b1101U);
  }
  EXPECT_EQ(port_of(100, 0, 2), 2U);
  EXPECT_EQ(port_of(100, 7, 2), 3U);
  EXPECT_EQ(port_of(7, 0, 2), dp::no_value);
  EXPECT_EQ(tables_.networks.find(1, 2)->local_ports, 1U);
  EXPECT_EQ(tables_.networks.find(2, 2)->local_ports, 4U);
  EXPECT_EQ(opener_.opened - opener_.closed, 2) << "no device more than before";
}

TEST_F(Vlans, go_with_all_that_they_changed) {
  add_vlans(2);
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_
                  .send(Verb::port_remove, 3,
                        std::vector{contract::PortRemove{{2}}, contract::PortRemove{{3}}})
                  .ok());
  const Answer answer = controller_.commit(3);

  ASSERT_TRUE(answer.ok()) << answer.text;
  const dp::PortRecord* parent = tables_.ports.find(0, 3);
  ASSERT_NE(parent, nullptr);
  EXPECT_EQ(parent->maps_vlans, 0);
  EXPECT_EQ(parent->tagging_ports, 0U);
  EXPECT_EQ(parent->network.value, 1);
  EXPECT_EQ(tables_.ports.find(2, 3), nullptr);
  EXPECT_EQ(port_of(100, 0, 3), dp::no_value);
  EXPECT_EQ(port_of(100, 7, 3), dp::no_value);
}

TEST_F(Vlans, stay_as_they_were_where_a_commit_is_refused) {
  add_vlans(2);
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 3, vlan_set(2, 2, 101)).ok());
  ASSERT_TRUE(controller_.send(Verb::port_remove, 3, contract::PortRemove{{0}}).ok());

  EXPECT_EQ(controller_.commit(3).code(), base::Errc::in_use) << "their parent went";

  ASSERT_TRUE(controller_.begin(4).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 4, vlan_set(2, 2, 102)).ok());
  ASSERT_TRUE(controller_.commit(4).ok());
  EXPECT_EQ(port_of(100, 0, 3), dp::no_value);
  EXPECT_EQ(port_of(101, 0, 3), dp::no_value);
  EXPECT_EQ(port_of(102, 0, 3), 2U);
  EXPECT_EQ(port_of(100, 7, 3), 3U);
}

TEST_F(Vlans, have_no_larger_mtu_than_their_parent) {
  add_vlans(2);
  auto wide = vlan_set(2, 2, 100);
  wide.mtu = 4000;
  auto narrow = vlan_set(3, 3, 100, 7);
  narrow.mtu = 1400;
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 3, std::vector{wide, narrow}).ok());
  ASSERT_TRUE(controller_.commit(3).ok());

  EXPECT_EQ(tables_.ports.find(2, 3)->mtu, 1500 - 4);
  EXPECT_EQ(tables_.ports.find(3, 3)->mtu, 1400 - 8);
}

TEST_F(Vlans, an_underlay_port_has_one) {
  auto set = port_set(1, PortRole::underlay);
  set.vlan = 300;
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 2, set).ok());
  ASSERT_TRUE(controller_.commit(2).ok());

  const dp::PortRecord* port = tables_.ports.find(1, 2);
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->vlan, 300);
  EXPECT_EQ(port->parent, base::no_port);
  EXPECT_EQ(port->mtu, 1500) << "the MTU counts the IP packet";
  EXPECT_EQ(tables_.ports.find(0, 2)->tagging_ports, 0b10U) << "tenants' frames leave there";
  EXPECT_EQ(tables_.vteps.find(2, 2)->first.frame_bytes_max, 1500 - 36);
}

// Workers of this test have no pipelines and take nothing from the ring.
class VlansOfNeighbours : public Vlans {
 protected:
  // What stands between the MACs and the payload of an ARP frame that the housekeeper wants sent.
  std::string next_type() {
    std::string type;
    EXPECT_TRUE(comes_true([&] {
      if (!type.empty()) return true;
      const dp::FrameRing::Frame frame = frame_rings_[0]->from_housekeeper.pop();
      if (!frame.mbuf) return false;
      EXPECT_EQ(frame.port.value, 1);
      const char* bytes = rte_pktmbuf_mtod(frame.mbuf.get(), const char*);
      type = std::string(bytes + 12, frame.mbuf->pkt_len - 60U + 2);
      return true;
    }));
    return type;
  }
  void drain() {
    while (frame_rings_[0]->from_housekeeper.pop().mbuf) {
    }
  }
  // 198.18.0.9 answers with 02:00:00:00:ff:09; as workers hand it on, without a tag.
  void answer() {
    static constexpr std::uint8_t reply[] = {
        2, 0, 0, 0, 0, 0x77, 2, 0,   0,  0, 0xff, 9, 8, 6, 0, 1, 8,    0,   6,  4, 0,
        2, 2, 0, 0, 0, 0xff, 9, 198, 18, 0, 9,    2, 0, 0, 0, 0, 0x77, 198, 18, 0, 1};
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_.get());
    ASSERT_NE(mbuf, nullptr);
    std::memcpy(rte_pktmbuf_append(mbuf, sizeof reply), reply, sizeof reply);
    ASSERT_TRUE(frame_rings_[0]->to_housekeeper.push(mbuf, base::PortId{1}));
  }
  void set_vlan(std::uint32_t transaction, std::uint16_t vlan) {
    auto set = port_set(1, PortRole::underlay);
    set.vlan = vlan;
    ASSERT_TRUE(controller_.begin(transaction).ok());
    ASSERT_TRUE(controller_.send(Verb::port_set, transaction, set).ok());
    ASSERT_TRUE(controller_.commit(transaction).ok());
  }
  static bool comes_true(const std::function<bool()>& predicate) {
    for (int i = 0; i < 1000 && !predicate(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return predicate();
  }
};

TEST_F(VlansOfNeighbours, what_is_sent_has_the_tag_of_its_port) {
  EXPECT_EQ(next_type(), std::string("\x08\x06", 2));
  set_vlan(2, 300);
  drain();
  EXPECT_EQ(next_type(), std::string("\x81\x00\x01\x2c\x08\x06", 6));
  set_vlan(3, 0);
  drain();
  EXPECT_EQ(next_type(), std::string("\x08\x06", 2));
}

TEST_F(VlansOfNeighbours, what_was_found_out_on_one_vlan_is_forgotten_on_another) {
  ASSERT_TRUE(controller_.begin(2).ok());
  const contract::NextHopSet hop{
      .next_hop = {1}, .port = {1}, .mac = {}, .address = *base::parse_ip("198.18.0.9")};
  ASSERT_TRUE(controller_.send(Verb::next_hop_set, 2, hop).ok());
  ASSERT_TRUE(controller_.commit(2).ok());
  const auto usable = [this] {
    return tables_.next_hops.read(dp::NextHopWords::place_of(base::NextHopId{1}, 1)).usable();
  };
  const auto answered = [&] {
    answer();
    return usable();
  };
  ASSERT_TRUE(comes_true(answered));

  set_vlan(3, 300);

  EXPECT_TRUE(comes_true([&] { return !usable(); }));
  EXPECT_TRUE(comes_true(answered));
  set_vlan(4, 300);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(usable()) << "nothing changed";
}

}  // namespace
}  // namespace test
