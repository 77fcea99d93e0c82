// SPDX-License-Identifier: Apache-2.0
// Egress queues as the operator says them: values with units, what is refused with which advice,
// what the data plane is told.
#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/fields.hpp"
#include "controlplane/intent/validate.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/plan/changes.hpp"
#include "controlplane/plan/plan.hpp"
#include "controlplane/plan/records.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

namespace {

using cp::ObjectKind;

std::string with_queues(std::string_view queues) {
  return std::string(sample_yaml) + "queues:\n  - {" + std::string(queues) + "}\n";
}

cp::Intent read(const std::string& text) {
  auto intent = cp::read_intent(text, cp::Syntax::yaml);
  EXPECT_TRUE(intent) << to_string(intent.error().front());
  return intent ? std::move(*intent) : cp::Intent{};
}

// All errors of a document, one a line; where they stand is a test of its own.
std::string errors_of(const std::string& text) {
  const auto intent = cp::read_intent(text, cp::Syntax::yaml);
  std::string errors;
  if (intent) return errors;
  for (cp::Error error : intent.error()) {
    error.place = {};
    errors += (errors.empty() ? "" : "\n") + to_string(error);
  }
  return errors;
}

std::string wrong_queue(std::string_view fields) {
  return errors_of(with_queues("port: wire0, traffic_class: 3, " + std::string(fields)));
}

cp::Allocation allocation_of(const cp::Intent& intent) {
  cp::Allocation allocation;
  EXPECT_TRUE(allocation.take_all(intent));
  return allocation;
}

// What `text` is in the field, as it is written back; the error where it is refused.
std::string as_written(std::string_view field, std::string_view text) {
  cp::Object queue = cp::make_object(ObjectKind::queue);
  const auto set = cp::set_field(queue, field, text);
  return set ? cp::field_text(queue, field).value_or("") : to_string(set.error().front());
}

TEST(IntentQueues, rates_are_read_and_written_as_on_a_link) {
  EXPECT_EQ(as_written("rate", "10G"), "10G");
  EXPECT_EQ(as_written("rate", "0.2G"), "200M");
  EXPECT_EQ(as_written("rate", "2500M"), "2.5G");
  EXPECT_EQ(as_written("rate", "1T"), "1T");
  EXPECT_EQ(as_written("rate", "1500K"), "1.5M");
  EXPECT_EQ(as_written("rate", "10000001K"), "10000.001M");
  EXPECT_EQ(as_written("rate", "1000001"), "1000001");
  const std::string must = "queue: rate: must be a rate in bits a second 1M..1T, like 5G, not ";
  EXPECT_EQ(as_written("rate", "10Gbit"), must + "\"10Gbit\" (nearest: 10G)");
  EXPECT_EQ(as_written("rate", "10gbit/s"), must + "\"10gbit/s\" (nearest: 10G)");
  EXPECT_EQ(as_written("rate", "10 Gbps"), must + "\"10 Gbps\" (nearest: 10G)");
  EXPECT_EQ(as_written("rate", "200m"), must + "\"200m\" (nearest: 200M)");
  EXPECT_EQ(as_written("rate", "0"), must + "\"0\" (nearest: 1M)");
  EXPECT_EQ(as_written("rate", "2T"), must + "\"2T\" (nearest: 1T)");
  for (const std::string_view text : {"fast", "-1G", "1e9", "1.G", ".5G", "01G", "0x10", "1.0001K",
                                      "18446744073709551616", "9999999999999G"}) {
    EXPECT_EQ(as_written("rate", text), must + "\"" + std::string(text) + "\"");
  }
}

TEST(IntentQueues, bytes_are_read_and_written_in_thousands_or_1024) {
  EXPECT_EQ(as_written("buffer", "100K"), "100K");
  EXPECT_EQ(as_written("buffer", "64Ki"), "64Ki");
  EXPECT_EQ(as_written("buffer", "1048576"), "1Mi");
  EXPECT_EQ(as_written("buffer", "2000000"), "2M");
  EXPECT_EQ(as_written("buffer", "0.5Mi"), "512Ki");
  EXPECT_EQ(as_written("buffer", "65537"), "65537");
  const std::string must = "queue: buffer: must be a number of bytes 16Ki..64Mi, like 4M, not ";
  EXPECT_EQ(as_written("buffer", "100 KB"), must + "\"100 KB\" (nearest: 100K)");
  EXPECT_EQ(as_written("buffer", "64kib"), must + "\"64kib\" (nearest: 64Ki)");
  EXPECT_EQ(as_written("buffer", "20000 bytes"), must + "\"20000 bytes\" (nearest: 20K)");
  EXPECT_EQ(as_written("buffer", "1"), must + "\"1\" (nearest: 16Ki)");
  EXPECT_EQ(as_written("buffer", "1G"), must + "\"1G\"");
}

TEST(IntentQueues, shares_are_percent) {
  EXPECT_EQ(as_written("pmax", "5%"), "5%");
  EXPECT_EQ(as_written("pmax", "0.2%"), "0.2%");
  EXPECT_EQ(as_written("pmax", "0.0001%"), "0.0001%");
  EXPECT_EQ(as_written("pmax", "12.50%"), "12.5%");
  EXPECT_EQ(as_written("pmax", "100%"), "100%");
  const std::string must = "queue: pmax: must be a share 0%..100%, like 5%, not ";
  EXPECT_EQ(as_written("pmax", "5"), must + "\"5\" (nearest: 5%)");
  EXPECT_EQ(as_written("pmax", "0.05"), must + "\"0.05\"");
  EXPECT_EQ(as_written("pmax", "101%"), must + "\"101%\" (nearest: 100%)");
  EXPECT_EQ(as_written("pmax", "0.00001%"), must + "\"0.00001%\"");
}

TEST(IntentQueues, lists_and_booleans_are_read_by_their_words) {
  EXPECT_EQ(as_written("dscp", "26, 46"), "26,46");
  EXPECT_EQ(as_written("dscp", "64"),
            "queue: dscp: must be a number 0..63, not \"64\" (nearest: 63)");
  EXPECT_EQ(as_written("carries", "cnp,cm"), "cnp,cm");
  EXPECT_EQ(as_written("carries", "dat"),
            "queue: carries: must be data | ack | cnp | cm, not \"dat\" (nearest: data)");
  EXPECT_EQ(as_written("mark_control", "true"), "true");
  EXPECT_EQ(as_written("mark_control", "yes"),
            "queue: mark_control: must be true or false, not \"yes\" (nearest: true)");
}

TEST(IntentQueues, survive_both_syntaxes) {
  const cp::Intent intent = read(
      with_queues("traffic_class: 3, port: wire0, dscp: [26, 46], carries: [data, cm], rate: 2.5G, "
                  "burst: 64Ki, buffer: 4000000, kmin: 500K, kmax: 2000K, pmax: 0.2%, mark: both, "
                  "not_ect: pass, mark_control: true"));
  ASSERT_EQ(intent.queues.size(), 1u);
  EXPECT_EQ(intent.queues[0].dscp, (std::vector<std::uint8_t>{26, 46}));
  EXPECT_EQ(intent.queues[0].rate, cp::Rate{2'500'000'000});
  EXPECT_EQ(intent.queues[0].pmax, cp::Share{2000});

  const std::string yaml = cp::to_yaml(intent);
  const std::string json = cp::to_json(intent);

  EXPECT_NE(yaml.find("  - {port: wire0, traffic_class: 3, dscp: [26, 46], carries: [data, cm], "
                      "rate: 2.5G, burst: 64Ki, buffer: 4M, kmin: 500K, kmax: 2M, pmax: 0.2%, "
                      "mark: both, not_ect: pass, mark_control: true}\n"),
            yaml.npos)
      << yaml;
  EXPECT_NE(json.find(R"("dscp":[26,46],"carries":["data","cm"],"rate":"2.5G")"), json.npos)
      << json;
  EXPECT_NE(json.find(R"("mark_control":true})"), json.npos) << json;
  EXPECT_EQ(cp::read_intent(yaml, cp::Syntax::yaml).value(), intent);
  EXPECT_EQ(cp::read_intent(json, cp::Syntax::json).value(), intent);
}

TEST(IntentQueues, are_called_by_port_and_class) {
  cp::Intent intent = read(with_queues("port: wire0, traffic_class: 3"));
  EXPECT_EQ(cp::key_of(intent.queues[0]), "wire0/3");
  EXPECT_TRUE(cp::find(intent, ObjectKind::queue, "wire0/3"));
  for (const std::string_view key : {"wire0/4", "wire0/33", "wire0", "/3", "wire0/", "wire0/x"}) {
    EXPECT_FALSE(cp::find(intent, ObjectKind::queue, key)) << key;
  }
  EXPECT_EQ(cp::key_of(cp::with_key(ObjectKind::queue, "host0/7").value()), "host0/7");
  EXPECT_EQ(to_string(cp::with_key(ObjectKind::queue, "host0").error().front()),
            "a queue is called port/traffic_class, like wire0/3, not \"host0\"");
  EXPECT_EQ(to_string(cp::with_key(ObjectKind::queue, "host0/8").error().front()),
            "queue host0/0: traffic_class: must be a number 0..7, not \"8\" (nearest: 7)");
}

TEST(IntentQueues, are_added_changed_and_removed_one_by_one) {
  cp::Intent intent = sample_intent();
  ASSERT_TRUE(cp::add(intent, ObjectKind::queue,
                      {{"port", "wire0"}, {"traffic_class", "3"}, {"kmin", "1K"}, {"kmax", "1K"}}));
  ASSERT_TRUE(cp::add(intent, ObjectKind::queue, {{"port", "host0"}, {"traffic_class", "0"}}));
  EXPECT_EQ(cp::key_of(intent.queues[0]), "host0/0");
  EXPECT_EQ(
      to_string(cp::add(intent, ObjectKind::queue, {{"port", "host0"}, {"traffic_class", "0"}})
                    .error()
                    .front()),
      "queue host0/0: exists already; set changes it");
  ASSERT_TRUE(cp::set(intent, ObjectKind::queue, "wire0/3", {{"kmax", "9K"}, {"pmax", "1%"}}));
  EXPECT_EQ(intent.queues[1].kmax, cp::ByteCount{9000});
  EXPECT_TRUE(cp::validate(intent, {}));
  EXPECT_EQ(
      to_string(cp::set(intent, ObjectKind::queue, "wire0/4", {{"rate", "1G"}}).error().front()),
      "queue wire0/4: there is no such queue (nearest: wire0/3)");
  EXPECT_EQ(to_string(cp::remove(intent, ObjectKind::port, "wire0").error().front()),
            "port wire0: is in use by vtep gw2, vtep self and queue wire0/3; remove or change "
            "these first");
  ASSERT_TRUE(cp::remove(intent, ObjectKind::queue, "wire0/3"));
  EXPECT_EQ(intent.queues.size(), 1u);
}

TEST(IntentQueues, stand_at_ports_that_have_a_line_of_their_own) {
  EXPECT_EQ(errors_of(with_queues("port: wire1, traffic_class: 3")),
            "queue wire1/3: port: there is no port \"wire1\" (nearest: wire0)");
  const auto with_port = [](std::string_view port, std::string_view queue) {
    return sample_with("vteps:\n", "  - {" + std::string(port) + "}\nvteps:\n") + "queues:\n  - {" +
           std::string(queue) + "}\n";
  };
  EXPECT_EQ(errors_of(with_port("name: k0, role: host, device: \"tap:k0\", peer: wire0",
                                "port: k0, traffic_class: 3")),
            "queue k0/3: port: \"k0\" is a host port: it leads to this machine's own "
            "kernel (nearest: wire0)");
  EXPECT_EQ(errors_of(with_port("name: v7, role: tenant, parent: host0, vlan: 7, network: blue",
                                "port: v7, traffic_class: 3")),
            "queue v7/3: port: \"v7\" is a VLAN: its frames leave at port \"host0\" "
            "(nearest: host0)");
  EXPECT_EQ(errors_of(sample_with("network: blue}",
                                  "network: blue}\n  - {name: v7, role: tenant, "
                                  "parent: host0, vlan: 7, network: blue, "
                                  "rate: 1G}")),
            "port v7: rate: a VLAN has none: its frames leave at port \"host0\" (nearest: "
            "say it there)");
}

TEST(IntentQueues, a_marker_makes_sense_or_is_refused) {
  EXPECT_EQ(wrong_queue("kmin: 100K, kmax: 100K"), "");
  EXPECT_EQ(wrong_queue("kmin: 100K, kmax: 1Mi, pmax: 5%"), "");
  EXPECT_EQ(wrong_queue("kmin: 200K, kmax: 100K, pmax: 5%"),
            "queue wire0/3: kmin: 200K is above kmax (100K) (nearest: 100K)");
  EXPECT_EQ(wrong_queue("kmin: 100K, kmax: 2M, pmax: 5%"),
            "queue wire0/3: kmax: 2M is beyond the buffer (1Mi, where none is said): it "
            "would never be reached (nearest: 1Mi)");
  EXPECT_EQ(wrong_queue("kmin: 100K, kmax: 2M, pmax: 5%, buffer: 1.5M"),
            "queue wire0/3: kmax: 2M is beyond the buffer (1500K): it would never be "
            "reached (nearest: 1500K)");
  EXPECT_EQ(wrong_queue("kmin: 100K"), "queue wire0/3: kmax: is missing: a marker has both ends");
  EXPECT_EQ(wrong_queue("kmax: 100K"), "queue wire0/3: kmin: is missing: a marker has both ends");
  EXPECT_EQ(wrong_queue("kmin: 1K, kmax: 2K"),
            "queue wire0/3: pmax: is missing: the share that is marked at kmax (nearest: "
            "5%)");
  EXPECT_EQ(wrong_queue("kmin: 1K, kmax: 2K, pmax: 150%"),
            "queue wire0/3: pmax: must be a share 0%..100%, like 5%, not \"150%\" "
            "(nearest: 100%)");
  for (const std::string_view field :
       {"pmax: 1%", "mark: inner", "not_ect: pass", "mark_control: true"}) {
    const std::string name(field.substr(0, field.find(':')));
    const std::string error = wrong_queue(field);
    EXPECT_TRUE(error.ends_with("queue wire0/3: " + name +
                                ": says nothing without a marker (kmin and kmax)"))
        << error;
  }
}

TEST(IntentQueues, an_error_says_where_it_stands) {
  const auto wrong = cp::read_intent(
      with_queues("port: wire0, traffic_class: 3, kmin: 2K, kmax: 1K, pmax: 5%, dscp: [64]"),
      cp::Syntax::yaml);
  const auto senseless = cp::read_intent(
      with_queues("port: wire0, traffic_class: 3, kmin: 2K, kmax: 1K, pmax: 5%"), cp::Syntax::yaml);

  ASSERT_FALSE(wrong || senseless);
  EXPECT_EQ(to_string(wrong.error().front()),
            "line 14:74: queue wire0/3: dscp: must be a number 0..63, not \"64\" (nearest: 63)");
  EXPECT_EQ(to_string(senseless.error().front()),
            "line 14:43: queue wire0/3: kmin: 2K is above kmax (1K) (nearest: 1K)");
}

TEST(IntentQueues, a_rate_and_a_burst_fit_together) {
  EXPECT_EQ(wrong_queue("rate: 1G, burst: 64Ki"), "");
  EXPECT_EQ(wrong_queue("burst: 64Ki"), "queue wire0/3: burst: says nothing without a rate");
  EXPECT_EQ(wrong_queue("rate: 0"),
            "queue wire0/3: rate: must be a rate in bits a second 1M..1T, like 5G, not "
            "\"0\" (nearest: 1M)");
  EXPECT_EQ(errors_of(sample_with("mtu: 1600", "mtu: 9978, rate: 1G, burst: 9.5K")),
            "port wire0: burst: is less than one frame of port \"wire0\" (MTU 9978): it "
            "could never leave (nearest: 10000)");
  EXPECT_EQ(errors_of(sample_with("mtu: 1600", "mtu: 1600, burst: 64Ki")),
            "port wire0: burst: says nothing without a rate");
}

TEST(IntentQueues, every_packet_has_one_class) {
  EXPECT_EQ(wrong_queue("dscp: [26, 46, 26]"), "queue wire0/3: dscp: has DSCP 26 twice");
  EXPECT_EQ(wrong_queue("dscp: [26]}\n  - {port: wire0, traffic_class: 4, dscp: [1, 26]"),
            "queue wire0/4: dscp: DSCP 26 is already in queue wire0/3: a packet has one "
            "class");
  EXPECT_EQ(wrong_queue("carries: [ack]}\n  - {port: wire0, traffic_class: 4, carries: [ack]"),
            "queue wire0/4: carries: ack is already in queue wire0/3: a packet has one "
            "class");
  EXPECT_EQ(wrong_queue("dscp: [26]}\n  - {port: host0, traffic_class: 4, dscp: [26]"), "");
  EXPECT_EQ(wrong_queue("rate: 1G}\n  - {port: wire0, traffic_class: 3"),
            "queue wire0/3: traffic_class: there are two queues of this port and class");
  EXPECT_EQ(errors_of(with_queues("port: wire0, traffic_class: 8")),
            "queue wire0/0: traffic_class: must be a number 0..7, not \"8\" (nearest: 7)");
}

TEST(IntentQueues, become_records) {
  const cp::Intent intent = read(
      with_queues("port: wire0, traffic_class: 3, dscp: [26, 63], carries: [ack, cnp], rate: 2G, "
                  "burst: 64Ki, buffer: 4M, kmin: 500K, kmax: 2M, pmax: 5%, mark: inner}\n"
                  "  - {port: wire0, traffic_class: 4, kmin: 9K, kmax: 9K, not_ect: pass, "
                  "mark_control: true}\n"
                  "  - {port: wire0, traffic_class: 5"));
  const cp::Allocation allocation = allocation_of(intent);

  const cp::Plan plan = cp::plan_all(allocation, intent);

  ASSERT_EQ(plan.queue_sets.size(), 3u);
  const contract::QueueSet& full = plan.queue_sets[0];
  EXPECT_EQ(full.port, allocation.port("wire0"));
  EXPECT_EQ(full.traffic_class, 3);
  EXPECT_EQ(full.dscp, (std::uint64_t{1} << 63) | (std::uint64_t{1} << 26));
  EXPECT_EQ(full.carries, 0b0110);
  EXPECT_EQ(full.rate, 2'000'000'000u);
  EXPECT_EQ(full.burst, 65'536u);
  EXPECT_EQ(full.buffer, 4'000'000u);
  EXPECT_EQ(full.kmin, 500'000u);
  EXPECT_EQ(full.kmax, 2'000'000u);
  EXPECT_EQ(full.pmax, 50'000u);
  EXPECT_EQ(full.mark, contract::MarkPlace::inner);
  EXPECT_EQ(full.drop_not_ect, 1);
  EXPECT_EQ(full.mark_control, 0);
  const contract::QueueSet& step = plan.queue_sets[1];
  EXPECT_EQ(step.kmin, step.kmax);
  EXPECT_EQ(step.mark, contract::MarkPlace::outer);
  EXPECT_EQ(step.drop_not_ect, 0);
  EXPECT_EQ(step.mark_control, 1);
  const contract::QueueSet& plain = plan.queue_sets[2];
  EXPECT_EQ(plain.kmax, 0u);
  EXPECT_EQ(plain.drop_not_ect, 0);
  EXPECT_EQ(plain.buffer, 0u);
}

TEST(IntentQueues, a_change_is_the_records_that_differ) {
  const cp::Intent before =
      read(with_queues("port: wire0, traffic_class: 3, rate: 1G}\n"
                       "  - {port: wire0, traffic_class: 4, dscp: [1]"));
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::queue, "wire0/3", {{"rate", "2G"}, {"dscp", "1"}}));
  ASSERT_TRUE(cp::remove(after, ObjectKind::queue, "wire0/4"));
  ASSERT_TRUE(cp::set(after, ObjectKind::port, "wire0", {{"rate", "4G"}, {"burst", "64Ki"}}));
  ASSERT_TRUE(cp::validate(after, {}));
  const cp::Allocation allocation = allocation_of(before);

  const cp::Plan plan = cp::make_plan(allocation, before, after);

  ASSERT_EQ(plan.queue_removes.size(), 1u);
  EXPECT_EQ(plan.queue_removes[0].traffic_class, 4);
  ASSERT_EQ(plan.queue_sets.size(), 1u);
  EXPECT_EQ(plan.queue_sets[0].rate, 2'000'000'000u);
  ASSERT_EQ(plan.port_sets.size(), 1u);
  EXPECT_EQ(plan.port_sets[0].rate, 4'000'000'000u);
  EXPECT_EQ(plan.port_sets[0].burst, 65'536u);
  EXPECT_EQ(plan.record_count(), 3u);
  EXPECT_NE(cp::digests_of(before, allocation).ports, cp::digests_of(after, allocation).ports);
  EXPECT_EQ(cp::to_text(cp::find_changes(before, after)),
            "~ port wire0: rate (nothing) → 4G, burst (nothing) → 64Ki\n"
            "~ queue wire0/3: dscp (nothing) → 1, rate 1G → 2G\n"
            "- queue wire0/4\n");
  // What two words mean is one: nothing to send.
  cp::Intent same = before;
  ASSERT_TRUE(cp::set(same, ObjectKind::queue, "wire0/3", {{"rate", "1000M"}}));
  EXPECT_TRUE(cp::make_plan(allocation, before, same).empty());
}

}  // namespace
