// SPDX-License-Identifier: Apache-2.0
// Egress queues from the controller's records to those that workers obey.
#include "dataplane/base/check.hpp"
#include "dataplane/housekeeper/derive_queue.hpp"
#include "tests/unit/housekeeper/harness.hpp"

namespace test {
namespace {

using base::Errc;
using contract::MarkPlace;
using contract::PacketKind;
using contract::PortRole;
using contract::RoceTraffic;

constexpr std::uint64_t two_ghz = 2'000'000'000;  // As the harness's TSC.

constexpr std::uint8_t bit(RoceTraffic traffic) {
  return static_cast<std::uint8_t>(traffic);
}

contract::QueueSet queue(std::uint16_t port, std::uint8_t traffic_class) {
  contract::QueueSet set{};
  set.port = {port};
  set.traffic_class = traffic_class;
  return set;
}

// Of port 1: RoCE data with DSCP 26, 2 Gb/s, a marker.
contract::QueueSet bulk_queue() {
  contract::QueueSet set = queue(1, 3);
  set.dscp = std::uint64_t{1} << 26;
  set.carries = bit(RoceTraffic::data);
  set.rate = 2'000'000'000;
  set.burst = 100'000;
  set.buffer = 4'000'000;
  set.kmin = 500'000;
  set.kmax = 2'000'000;
  set.pmax = 50'000;
  set.mark = MarkPlace::both;
  set.drop_not_ect = 1;
  return set;
}

class Queues : public HousekeeperTest {
 protected:
  Queues() : controller_(path()) {
    EXPECT_TRUE(controller_.hello().ok());
    configure(controller_, 1);
  }

  const dp::QueueRecord* record(std::uint32_t port) const {
    return tables_.queues.find(port, epoch_.current());
  }
  std::uint64_t queueing_ports(std::uint32_t seen_by) const {
    const dp::PortRecord* port = tables_.ports.find(seen_by, epoch_.current());
    CHECK(port != nullptr);
    return port->queueing_ports;
  }
  Answer transact(auto&& fill, std::uint32_t replace = contract::replace_nothing) {
    const std::uint32_t transaction = ++transaction_;
    EXPECT_TRUE(controller_.begin(transaction, replace).ok());
    fill(transaction);
    return controller_.commit(transaction);
  }
  Answer set(const std::vector<contract::QueueSet>& queues) {
    return transact([&](std::uint32_t transaction) {
      ASSERT_TRUE(controller_.send(Verb::queue_set, transaction, queues).ok());
    });
  }
  template <contract::Record T>
  void refuses(Verb verb, const T& record, Errc code) {
    const std::uint32_t transaction = ++transaction_;
    ASSERT_TRUE(controller_.begin(transaction).ok());
    const Answer answer = controller_.send(verb, transaction, record);
    EXPECT_EQ(answer.code(), code) << answer.text;
    ASSERT_TRUE(controller_.abort(transaction).ok());
  }
  void refuses_set(Errc code, auto&& change) {
    contract::QueueSet set = bulk_queue();
    change(set);
    refuses(Verb::queue_set, set, code);
  }

