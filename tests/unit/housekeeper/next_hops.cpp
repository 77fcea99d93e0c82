// SPDX-License-Identifier: Apache-2.0
// Next hops: which records are refused, what VTEPs and words become of the others, and that links
// and MACs reach the words without a transaction.
#include "dataplane/housekeeper/next_hops.hpp"

#include "tests/unit/housekeeper/harness.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

namespace test {
namespace {

using base::Errc;
using contract::Verb;

constexpr base::MacAddress spine_mac{{2, 0, 0, 0, 0xff, 1}};
constexpr base::MacAddress moved_mac{{2, 0, 0, 0, 0xff, 9}};

contract::NextHopSet static_hop(std::uint16_t id, std::uint16_t port) {
  return {.next_hop = {id}, .port = {port}, .mac = spine_mac, .address = {}};
}

contract::NextHopSet resolved_hop(std::uint16_t id, std::uint16_t port,
                                  const std::string& address) {
  return {.next_hop = {id}, .port = {port}, .mac = {}, .address = *base::parse_ip(address)};
}

// A remote VTEP by one or two next hops.
contract::VtepSet vtep_by(std::uint16_t id, const std::string& address, std::uint16_t first,
                          std::uint16_t second = 0) {
  contract::VtepSet record = remote_vtep(id, address, 0, 1);
  record.port = base::no_port;
  record.next_hop_mac = {};
  record.next_hops = {base::NextHopId{first}, base::NextHopId{second}};
  return record;
}

class NextHopsTest : public HousekeeperTest {
 protected:
  NextHopsTest() : controller_(path()) {}

  // Ports 1 and 2 are underlay ports; 0 is a tenant's.
  void SetUp() override {
    ASSERT_TRUE(controller_.hello().ok());
    configure(controller_, 1);
    ASSERT_TRUE(controller_.begin(2).ok());
    ASSERT_TRUE(controller_.send(Verb::port_add, 2, port_add(2, "memory2")).ok());
    ASSERT_TRUE(
        controller_.send(Verb::port_set, 2, port_set(2, contract::PortRole::underlay)).ok());
    ASSERT_TRUE(controller_.commit(2).ok());
  }

  // One transaction of these next hops and VTEPs.
  Answer change(std::uint32_t transaction, const std::vector<contract::NextHopSet>& next_hops,
                const std::vector<contract::VtepSet>& vteps = {}) {
    EXPECT_TRUE(controller_.begin(transaction).ok());
    if (!next_hops.empty()) {
      EXPECT_TRUE(controller_.send(Verb::next_hop_set, transaction, next_hops).ok());
    }
    if (!vteps.empty()) {
      EXPECT_TRUE(controller_.send(Verb::vtep_set, transaction, vteps).ok());
    }
    return controller_.commit(transaction);
  }

  template <class Record>
  void refuses(Verb verb, const Record& record, Errc code) {
    const std::uint32_t transaction = next_transaction_++;
    ASSERT_TRUE(controller_.begin(transaction).ok());
    EXPECT_EQ(controller_.send(verb, transaction, record).code(), code);
    ASSERT_TRUE(controller_.abort(transaction).ok());
  }

  const dp::VtepRecord& vtep(std::uint32_t id) const {
    const dp::VtepRecord* record = tables_.vteps.find(id, epoch_.current());
    EXPECT_NE(record, nullptr);
    return *record;
  }
  dp::NextHopWord word(const dp::VtepPath& path) const {
    return tables_.next_hops.read(path.place);
  }

