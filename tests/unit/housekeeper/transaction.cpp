// SPDX-License-Identifier: Apache-2.0
// All or nothing: commits, aborts, replace_all, controllers that vanish, and how long a turn takes.
#include "tests/unit/housekeeper/harness.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <unistd.h>

namespace test {
namespace {

using base::Errc;
using contract::EndpointPlace;
using contract::PortRole;

class Transactions : public HousekeeperTest {
 protected:
  explicit Transactions(const HousekeeperOptions& options = {})
      : HousekeeperTest(options), controller_(path()) {
    EXPECT_TRUE(controller_.hello().ok());
  }
  std::uint32_t endpoint_value(std::uint64_t mac) const {
    const auto record = endpoint(1, mac, EndpointPlace::port, 0);
    return tables_.endpoints.lookup(dp::endpoint_key(record.network, record.mac), epoch_.current());
  }
  int open_devices() const {
    return opener_.opened.load(std::memory_order_relaxed) -
           opener_.closed.load(std::memory_order_relaxed);
  }
  // Removed ports are closed after the commit was answered.
  void expect_open(int devices) const {
    for (int i = 0; i < 1000 && open_devices() != devices; ++i) ::usleep(1000);
    EXPECT_EQ(open_devices(), devices);
  }

  Controller controller_;
};

TEST_F(Transactions, commit_puts_everything_in_force_at_once) {
  configure(controller_, 1);

  const base::Generation now = epoch_.current();
  EXPECT_EQ(now, 1U);
  const dp::PortRecord* port = tables_.ports.find(0, now);
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->role, PortRole::tenant);
  EXPECT_EQ(port->network.value, 1);
  EXPECT_EQ(port->mtu, 1500);
  const dp::NetworkRecord* network_record = tables_.networks.find(1, now);
  ASSERT_NE(network_record, nullptr);
  EXPECT_EQ(network_record->local_ports, 1U);
  EXPECT_EQ(network_record->flood_vteps[0].value, 2);
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(100), now), 1U);
  const dp::VtepRecord* remote = tables_.vteps.find(2, now);
  ASSERT_NE(remote, nullptr);
  EXPECT_EQ(remote->outer<dp::Ipv4Header>().ip.source, base::parse_ip("198.18.0.1")->v4());
  EXPECT_EQ(remote->outer<dp::Ipv4Header>().ip.ttl, 64);
  EXPECT_EQ(remote->outer<dp::Ipv4Header>().ethernet.source, port->mac)
      << "all memory ports have the same";
  EXPECT_EQ(remote->form, dp::OuterForm::ipv4);
  EXPECT_EQ(remote->first.frame_bytes_max, 1500 - 20 - 8 - 8);
}

TEST_F(Transactions, an_ipv6_vtep_stands_beside_those_of_ipv4) {
  configure(controller_, 1);
  auto summed = remote_vtep(4, "fd00::2", 1, 3);
  summed.udp_checksum = contract::UdpChecksum::full;
  summed.ttl = 7;
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(
      controller_.send(Verb::vtep_set, 2, std::vector{local_vtep(3, "fd00::1", 1), summed}).ok());
  const Answer answer = controller_.commit(2);

  ASSERT_TRUE(answer.ok()) << answer.text;
  const dp::VtepRecord* local = tables_.vteps.find(3, 2);
  const dp::VtepRecord* remote = tables_.vteps.find(4, 2);
  ASSERT_TRUE(local != nullptr && remote != nullptr);
  EXPECT_EQ(local->form, dp::OuterForm::none);
  EXPECT_EQ(local->address, *base::parse_ip("fd00::1"));
  EXPECT_EQ(remote->form, dp::OuterForm::ipv6_summed);
  EXPECT_EQ(remote->address, *base::parse_ip("fd00::2"));
  EXPECT_EQ(remote->first.frame_bytes_max, 1500 - 40 - 8 - 8);
  const auto& outer = remote->outer<dp::Ipv6Header>();
  EXPECT_EQ(outer.ethernet.type.host(), 0x86dd);
  EXPECT_EQ(outer.ip.version(), 6u);
  EXPECT_EQ(outer.ip.hop_limit, 7);
  EXPECT_EQ(outer.ip.source, local->address.v6);
  EXPECT_EQ(outer.ip.destination, remote->address.v6);
  EXPECT_EQ(outer.udp.destination.host(), 4789);
  EXPECT_EQ(tables_.vtep_by_address.lookup(tables_.vtep_key(remote->address), 2), 4U);
  EXPECT_EQ(tables_.vtep_by_address.lookup(tables_.vtep_key(*base::parse_ip("198.18.0.2")), 2), 2U);
  EXPECT_EQ(answer.commit.digests.vteps,
            contract::record_digest(local_vtep(1, "198.18.0.1", 1)) +
                contract::record_digest(remote_vtep(2, "198.18.0.2", 1, 1)) +
                contract::record_digest(local_vtep(3, "fd00::1", 1)) +
                contract::record_digest(summed));
}