  Controller controller_;
  std::uint32_t transaction_ = 1;
};

TEST_F(Queues, are_set_changed_and_removed_with_their_transaction) {
  const contract::Digests before = controller_.hello().hello.digests;
  EXPECT_EQ(record(1), nullptr);
  EXPECT_EQ(queueing_ports(0), 0u);

  ASSERT_TRUE(set({bulk_queue()}).ok());
  ASSERT_NE(record(1), nullptr);
  EXPECT_EQ(record(1)->classes[3].kmax, 2'000'000u);
  EXPECT_EQ(record(0), nullptr);
  EXPECT_EQ(queueing_ports(0), 0b10u);
  EXPECT_EQ(queueing_ports(1), 0b10u);
  const contract::Digests with_queue = controller_.hello().hello.digests;
  EXPECT_NE(with_queue, before);

  contract::QueueSet changed = bulk_queue();
  changed.kmin = 1;
  ASSERT_TRUE(controller_.begin(50).ok());
  ASSERT_TRUE(controller_.send(Verb::queue_set, 50, changed).ok());
  ASSERT_TRUE(controller_.abort(50).ok());
  EXPECT_EQ(record(1)->classes[3].kmin, 500'000u);
  EXPECT_EQ(controller_.hello().hello.digests, with_queue);

  ASSERT_TRUE(set({changed}).ok());
  EXPECT_EQ(record(1)->classes[3].kmin, 1u);

  ASSERT_TRUE(transact([&](std::uint32_t transaction) {
                const contract::QueueRemove remove{.port = {1}, .traffic_class = 3, .reserved = 0};
                ASSERT_TRUE(controller_.send(Verb::queue_remove, transaction, remove).ok());
              }).ok());
  ASSERT_NE(record(1), nullptr);
  EXPECT_TRUE(record(1)->is_closing) << "frames may wait";
  EXPECT_EQ(queueing_ports(1), 0u);
  EXPECT_EQ(controller_.hello().hello.digests, before);
}

TEST_F(Queues, begin_an_epoch_when_something_moves_to_another_class) {
  ASSERT_TRUE(set({bulk_queue()}).ok());
  EXPECT_EQ(record(1)->epoch, 0u);
  contract::QueueSet changed = bulk_queue();
  changed.kmin = 1;
  changed.rate = 0;
  ASSERT_TRUE(set({changed}).ok());
  EXPECT_EQ(record(1)->epoch, 0u);
  changed.dscp |= 2;
  ASSERT_TRUE(set({changed}).ok());
  EXPECT_EQ(record(1)->epoch, 1u);
  changed.carries |= bit(RoceTraffic::ack);
  ASSERT_TRUE(set({changed}).ok());
  EXPECT_EQ(record(1)->epoch, 2u);
  ASSERT_TRUE(transact([&](std::uint32_t transaction) {
                const contract::QueueRemove remove{.port = {1}, .traffic_class = 3, .reserved = 0};
                ASSERT_TRUE(controller_.send(Verb::queue_remove, transaction, remove).ok());
              }).ok());
  EXPECT_EQ(record(1)->epoch, 3u);
  ASSERT_TRUE(set({changed}).ok());
  EXPECT_FALSE(record(1)->is_closing);
  EXPECT_EQ(record(1)->epoch, 4u);
}

TEST_F(Queues, a_port_with_a_rate_alone_has_all_classes) {
  auto port = port_set(1, PortRole::underlay);
  port.rate = 1'000'000'000;
  ASSERT_TRUE(transact([&](std::uint32_t transaction) {
                ASSERT_TRUE(controller_.send(Verb::port_set, transaction, port).ok());
              }).ok());

  ASSERT_NE(record(1), nullptr);
  EXPECT_EQ(record(1)->rate.cycles_per_byte, 16u << dp::cycles_per_byte_shift);
  for (const dp::QueueClassRecord& one : record(1)->classes) {
    EXPECT_EQ(one.buffer, contract::queue_buffer_default);
    EXPECT_EQ(one.kmin, UINT32_MAX);
    EXPECT_EQ(one.rate.cycles_per_byte, 0u);
  }
  EXPECT_EQ(queueing_ports(0), 0b10u);
}

TEST_F(Queues, replacing_all_forgets_those_that_are_not_set_again) {
  ASSERT_TRUE(set({bulk_queue(), queue(1, 0)}).ok());
  const Answer answer = transact(
      [&](std::uint32_t transaction) {
        ASSERT_TRUE(controller_.send(Verb::port_add, transaction, port_add(1, "memory1")).ok());
        ASSERT_TRUE(
            controller_.send(Verb::port_set, transaction, port_set(1, PortRole::underlay)).ok());
        ASSERT_TRUE(controller_.send(Verb::queue_set, transaction, queue(1, 5)).ok());
      },
      true);

  ASSERT_TRUE(answer.ok()) << answer.text;
  ASSERT_NE(record(1), nullptr);
  EXPECT_EQ(record(1)->classes[3].kmin, UINT32_MAX);
  EXPECT_EQ(record(1)->class_of_dscp[26], 0u);
}

TEST_F(Queues, a_port_goes_with_its_queues_or_not_at_all) {
  ASSERT_TRUE(set({queue(1, 3)}).ok());
  const auto remove_port = [&](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::vtep_remove, transaction, contract::VtepRemove{{2}}).ok());
    ASSERT_TRUE(controller_.send(Verb::vtep_remove, transaction, contract::VtepRemove{{1}}).ok());
    ASSERT_TRUE(controller_.send(Verb::port_remove, transaction, contract::PortRemove{{1}}).ok());
  };