  static bool comes_true(const std::function<bool()>& predicate) {
    for (int i = 0; i < 1000 && !predicate(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return predicate();
  }

  Controller controller_;
  std::uint32_t next_transaction_ = 100;
};

TEST_F(NextHopsTest, records_that_make_no_sense_are_refused) {
  refuses(Verb::next_hop_set, static_hop(0, 1), Errc::invalid_argument);
  refuses(Verb::next_hop_set, static_hop(9, 1), Errc::invalid_argument);
  refuses(Verb::next_hop_set, static_hop(1, 7), Errc::not_found);
  auto record = static_hop(1, 1);
  record.address = *base::parse_ip("198.18.1.0");
  refuses(Verb::next_hop_set, record, Errc::invalid_argument);
  record = static_hop(1, 1);
  record.mac = {};
  refuses(Verb::next_hop_set, record, Errc::invalid_argument);
  record.mac = {{3, 0, 0, 0, 0, 1}};
  refuses(Verb::next_hop_set, record, Errc::invalid_argument);
  for (const char* address : {"::", "ff02::1", "224.0.0.1", "127.0.0.1"}) {
    refuses(Verb::next_hop_set, resolved_hop(1, 1, address), Errc::invalid_argument);
  }
  refuses(Verb::next_hop_remove, contract::NextHopRemove{{1}}, Errc::not_found);
  refuses(Verb::next_hop_remove, contract::NextHopRemove{{0}}, Errc::not_found);
}

TEST_F(NextHopsTest, vteps_name_next_hops_that_exist_and_nothing_else) {
  ASSERT_TRUE(change(3, {static_hop(1, 1)}).ok());
  refuses(Verb::vtep_set, vtep_by(3, "198.18.0.9", 2), Errc::not_found);
  refuses(Verb::vtep_set, vtep_by(3, "198.18.0.9", 1, 2), Errc::not_found);
  refuses(Verb::vtep_set, vtep_by(3, "198.18.0.9", 0, 1), Errc::invalid_argument);
  auto record = vtep_by(3, "198.18.0.9", 1);
  record.port = {1};
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  record = vtep_by(3, "198.18.0.9", 1);
  record.next_hop_mac = spine_mac;
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  record = vtep_by(3, "198.18.0.9", 1);
  record.kind = contract::VtepKind::local;
  refuses(Verb::vtep_set, record, Errc::invalid_argument);
  // Only a local one may stand at no port.
  record = vtep_by(3, "198.18.0.9", 0);
  refuses(Verb::vtep_set, record, Errc::not_found);
}

TEST_F(NextHopsTest, addresses_of_ports_are_those_of_hosts) {
  auto record = port_set(1, contract::PortRole::underlay);
  const auto own = [](const char* address, std::uint8_t length) {
    return contract::PortAddress{
        .address = *base::parse_ip(address), .prefix_length = length, .reserved = 0};
  };
  for (const auto& bad : {own("198.18.1.1", 33), own("198.18.1.1", 0), own("fd00::1", 129),
                          own("224.0.0.1", 24), own("::", 64)}) {
    record.addresses[0] = bad;
    refuses(Verb::port_set, record, Errc::invalid_argument);
  }
  record.addresses[0] = own("198.18.1.1", 31);
  record.addresses[1] = own("fe80::1", 64);
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 3, record).ok());
  EXPECT_TRUE(controller_.commit(3).ok());
}

TEST_F(NextHopsTest, of_a_vtep_become_its_paths) {
  ASSERT_TRUE(change(3, {static_hop(1, 1), resolved_hop(2, 2, "198.18.1.2")},
                     {vtep_by(3, "198.18.0.3", 1, 2), vtep_by(4, "198.18.0.4", 2)})
                  .ok());

  const dp::VtepRecord& both = vtep(3);
  EXPECT_EQ(both.first.port.value, 1);
  EXPECT_EQ(both.second.port.value, 2);
  EXPECT_EQ(both.first.frame_bytes_max, 1500 - 20 - 8 - 8);
  EXPECT_EQ(both.outer<dp::Ipv4Header>().ethernet.destination, spine_mac);
  EXPECT_TRUE(both.second_ethernet.destination.is_zero());
  EXPECT_EQ(both.second_ethernet.source, both.outer<dp::Ipv4Header>().ethernet.source);
  EXPECT_EQ(both.second_ethernet.type.host(), 0x0800);
  EXPECT_TRUE(word(both.first).usable());
  EXPECT_EQ(word(both.first).mac_bytes(), 0u) << "it is in the record";
  EXPECT_FALSE(word(both.second).usable());
  EXPECT_FALSE(word(both.second).link_down());
  const dp::VtepRecord& one = vtep(4);
  EXPECT_EQ(one.first.place, both.second.place);
  EXPECT_EQ(one.second.place, dp::never_usable);
  EXPECT_EQ(vtep(2).first.place, dp::always_usable) << "the short form asks no link";
}

TEST_F(NextHopsTest, are_usable_as_long_as_their_link_is_up) {
  ASSERT_TRUE(
      change(3, {static_hop(1, 1), static_hop(2, 2)}, {vtep_by(3, "198.18.0.3", 1, 2)}).ok());
  const dp::VtepRecord& both = vtep(3);
  const base::Generation before = epoch_.current();

  opener_.down = '1';
  EXPECT_TRUE(comes_true([&] { return !word(both.first).usable(); }));
  EXPECT_TRUE(word(both.first).link_down());
  EXPECT_TRUE(word(both.second).usable());
  opener_.down = 0;
  EXPECT_TRUE(comes_true([&] { return word(both.first).usable(); }));

  EXPECT_EQ(epoch_.current(), before) << "no transaction";
  EXPECT_TRUE(comes_true([&] { return shown(region_.next_hops()[1].usable) == 1; }));
  EXPECT_GE(shown(region_.next_hops()[1].changes), 3u);
  EXPECT_EQ(std::string_view(snapshot(region_.next_hops()[1]).mac.data()), "02:00:00:00:ff:01");
  EXPECT_EQ(shown(region_.global().next_hops_used), 2u);
  EXPECT_EQ(shown(region_.global().next_hops_capacity), 8u);
}

TEST_F(NextHopsTest, at_another_port_get_their_other_word) {
  ASSERT_TRUE(change(3, {static_hop(1, 1)}, {vtep_by(3, "198.18.0.3", 1)}).ok());
  const dp::NextHopPlace before = vtep(3).first.place;
  ASSERT_TRUE(tables_.next_hops.read(before).usable());

  ASSERT_TRUE(change(4, {static_hop(1, 2)}).ok());

  EXPECT_EQ(vtep(3).first.port.value, 2);
  EXPECT_EQ(vtep(3).first.place, before ^ 1);
  EXPECT_TRUE(word(vtep(3).first).usable());
  contract::NextHopSet other_mac = static_hop(1, 2);
  other_mac.mac = moved_mac;
  ASSERT_TRUE(change(5, {other_mac}).ok());
  EXPECT_EQ(vtep(3).first.place, before ^ 1) << "a static MAC is the record's";
  EXPECT_EQ(vtep(3).outer<dp::Ipv4Header>().ethernet.destination, moved_mac);
}

TEST_F(NextHopsTest, of_a_refused_transaction_leave_everything_as_it_was) {
  ASSERT_TRUE(change(3, {static_hop(1, 1)}, {vtep_by(3, "198.18.0.3", 1)}).ok());
  const dp::NextHopPlace before = vtep(3).first.place;

  EXPECT_EQ(change(4, {static_hop(1, 0)}).code(), Errc::invalid_argument) << "a tenant port";
  EXPECT_EQ(vtep(3).first.place, before);
  EXPECT_TRUE(word(vtep(3).first).usable());

  ASSERT_TRUE(controller_.begin(5).ok());
  ASSERT_TRUE(controller_.send(Verb::next_hop_remove, 5, contract::NextHopRemove{{1}}).ok());
  EXPECT_EQ(controller_.commit(5).code(), Errc::in_use) << "a VTEP names it";
  ASSERT_TRUE(controller_.begin(6).ok());
  ASSERT_TRUE(controller_.send(Verb::port_remove, 6, contract::PortRemove{{1}}).ok());
  EXPECT_FALSE(controller_.commit(6).ok());
  EXPECT_TRUE(word(vtep(3).first).usable());

  ASSERT_TRUE(controller_.begin(7).ok());
  ASSERT_TRUE(controller_.send(Verb::vtep_remove, 7, contract::VtepRemove{{3}}).ok());
  ASSERT_TRUE(controller_.send(Verb::next_hop_remove, 7, contract::NextHopRemove{{1}}).ok());
  EXPECT_TRUE(controller_.commit(7).ok());
  EXPECT_EQ(shown(region_.next_hops()[1].present), 0u);
}

TEST_F(NextHopsTest, that_are_not_set_again_go_with_a_replace_all) {
  ASSERT_TRUE(change(3, {static_hop(1, 1), static_hop(2, 2)}).ok());
  ASSERT_TRUE(controller_.begin(4, contract::replace_all).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 4, port_add(1, "memory1")).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 4, port_set(1, contract::PortRole::underlay)).ok());
  ASSERT_TRUE(controller_.send(Verb::next_hop_set, 4, static_hop(2, 1)).ok());
  const Answer answer = controller_.commit(4);
  ASSERT_TRUE(answer.ok()) << answer.text;