TEST_F(Transactions, digests_are_those_of_the_records) {
  configure(controller_, 1);
  const auto answer = controller_.hello();

  contract::Digests expected{};
  expected.ports = contract::record_digest(port_add(0, "memory0")) +
                   contract::record_digest(port_add(1, "memory1")) +
                   contract::record_digest(port_set(0, PortRole::tenant, 1)) +
                   contract::record_digest(port_set(1, PortRole::underlay));
  expected.networks = contract::record_digest(network(1, 100, {2}));
  expected.vteps = contract::record_digest(local_vtep(1, "198.18.0.1", 1)) +
                   contract::record_digest(remote_vtep(2, "198.18.0.2", 1, 1));
  EXPECT_EQ(answer.hello.digests, expected);
}

TEST_F(Transactions, change_and_removal_bring_digests_back) {
  configure(controller_, 1);
  const auto before = controller_.hello().hello.digests;

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoint(1, 5, EndpointPlace::vtep, 2)).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoint(1, 5, EndpointPlace::port, 0)).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(1, 101)).ok());
  const Answer changed = controller_.commit(2);
  ASSERT_TRUE(changed.ok()) << changed.text;
  EXPECT_EQ(changed.commit.digests.endpoints,
            contract::record_digest(endpoint(1, 5, EndpointPlace::port, 0)));
  EXPECT_EQ(endpoint_value(5), 0U);
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(100), 2), dp::no_value);

  ASSERT_TRUE(controller_.begin(3).ok());
  const auto gone = endpoint(1, 5, EndpointPlace::port, 0);
  ASSERT_TRUE(
      controller_.send(Verb::endpoint_remove, 3, contract::EndpointRemove{gone.network, gone.mac})
          .ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 3, network(1, 100, {2})).ok());
  const Answer back = controller_.commit(3);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back.commit.digests, before);
}

TEST_F(Transactions, networks_and_vteps_can_swap_what_is_unique) {
  configure(controller_, 1);
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(2, 200)).ok());
  ASSERT_TRUE(controller_.send(Verb::vtep_set, 2, remote_vtep(3, "198.18.0.3", 1, 1)).ok());
  ASSERT_TRUE(controller_.commit(2).ok());

  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(
      controller_.send(Verb::network_set, 3, std::vector{network(1, 200), network(2, 100)}).ok());
  ASSERT_TRUE(
      controller_
          .send(Verb::vtep_set, 3,
                std::vector{remote_vtep(2, "198.18.0.3", 1, 1), remote_vtep(3, "198.18.0.2", 1, 1)})
          .ok());
  const Answer answer = controller_.commit(3);

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(100), 3), 2U);
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(200), 3), 1U);
  EXPECT_EQ(tables_.vtep_by_address.lookup(tables_.vtep_key(*base::parse_ip("198.18.0.2")), 3), 3U);
}