  const Answer refused = transact(remove_port);
  EXPECT_EQ(refused.code(), Errc::in_use);
  EXPECT_NE(refused.text.find("still has queues"), refused.text.npos);
  ASSERT_NE(record(1), nullptr);

  // The port comes back with another device in the same transaction: its queues stay.
  const Answer replaced = transact([&](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::port_remove, transaction, contract::PortRemove{{1}}).ok());
    ASSERT_TRUE(controller_.send(Verb::port_add, transaction, port_add(1, "memory5")).ok());
    ASSERT_TRUE(
        controller_.send(Verb::port_set, transaction, port_set(1, PortRole::underlay)).ok());
  });
  ASSERT_TRUE(replaced.ok()) << replaced.text;
  ASSERT_NE(record(1), nullptr);
}

TEST_F(Queues, what_two_classes_share_is_refused_at_the_commit) {
  contract::QueueSet other = queue(1, 4);
  other.dscp = std::uint64_t{0b11} << 25;
  EXPECT_EQ(set({bulk_queue(), other}).code(), Errc::already_exists);
  other.dscp = 0;
  other.carries = bit(RoceTraffic::cnp) | bit(RoceTraffic::data);
  EXPECT_EQ(set({bulk_queue(), other}).code(), Errc::already_exists);
  EXPECT_EQ(record(1), nullptr);

  // At another port both are free.
  other.port = {0};
  EXPECT_TRUE(set({bulk_queue(), other}).ok());
}

TEST_F(Queues, stand_at_ports_with_a_device_that_are_no_twins) {
  const auto refuses_at = [&](const contract::PortAdd& add, const contract::PortSet& port) {
    const Answer answer = transact([&](std::uint32_t transaction) {
      ASSERT_TRUE(controller_.send(Verb::port_add, transaction, add).ok());
      ASSERT_TRUE(controller_.send(Verb::port_set, transaction, port).ok());
      ASSERT_TRUE(controller_.send(Verb::queue_set, transaction, queue(2, 0)).ok());
    });
    EXPECT_EQ(answer.code(), Errc::invalid_argument) << answer.text;
  };
  auto twin = port_set(2, PortRole::host);
  twin.transit_peer = {1};
  refuses_at(port_add(2, "memory2"), twin);
  auto vlan = port_set(2, PortRole::tenant, 1);
  vlan.parent = 1;
  vlan.vlan = 100;
  refuses_at(port_add(2, ""), vlan);

  twin.rate = 1'000'000'000;
  const Answer answer = transact([&](std::uint32_t transaction) {
    ASSERT_TRUE(controller_.send(Verb::port_add, transaction, port_add(2, "memory2")).ok());
    ASSERT_TRUE(controller_.send(Verb::port_set, transaction, twin).ok());
  });
  EXPECT_EQ(answer.code(), Errc::invalid_argument) << answer.text;
}