  EXPECT_EQ(shown(region_.global().next_hops_used), 1u);
  EXPECT_EQ(shown(region_.next_hops()[1].present), 0u);
  EXPECT_EQ(shown(region_.next_hops()[2].present), 1u);
}

// Without a housekeeper around: what whoever resolves addresses says reaches the words.
class Learned : public HousekeeperTest {
 protected:
  Learned()
      : model_(tables_), ports_(opener_, {}, epoch_, {}), hops_(tables_.next_hops, model_, ports_) {
    stop_housekeeper();
    model_.begin(epoch_.current() + 1, false);
    must(model_.set(port_add(1, "memory1")));
    must(model_.set(port_set(1, contract::PortRole::underlay)));
    must(model_.set(resolved_hop(1, 1, "198.18.1.0")));
    must(model_.set(resolved_hop(2, 1, "fe80::9")));
    ports_.plan(model_);
    for (auto more = ports_.prepare(); must(more); more = ports_.prepare()) ports_.turn();
    hops_.plan();
    ports_.finish();
    model_.keep();
    hops_.keep();
  }

  static void must(const base::Status& status) { ASSERT_TRUE(status) << status.error().text; }
  static bool must(const base::Result<bool>& result) { return result.value(); }
  dp::NextHopWord word(std::uint16_t id) const {
    return tables_.next_hops.read(hops_.place(base::NextHopId{id}));
  }