TEST_F(Transactions, abort_leaves_everything_as_it_was) {
  configure(controller_, 1);
  const auto before = controller_.hello().hello.digests;

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(2, 200)).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(1, 300)).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoint(2, 5, EndpointPlace::vtep, 2)).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 2, port_add(9, "memory9")).ok());
  ASSERT_TRUE(controller_.abort(2).ok());

  EXPECT_EQ(controller_.hello().hello.digests, before);
  EXPECT_EQ(tables_.network_by_vni.find_staged(dp::vni_key(200)), dp::no_value);
  EXPECT_EQ(tables_.network_by_vni.find_staged(dp::vni_key(100)), 1U);
  EXPECT_EQ(tables_.endpoints.size(), 0U);
  EXPECT_EQ(open_devices(), 2);
  ASSERT_TRUE(controller_.begin(3).ok());
  EXPECT_TRUE(controller_.commit(3).ok());
}

TEST_F(Transactions, state_that_does_not_fit_is_refused) {
  EXPECT_EQ(controller_.commit(1).code(), Errc::wrong_state);
  EXPECT_EQ(controller_.send(Verb::network_set, 1, network(1, 1)).code(), Errc::wrong_state);
  EXPECT_TRUE(controller_.abort(1).ok()) << "nothing to abort is no mistake";
  EXPECT_EQ(controller_.begin(0).code(), Errc::invalid_argument);
  ASSERT_TRUE(controller_.begin(1).ok());
  EXPECT_EQ(controller_.begin(2).code(), Errc::wrong_state);
  EXPECT_EQ(controller_.send(Verb::network_set, 2, network(1, 1)).code(), Errc::wrong_state);
  EXPECT_EQ(controller_.commit(2).code(), Errc::wrong_state);
  EXPECT_TRUE(controller_.send(Verb::network_set, 1, network(1, 1)).ok());
  EXPECT_TRUE(controller_.commit(1).ok());
}

TEST_F(Transactions, failing_port_refuses_the_whole_commit) {
  configure(controller_, 1);
  const auto before = controller_.hello().hello.digests;

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(
      controller_.send(Verb::port_add, 2, std::vector{port_add(5, "slow5"), port_add(6, "fail6")})
          .ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(2, 200)).ok());
  const Answer answer = controller_.commit(2);

  EXPECT_EQ(answer.code(), Errc::device_failed);
  EXPECT_EQ(answer.commit.error_number, ENODEV);
  EXPECT_EQ(answer.commit.refused_port, 6 + 1);
  EXPECT_EQ(answer.commit.digests, before);
  expect_open(2);
  EXPECT_EQ(tables_.networks.staged(2), nullptr);
  EXPECT_EQ(tables_.ports.staged(5), nullptr);
}

TEST_F(Transactions, removed_port_is_closed_and_its_number_and_device_are_free) {
  configure(controller_, 1);

  for (std::uint32_t round = 2; round < 12; round += 2) {
    ASSERT_TRUE(controller_.begin(round).ok());
    ASSERT_TRUE(controller_.send(Verb::port_remove, round, contract::PortRemove{{0}}).ok());
    ASSERT_TRUE(controller_.commit(round).ok());
    ASSERT_TRUE(controller_.begin(round + 1).ok());
    ASSERT_TRUE(controller_.send(Verb::port_add, round + 1, port_add(0, "memory0")).ok());
    ASSERT_TRUE(controller_.commit(round + 1).ok());
    EXPECT_EQ(open_devices(), 2);
  }
}

TEST_F(Transactions, device_can_go_to_another_port_in_one_transaction) {
  configure(controller_, 1);

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::port_remove, 2, contract::PortRemove{{0}}).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 2, port_add(7, "memory0")).ok());
  const Answer answer = controller_.commit(2);

  ASSERT_TRUE(answer.ok()) << answer.text;
  expect_open(2);
  EXPECT_EQ(tables_.ports.find(0, 2), nullptr);
  EXPECT_NE(tables_.ports.find(7, 2), nullptr);
}