TEST_F(Queues, fields_out_of_range_are_refused) {
  const auto wrong = Errc::invalid_argument;
  refuses_set(Errc::not_found, [](auto& set) { set.port = {7}; });
  refuses_set(Errc::not_found, [](auto& set) { set.port = {9999}; });
  refuses_set(wrong, [](auto& set) { set.traffic_class = 8; });
  refuses_set(wrong, [](auto& set) { set.carries = 16; });
  refuses_set(wrong, [](auto& set) { set.mark = static_cast<MarkPlace>(3); });
  refuses_set(wrong, [](auto& set) { set.drop_not_ect = 2; });
  refuses_set(wrong, [](auto& set) { set.mark_control = 2; });
  refuses_set(wrong, [](auto& set) { set.reserved = 1; });
  refuses_set(wrong, [](auto& set) { set.reserved_2 = 1; });
  refuses_set(wrong, [](auto& set) { set.rate = contract::queue_rate_min - 1; });
  refuses_set(wrong, [](auto& set) { set.rate = contract::queue_rate_max + 1; });
  refuses_set(wrong, [](auto& set) { set.burst = contract::queue_burst_min - 1; });
  refuses_set(wrong, [](auto& set) { set.burst = contract::queue_burst_max + 1; });
  refuses_set(wrong, [](auto& set) { set.buffer = contract::queue_buffer_min - 1; });
  refuses_set(wrong, [](auto& set) { set.buffer = contract::queue_buffer_max + 1; });
  refuses_set(wrong, [](auto& set) { set.kmin = set.kmax + 1; });
  refuses_set(wrong, [](auto& set) { set.kmax = set.buffer + 1; });
  refuses_set(wrong, [](auto& set) { set.buffer = 0; });  // Then it is smaller than kmax.
  refuses_set(wrong, [](auto& set) { set.pmax = contract::queue_pmax_max + 1; });
  auto port = port_set(1, PortRole::underlay);
  port.rate = 1;
  refuses(Verb::port_set, port, wrong);
  port.rate = 0;
  port.burst = 1;
  refuses(Verb::port_set, port, wrong);
  port.burst = 0;
  port.reserved = 1;
  refuses(Verb::port_set, port, wrong);
  refuses(Verb::queue_remove, contract::QueueRemove{.port = {1}, .traffic_class = 3, .reserved = 0},
          Errc::not_found);
  refuses(Verb::queue_remove,
          contract::QueueRemove{.port = {99}, .traffic_class = 3, .reserved = 0}, Errc::not_found);
  refuses(Verb::queue_remove, contract::QueueRemove{.port = {1}, .traffic_class = 8, .reserved = 0},
          Errc::not_found);
}