  dp::Model model_;
  dp::Ports ports_;
  dp::NextHops hops_;
};

TEST_F(Learned, macs_make_their_next_hops_usable) {
  EXPECT_FALSE(word(1).usable());

  hops_.learned(base::PortId{1}, *base::parse_ip("198.18.1.0"), spine_mac);

  EXPECT_EQ(word(1), dp::NextHopWord::make(true, true, spine_mac));
  EXPECT_FALSE(word(2).usable()) << "another address";
  hops_.learned(base::PortId{2}, *base::parse_ip("fe80::9"), spine_mac);
  EXPECT_FALSE(word(2).usable()) << "another link";
}

TEST_F(Learned, macs_that_move_or_go_are_followed) {
  const base::IpAddress address = *base::parse_ip("198.18.1.0");
  hops_.learned(base::PortId{1}, address, spine_mac);

  hops_.learned(base::PortId{1}, address, moved_mac);
  EXPECT_EQ(word(1), dp::NextHopWord::make(true, true, moved_mac));
  hops_.learned(base::PortId{1}, address, std::nullopt);
  EXPECT_EQ(word(1), dp::NextHopWord::make(false, true, moved_mac)) << "for batches under way";
  EXPECT_FALSE(hops_.entries()[1].resolved);
}

TEST_F(Learned, macs_are_kept_by_transactions_and_shared_by_next_hops_of_one_address) {
  hops_.learned(base::PortId{1}, *base::parse_ip("198.18.1.0"), spine_mac);
  const dp::NextHopPlace before = hops_.place(base::NextHopId{1});

  model_.begin(2, false);
  must(model_.set(resolved_hop(2, 1, "198.18.1.0")));
  hops_.plan();
  EXPECT_TRUE(word(2).usable()) << "it is the same neighbour";
  EXPECT_EQ(hops_.place(base::NextHopId{1}), before);
  EXPECT_FALSE(hops_.entries()[2].resolved) << "not yet in force";
  model_.restore();
  hops_.restore();
  EXPECT_FALSE(word(2).usable());
  EXPECT_TRUE(word(1).usable());
}

}  // namespace
}  // namespace test