TEST_F(Transactions, port_that_cannot_be_opened_anew_comes_back_as_it_was) {
  configure(controller_, 1);
  const auto before = controller_.hello().hello.digests;

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::port_remove, 2, contract::PortRemove{{0}}).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 2, port_add(0, "fail0")).ok());
  const Answer answer = controller_.commit(2);

  EXPECT_EQ(answer.code(), Errc::device_failed);
  EXPECT_EQ(answer.commit.digests, before);
  expect_open(2);
  EXPECT_EQ(opener_.opened.load(std::memory_order_relaxed), 3) << "memory0 was opened again";
}

TEST_F(Transactions, what_may_not_be_opened_refuses_before_anything_is_closed) {
  ASSERT_TRUE(controller_.begin(1).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 1, port_add(0, "early0")).ok());
  ASSERT_TRUE(controller_.commit(1).ok()) << "rights are still there";
  EXPECT_EQ(opener_.given_up.load(std::memory_order_relaxed), 1);

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::port_remove, 2, contract::PortRemove{base::PortId{0}}).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 2, port_add(1, "early0")).ok());
  const Answer answer = controller_.commit(2);
  EXPECT_EQ(answer.code(), Errc::unsupported);
  EXPECT_EQ(answer.text, "too late for this device");
  EXPECT_EQ(answer.commit.refused_port, 1 + 1);
  EXPECT_EQ(opener_.opened.load(std::memory_order_relaxed), 1);
  EXPECT_EQ(opener_.closed.load(std::memory_order_relaxed), 0) << "early0 was closed for nothing";

  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 3, port_add(2, "memory2")).ok());
  EXPECT_TRUE(controller_.commit(3).ok());
  expect_open(2);
}

TEST_F(Transactions, mtu_follows_port_set_and_a_device_may_refuse_it) {
  configure(controller_, 1);
  auto record = port_set(1, PortRole::underlay);
  record.mtu = 4200;
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 2, record).ok());
  ASSERT_TRUE(controller_.commit(2).ok());
  EXPECT_EQ(tables_.ports.find(1, 2)->mtu, 4200);
  EXPECT_EQ(tables_.vteps.find(2, 2)->first.frame_bytes_max, 4200 - 36)
      << "towards the VTEP behind it";

  record.mtu = 9001;
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 3, record).ok());
  const Answer answer = controller_.commit(3);
  EXPECT_EQ(answer.code(), Errc::device_failed);
  EXPECT_EQ(answer.commit.refused_port, 1 + 1);
  EXPECT_EQ(tables_.ports.find(1, 2)->mtu, 4200);

  ASSERT_TRUE(controller_.begin(4).ok());
  EXPECT_EQ(controller_.commit(4).commit.refused_port, 0) << "this one was not refused";
}

TEST_F(Transactions, replace_all_removes_what_is_not_set_again) {
  configure(controller_, 1);
  ASSERT_TRUE(controller_.begin(2).ok());
  std::vector<contract::EndpointSet> endpoints;
  for (std::uint64_t mac = 0; mac < 500; ++mac) {
    endpoints.push_back(endpoint(1, mac, EndpointPlace::vtep, 2));
  }
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoints).ok());
  ASSERT_TRUE(controller_.commit(2).ok());

  // The same VNI and address under other numbers, one port and one endpoint less.
  ASSERT_TRUE(controller_.begin(3, contract::replace_all).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 3, port_add(1, "memory1")).ok());
  ASSERT_TRUE(controller_.send(Verb::port_set, 3, port_set(1, PortRole::underlay)).ok());
  ASSERT_TRUE(
      controller_
          .send(Verb::vtep_set, 3,
                std::vector{local_vtep(5, "198.18.0.1", 1), remote_vtep(6, "198.18.0.2", 1, 5)})
          .ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 3, network(4, 100, {6})).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 3, endpoint(4, 1, EndpointPlace::vtep, 6)).ok());
  const Answer answer = controller_.commit(3);

  ASSERT_TRUE(answer.ok()) << answer.text;
  expect_open(1);
  EXPECT_EQ(opener_.opened.load(std::memory_order_relaxed), 2) << "memory1 stayed open";
  EXPECT_EQ(tables_.endpoints.size(), 1U);
  EXPECT_EQ(tables_.networks.size(), 1U);
  EXPECT_EQ(tables_.vteps.size(), 2U);
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(100), 3), 4U);
  contract::Digests expected{};
  expected.ports = contract::record_digest(port_add(1, "memory1")) +
                   contract::record_digest(port_set(1, PortRole::underlay));
  expected.networks = contract::record_digest(network(4, 100, {6}));
  expected.vteps = contract::record_digest(local_vtep(5, "198.18.0.1", 1)) +
                   contract::record_digest(remote_vtep(6, "198.18.0.2", 1, 5));
  expected.endpoints = contract::record_digest(endpoint(4, 1, EndpointPlace::vtep, 6));
  EXPECT_EQ(answer.commit.digests, expected);

  ASSERT_TRUE(controller_.begin(4, contract::replace_all).ok());
  const Answer nothing = controller_.commit(4);
  ASSERT_TRUE(nothing.ok()) << nothing.text;
  EXPECT_EQ(nothing.commit.digests, contract::Digests{});
  expect_open(0);
}