TEST(QueueRecord, rates_become_cycles) {
  // 8 · 2e9 / 10e9 = 1.6 cycles a byte, rounded up in its last bit.
  const dp::RateRecord fast = dp::rate_record(10'000'000'000, 1'000'000, two_ghz);
  EXPECT_EQ(fast.cycles_per_byte, 26'843'546u);
  EXPECT_EQ(fast.burst_cycles, 1'600'000u);
  // 100 us: 125,000 bytes.
  EXPECT_EQ(dp::rate_record(10'000'000'000, 0, two_ghz).burst_cycles, 200'000u);
  const dp::RateRecord slow = dp::rate_record(1'000'000, 16 << 20, two_ghz);
  EXPECT_EQ(slow.cycles_per_byte, std::uint64_t{16'000} << 24);
  EXPECT_EQ(slow.burst_cycles, std::uint64_t{16'000} << 24);
  const dp::RateRecord none = dp::rate_record(0, 1'000'000, two_ghz);
  EXPECT_EQ(none.cycles_per_byte, 0u);
  EXPECT_EQ(none.burst_cycles, 0u);
}

TEST(QueueRecord, a_marker_is_a_slope_or_a_step) {
  contract::QueueSet set = bulk_queue();
  dp::QueueClassRecord record = dp::make_queue_class(&set, two_ghz);
  // 0.05 · 2^48 / 1,500,000
  EXPECT_EQ(record.probability_per_byte, 9'382'499u);
  EXPECT_EQ(record.kmin, 500'000u);
  EXPECT_EQ(record.kmax, 2'000'000u);
  EXPECT_EQ(record.buffer, 4'000'000u);
  EXPECT_EQ(record.mark, MarkPlace::both);
  EXPECT_TRUE(record.drop_not_ect);
  EXPECT_FALSE(record.mark_control);

  // The steepest slope: 1 over one byte, 2^48 itself.
  set.pmax = contract::queue_pmax_max;
  set.kmin = set.kmax - 1;
  EXPECT_EQ(dp::make_queue_class(&set, two_ghz).probability_per_byte,
            std::uint64_t{1} << dp::probability_shift);
  set.kmin = set.kmax;
  record = dp::make_queue_class(&set, two_ghz);
  EXPECT_EQ(record.probability_per_byte, 0u);
  EXPECT_EQ(record.kmin, record.kmax);

  set.kmin = set.kmax = 0;
  record = dp::make_queue_class(&set, two_ghz);
  EXPECT_EQ(record.kmin, UINT32_MAX);
  EXPECT_EQ(record.kmax, UINT32_MAX);
  EXPECT_EQ(record.rate.cycles_per_byte, 8u << 24);
}

TEST(QueueRecord, every_packet_has_a_class) {
  contract::QueueSet data = bulk_queue();
  contract::QueueSet answers = queue(1, 5);
  answers.carries = bit(RoceTraffic::ack);
  answers.dscp = std::uint64_t{1} << 63;
  dp::QueueSettings settings{};
  settings[3] = &data;
  settings[5] = &answers;
  dp::QueueRecord record = dp::make_queue_record({}, settings, two_ghz);

  const auto class_of = [&record](PacketKind kind) {
    return record.class_of_kind[static_cast<std::size_t>(kind)];
  };
  for (const PacketKind kind :
       {PacketKind::roce_send, PacketKind::roce_write, PacketKind::roce_read_request,
        PacketKind::roce_read_response, PacketKind::roce_atomic_request,
        PacketKind::roce_atomic_response, PacketKind::roce_ud, PacketKind::roce_other}) {
    EXPECT_EQ(class_of(kind), 3) << contract::name(kind);
  }
  for (const PacketKind kind :
       {PacketKind::roce_ack, PacketKind::roce_nak, PacketKind::roce_rnr_nak}) {
    EXPECT_EQ(class_of(kind), 5) << contract::name(kind);
  }
  for (const PacketKind kind : {PacketKind::not_ip, PacketKind::ip, PacketKind::roce_malformed,
                                PacketKind::roce_cm, PacketKind::roce_v1}) {
    EXPECT_EQ(class_of(kind), dp::class_by_dscp) << contract::name(kind);
  }
  EXPECT_EQ(class_of(PacketKind::roce_cnp), contract::cnp_class);
  EXPECT_EQ(record.strict_classes, std::uint64_t{1} << contract::cnp_class);
  EXPECT_EQ(record.class_of_dscp[26], 3);
  EXPECT_EQ(record.class_of_dscp[63], 5);
  EXPECT_EQ(record.class_of_dscp[0], 0);

  answers.carries = bit(RoceTraffic::cnp) | bit(RoceTraffic::cm);
  record = dp::make_queue_record({}, settings, two_ghz);
  EXPECT_EQ(class_of(PacketKind::roce_cnp), 5);
  EXPECT_EQ(class_of(PacketKind::roce_cm), 5);
  EXPECT_EQ(class_of(PacketKind::roce_ack), dp::class_by_dscp);
  EXPECT_EQ(record.strict_classes, std::uint64_t{1} << 5);
}

}  // namespace
}  // namespace test