TEST_F(Transactions, replaces_the_named_tables_alone) {
  configure(controller_, 1);
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoint(1, 1, EndpointPlace::vtep, 2)).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(2, 200)).ok());
  const contract::Digests before = controller_.commit(2).commit.digests;

  // Another VNI for one network, the other goes; ports, VTEPs and endpoints are not told again.
  ASSERT_TRUE(controller_.begin(3, static_cast<std::uint32_t>(contract::Table::networks)).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 3, network(1, 101, {2})).ok());
  const Answer answer = controller_.commit(3);

  ASSERT_TRUE(answer.ok()) << answer.text;
  contract::Digests expected = before;
  expected.networks = contract::record_digest(network(1, 101, {2}));
  EXPECT_EQ(answer.commit.digests, expected);
  expect_open(2);
  EXPECT_EQ(opener_.opened.load(std::memory_order_relaxed), 2) << "both stayed open";
  EXPECT_EQ(tables_.endpoints.size(), 1U);
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(101), 3), 1U);
  EXPECT_EQ(tables_.network_by_vni.lookup(dp::vni_key(200), 3), dp::no_value);

  ASSERT_TRUE(controller_.begin(4, static_cast<std::uint32_t>(contract::Table::endpoints)).ok());
  const Answer emptied = controller_.commit(4);
  ASSERT_TRUE(emptied.ok()) << emptied.text;
  expected.endpoints = 0;
  EXPECT_EQ(emptied.commit.digests, expected);
}

TEST_F(Transactions, refuses_to_replace_a_table_that_others_still_need) {
  configure(controller_, 1);
  const contract::Digests before = controller_.hello().hello.digests;

  ASSERT_TRUE(controller_.begin(2, static_cast<std::uint32_t>(contract::Table::vteps)).ok());
  const Answer answer = controller_.commit(2);

  EXPECT_EQ(answer.code(), Errc::in_use) << answer.text;
  EXPECT_EQ(answer.commit.digests, before);
  EXPECT_EQ(controller_.begin(3, 1U << 5).code(), Errc::unsupported);
  EXPECT_EQ(controller_.begin(3, contract::replace_all | 2U).code(), Errc::unsupported);
}

TEST_F(Transactions, aborted_replace_all_takes_nothing_away) {
  configure(controller_, 1);
  const auto before = controller_.hello().hello.digests;

  ASSERT_TRUE(controller_.begin(2, contract::replace_all).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 2, port_add(0, "memory0")).ok());
  ASSERT_TRUE(controller_.send(Verb::network_set, 2, network(9, 100)).ok());
  ASSERT_TRUE(controller_.abort(2).ok());

  EXPECT_EQ(controller_.hello().hello.digests, before);
  EXPECT_EQ(tables_.network_by_vni.find_staged(dp::vni_key(100)), 1U);
  EXPECT_EQ(open_devices(), 2);
}

TEST_F(Transactions, controller_that_vanishes_half_way_leaves_no_trace) {
  configure(controller_, 1);
  const auto before = controller_.hello().hello.digests;
  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoint(1, 5, EndpointPlace::vtep, 2)).ok());
  controller_.close();

  Controller next(path());
  const Answer answer = next.hello();

  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.hello.digests, before);
  EXPECT_EQ(answer.hello.generation, 1U);
  EXPECT_TRUE(next.begin(1).ok());
  EXPECT_TRUE(next.commit(1).ok());
}

TEST_F(Transactions, commit_of_a_controller_that_vanished_still_holds) {
  ASSERT_TRUE(controller_.begin(1).ok());
  ASSERT_TRUE(controller_.send(Verb::port_add, 1, port_add(0, "slow0")).ok());
  ASSERT_TRUE(controller_.post(
      contract::make_frame(static_cast<std::uint16_t>(Verb::commit), 1, 99, nullptr, 4, 0)));
  ::usleep(20'000);  // It is opening the port now.
  controller_.close();

  Controller next(path());
  const Answer answer = next.hello();

  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.hello.generation, 1U);
  EXPECT_EQ(open_devices(), 1);
}

// One run of commits of 100,000 endpoints, on a housekeeper of its own.
class ManyEndpoints : public Transactions {
 public:
  ManyEndpoints() : Transactions({.endpoints = 131'072, .workers = 2}) {}

  // Processor time of the longest turn, ns.
  std::uint64_t run() {
    TestBody();
    stop_housekeeper();
    EXPECT_EQ(tables_.endpoints.size(), 100'000U);
    EXPECT_EQ(endpoint_value(99'999), 0U);
    return housekeeper_->longest_turn().cpu_ns;
  }

 private:
  void TestBody() override {
    configure(controller_, 1);
    ASSERT_TRUE(controller_.begin(2).ok());
    set_endpoints(2, 100'000, EndpointPlace::vtep, 2);
    ASSERT_TRUE(controller_.commit(2).ok());
    ASSERT_TRUE(controller_.begin(3, contract::replace_all).ok());
    ASSERT_TRUE(controller_.send(Verb::port_add, 3, port_add(0, "memory0")).ok());
    ASSERT_TRUE(controller_.abort(3).ok());
    ASSERT_TRUE(controller_.begin(4).ok());
    set_endpoints(4, 100'000, EndpointPlace::port, 0);
    ASSERT_TRUE(controller_.commit(4).ok());
  }
  void set_endpoints(std::uint32_t transaction, std::uint64_t count, EndpointPlace place,
                     std::uint16_t target) {
    constexpr std::size_t per_frame = contract::records_per_frame<contract::EndpointSet>;
    for (std::uint64_t mac = 0; mac < count;) {
      std::vector<contract::EndpointSet> records;
      for (; mac < count && records.size() < per_frame; ++mac) {
        records.push_back(endpoint(1, mac, place, target));
      }
      const Answer answer = controller_.send(Verb::endpoint_set, transaction, records);
      ASSERT_TRUE(answer.ok()) << answer.text;
    }
  }
};

TEST(Turns, none_of_a_commit_of_100_000_endpoints_is_long) {
  // The promise is 1 ms on a quiet machine; sanitizers and emulation take several times as long.
  constexpr std::uint64_t longest_ns = 10'000'000;
  // A virtual machine that stands still counts as processor time: hardly in each of three runs.
  std::uint64_t least_ns = UINT64_MAX;
  for (int i = 0; i < 3 && least_ns >= longest_ns; ++i) {
    least_ns = std::min(least_ns, ManyEndpoints().run());
  }
  std::printf("longest turn %.3f ms\n", static_cast<double>(least_ns) / 1e6);
  EXPECT_LT(least_ns, longest_ns);
}

}  // namespace
}  // namespace test
