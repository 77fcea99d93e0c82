// SPDX-License-Identifier: Apache-2.0
// What the store knows beside the intent: how it came to be, the way back, names of states, changes
// under way; and that the file of a former release becomes today's.
#include "controlplane/intent/edit.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/plan/plan.hpp"
#include "controlplane/plan/records.hpp"
#include "controlplane/store/difference.hpp"
#include "tests/unit/data_plane_model.hpp"
#include "tests/unit/random_intent.hpp"
#include "tests/unit/store_bed.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace {

using cp::Owner;

// Some of the objects are a command's.
void share_out(cp::Intent& intent, unsigned seed) {
  std::mt19937 random(seed);
  const auto share = [&](auto& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i].owner = random() % 2 == 0 ? Owner::file : Owner::command;
    }
  };
  share(intent.ports);
  share(intent.vteps);
  share(intent.networks);
  share(intent.endpoints);
  share(intent.next_hops);
  share(intent.host_rules);
  share(intent.queues);
}

// A store and a model of a data plane that get each change as the configuration gives it to both.
struct Bed {
  cp::Store store = cp::Store::open(":memory:").value();
  cp::Allocation allocation = store.load({}).value().allocation;
  DataPlane data_plane;
  cp::Intent now;

  std::uint64_t change(const cp::Intent& next) {
    EXPECT_TRUE(allocation.take_all(next));
    data_plane.apply(cp::make_plan(allocation, now, next));
    allocation.release_unused(next);
    const auto number = store.save(next, allocation, record_of());
    EXPECT_TRUE(number) << to_string(number.error().front());
    now = next;
    return number.value_or(0);
  }

  // That both have exactly this, as if nothing had been there before.
  void expect_is(const cp::Intent& intent) {
    const auto saved = store.load({});
    ASSERT_TRUE(saved) << to_string(saved.error().front());
    ASSERT_EQ(saved->intent, intent);
    ASSERT_EQ(cp::to_json(saved->intent), cp::to_json(intent));
    ASSERT_EQ(saved->allocation, allocation);
    DataPlane fresh;
    fresh.apply(cp::plan_all(allocation, intent));
    ASSERT_EQ(data_plane.digests(), fresh.digests());
    ASSERT_EQ(data_plane.digests(), cp::digests_of(intent, allocation));
    ASSERT_TRUE(cp::make_plan(allocation, now, intent).empty());
  }
};

// WEIR_ROUNDS=10000 is the long form.
unsigned rounds() {
  const char* told = std::getenv("WEIR_ROUNDS");
  return told == nullptr ? 200 : static_cast<unsigned>(std::atoi(told));
}

TEST(Transactions, there_and_back_between_any_two_intents_is_the_same_state) {
  for (unsigned seed = 1; seed <= rounds(); ++seed) {
    RandomIntent random(seed);
    cp::Intent one = random.make();
    cp::Intent other = random.make();
    share_out(one, seed);
    share_out(other, seed + 1);
    Bed bed;
    bed.change(one);

    bed.change(other);
    bed.expect_is(other);
    bed.change(one);

    bed.expect_is(one);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
    ASSERT_EQ(cp::write_difference(bed.now, one), "");
  }
}

TEST(Transactions, history_leads_back_to_every_state_it_passed) {
  RandomIntent random(4711);
  Bed bed;
  std::vector<cp::Intent> states = {{}};
  for (unsigned step = 1; step <= 40; ++step) {
    states.push_back(random.make());
    share_out(states.back(), step);
    ASSERT_EQ(bed.change(states.back()), step);
  }

  for (std::size_t number = 0; number < states.size(); ++number) {
    const auto state = cp::undo_history(bed.store.database(), bed.now, number);
    ASSERT_TRUE(state) << to_string(state.error().front());
    EXPECT_EQ(*state, states[number]) << "change " << number;
  }
  EXPECT_FALSE(cp::undo_history(bed.store.database(), bed.now, 41)) << "has not been yet";
}

TEST(Difference, is_a_line_an_object_and_refuses_what_is_none) {
  const cp::Intent before = sample_intent();
  cp::Intent after = before;
  ASSERT_TRUE(cp::remove(after, cp::ObjectKind::endpoint, "blue/02:00:00:00:0b:01"));
  ASSERT_TRUE(cp::add(
      after, cp::Network{.name = name("red"), .vni = 200, .flood = {}, .owner = Owner::command}));

  const std::string text = cp::write_difference(before, after);

  EXPECT_EQ(text,
            "+ command network red {\"name\":\"red\",\"vni\":200,\"unknown_unicast\":\"flood\"}\n"
            "- endpoint blue/02:00:00:00:0b:01\n");
  EXPECT_EQ(cp::apply_difference(before, text), after);
  EXPECT_EQ(cp::apply_difference(after, cp::write_difference(after, before)), before);
  for (const char* wrong : {"+ nobody network red {}\n", "+ file song red {}\n", "* port a\n",
                            "+ file network red {\n", "- port", "- song a\n", "+ file network \n",
                            R"(+ file network a {"name":"a","vni":1}
+ command network a {"name":"a","vni":2}
)"}) {
    EXPECT_FALSE(cp::apply_difference(before, wrong)) << wrong;
  }
}

TEST(Difference, clears_what_is_shorter_to_clear) {
  const cp::Intent many = large_intent(100);
  cp::Intent few = many;
  while (few.endpoints.size() > 1) few.endpoints.erase(few.endpoints.begin());

  const std::string back = cp::write_difference(many, few);

  EXPECT_EQ(back, "- endpoint *\n+ file endpoint " + cp::key_of(few.endpoints[0]) + " vtep gw2\n");
  EXPECT_EQ(cp::apply_difference(many, back), few);
  EXPECT_EQ(cp::apply_difference(few, cp::write_difference(few, many)), many);
  cp::Intent other = few;
  ASSERT_TRUE(cp::remove(other, cp::ObjectKind::endpoint, cp::key_of(few.endpoints[0])));
  ASSERT_TRUE(cp::add(other, many.endpoints[3]));
  const auto joined = cp::join_differences(
      {cp::write_difference({}, many), back, cp::write_difference(few, other)});
  EXPECT_EQ(cp::apply_difference({}, joined), other);
  EXPECT_FALSE(cp::apply_difference(many, "- endpoint *\n- endpoint *\n"));
}

TEST(Difference, reads_what_former_releases_wrote) {
  const cp::Intent sample = sample_intent();
  const auto read = cp::apply_difference(
      sample,
      "+ command endpoint blue/02:00:00:00:0b:01 "
      "{\"network\":\"blue\",\"mac\":\"02:00:00:00:0b:01\",\"port\":\"host0\"}\n");

  ASSERT_TRUE(read);
  EXPECT_EQ(read->endpoints.size(), sample.endpoints.size());
  EXPECT_EQ(cp::write_difference(sample, *read),
            "+ command endpoint blue/02:00:00:00:0b:01 port host0\n");
  for (const char* wrong :
       {"+ file endpoint blue port host0\n", "+ file endpoint blue/02:00:00:00:0b:01 wall host0\n",
        "+ file endpoint blue/02:00:00:00:0b:01 port \n",
        "+ file endpoint blue/02:00:00:00:0b:01 port -\n", "- endpoint blue\n",
        "- endpoint a/02:00:00:00:0b:01\n- endpoint a/02:00:00:00:0b:01\n"}) {
    EXPECT_FALSE(cp::apply_difference(sample, wrong)) << wrong;
  }
}

TEST(Difference, several_in_a_row_are_one) {
  const cp::Intent none;
  const cp::Intent sample = sample_intent();
  cp::Intent other = sample;
  ASSERT_TRUE(cp::set(other, cp::ObjectKind::port, "wire0", {{"mtu", "1700"}}));
  ASSERT_TRUE(cp::remove(other, cp::ObjectKind::endpoint, "blue/02:00:00:00:0b:01"));

  const std::string joined = cp::join_differences(
      {cp::write_difference(none, sample), cp::write_difference(sample, other)});

  EXPECT_EQ(cp::apply_difference(none, joined), other);
}

TEST_F(StoreFile, history_says_who_did_what_over_a_restart) {
  const cp::Intent intent = sample_intent();
  cp::SaveRecord record = record_of("apply lab.yaml");
  record.entry.counts = {.added = 7};
  record.entry.changes = "+ network blue: vni 100\n";
  record.entry.generation = 3;
  {
    cp::Store store = open();
    ASSERT_EQ(store.save(intent, allocation_of(intent), record), 1u);
    cp::HistoryEntry refused = record.entry;
    refused.outcome = cp::Outcome::refused;
    refused.reason = "no such device";
    ASSERT_TRUE(store.give_up_prepared(refused));
  }

  cp::Store store = open();
  const auto entries = cp::read_history(store.database(), 10);

  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].outcome, cp::Outcome::refused);
  EXPECT_EQ((*entries)[0].reason, "no such device");
  cp::HistoryEntry expected = record.entry;
  expected.number = 1;
  expected.reachable = true;
  EXPECT_EQ((*entries)[1], expected);
  EXPECT_EQ(cp::newest_change(store.database()), 1u);
  EXPECT_EQ(cp::read_history(store.database(), 10, 2)->size(), 1u);
}

TEST(History, the_oldest_entries_go_and_the_way_back_ends_where_it_says) {
  Bed bed;
  cp::Intent next;
  for (std::uint32_t i = 1; i <= cp::undo_entries_max + 5; ++i) {
    next.networks = {{.name = name("blue"), .vni = i, .flood = {}}};
    ASSERT_EQ(bed.change(next), i);
  }

  EXPECT_TRUE(cp::undo_history(bed.store.database(), bed.now, 5));
  const auto too_far = cp::undo_history(bed.store.database(), bed.now, 4);
  ASSERT_FALSE(too_far);
  EXPECT_NE(too_far.error().front().message.find("reaches from 5 to 505"), std::string::npos);
  const auto entries = cp::read_history(bed.store.database(), 1000);
  ASSERT_EQ(entries->size(), 505u);
  EXPECT_TRUE((*entries)[500].reachable);
  EXPECT_FALSE((*entries)[501].reachable);

  // As if there were 10,000 of them.
  ASSERT_TRUE(bed.store.database().execute("UPDATE history SET number = 10002 WHERE number = 505"));
  ASSERT_TRUE(bed.store.confirm(entry_with(cp::Outcome::confirmed)));
  const auto left = cp::read_history(bed.store.database(), 1000);
  EXPECT_EQ(left->back().number, 4u);
  EXPECT_EQ(left->front().number, 10003u);
}

// What was refused fills history, too, and pushes changes out of it together with their undo.
TEST(History, refusals_do_not_hide_where_the_way_back_ends) {
  Bed bed;
  cp::Intent next;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    next.networks = {{.name = name("blue"), .vni = i, .flood = {}}};
    ASSERT_EQ(bed.change(next), i);
  }
  auto& database = bed.store.database();
  ASSERT_TRUE(database.execute("DELETE FROM history"));
  ASSERT_TRUE(bed.store.confirm(entry_with(cp::Outcome::refused)));
  ASSERT_TRUE(database.execute("UPDATE history SET number = 9000"));
  ASSERT_TRUE(database.execute("DELETE FROM undo WHERE number < 3"));

  EXPECT_EQ(cp::newest_change(database), 3u);
  EXPECT_FALSE(cp::undo_history(database, bed.now, 1));
}

TEST(History, large_ways_back_go_first_but_never_the_newest) {
  auto store = cp::Store::open(":memory:").value();
  const std::string large(cp::undo_bytes_max / 2, '\n');
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cp::append_history(store.database(), record_of().entry, large));
  }
  EXPECT_EQ(store.database().integer("SELECT count(*) FROM undo"), 2);

  ASSERT_TRUE(cp::append_history(store.database(), record_of().entry, large + large + "\n"));
  EXPECT_EQ(store.database().integer("SELECT min(number) FROM undo"), 4);
}

TEST(History, an_accident_is_noticed) {
  Bed bed;
  bed.change(sample_intent());
  bed.change({});

  ASSERT_TRUE(bed.store.database().execute("UPDATE history SET what = 'nothing' WHERE number = 1"));
  EXPECT_FALSE(cp::read_history(bed.store.database(), 9)->back().sound);
  EXPECT_TRUE(cp::read_history(bed.store.database(), 9)->front().sound);
  ASSERT_TRUE(bed.store.database().execute(
      "UPDATE undo SET difference = replace(difference, '1600', '1700')"));
  const auto undone = cp::undo_history(bed.store.database(), bed.now, 1);
  ASSERT_FALSE(undone);
  EXPECT_NE(undone.error().front().message.find("damaged"), std::string::npos);
}

TEST_F(StoreFile, a_change_under_way_survives_and_ends_with_the_next_save) {
  const cp::Intent intent = sample_intent();
  const cp::Allocation allocation = allocation_of(intent);
  const cp::Deadline until = cp::deadline_in(std::chrono::seconds(90));
  const cp::Prepared prepared{.entry = record_of("apply").entry,
                              .digests = cp::digests_of(intent, allocation),
                              .redo = {},
                              .numbers = cp::write_numbers(cp::Allocation(), allocation),
                              .confirm = until};
  {
    cp::Store store = open();
    ASSERT_TRUE(store.prepare(large_intent(10), cp::Prepared()));
    ASSERT_TRUE(store.prepare(intent, prepared)) << "takes the place of the one before";
  }

  cp::Store store = open();
  auto saved = store.load({});
  ASSERT_TRUE(saved && saved->prepared);
  EXPECT_EQ(saved->intent, cp::Intent{}) << "nothing is stored yet";
  EXPECT_EQ(saved->prepared->redo, cp::write_difference({}, intent));
  EXPECT_EQ(saved->prepared->digests, prepared.digests);
  EXPECT_EQ(saved->prepared->confirm, until);
  cp::Allocation restored;
  EXPECT_TRUE(cp::restore_numbers(restored, saved->prepared->numbers));
  EXPECT_EQ(restored, allocation);
  EXPECT_FALSE(cp::restore_numbers(restored, saved->prepared->numbers)) << "they are taken";

  cp::SaveRecord record = record_of();
  record.confirm = until;
  ASSERT_TRUE(store.save(intent, allocation, record));
  saved = store.load({});
  EXPECT_FALSE(saved->prepared);
  EXPECT_EQ(saved->unconfirmed, (cp::Unconfirmed{.number = 1, .until = until}));
  ASSERT_TRUE(store.confirm(entry_with(cp::Outcome::confirmed)));
  EXPECT_FALSE(store.load({})->unconfirmed);
}

TEST_F(StoreFile, a_deadline_that_an_accident_moved_is_not_believed) {
  cp::Store store = open();
  cp::SaveRecord record = record_of();
  record.confirm = cp::deadline_in(std::chrono::seconds(90));
  const cp::Intent intent = sample_intent();
  ASSERT_TRUE(store.save(intent, allocation_of(intent), record));

  ASSERT_TRUE(store.database().execute("UPDATE unconfirmed SET boot_ms = boot_ms + 1"));

  EXPECT_FALSE(store.load({}));
}

TEST(SavedStates, have_names_and_an_end) {
  Bed bed;
  const cp::Intent intent = sample_intent();
  bed.change(intent);
  const cp::HistoryEntry entry = entry_with(cp::Outcome::saved);
  for (std::size_t i = 0; i < cp::saved_states_max; ++i) {
    ASSERT_TRUE(bed.store.save_state("s" + std::to_string(i), intent, entry));
  }
  bed.change({});

  const auto refused = bed.store.save_state("one-more", {}, entry);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().front().code, base::Errc::table_full);
  EXPECT_TRUE(bed.store.save_state("s7", {}, entry)) << "takes the place of the one before";
  EXPECT_EQ(cp::read_saved_state(bed.store.database(), "s7"), cp::Intent{});
  EXPECT_EQ(cp::read_saved_state(bed.store.database(), "s8"), intent);
  EXPECT_EQ(cp::list_saved_states(bed.store.database())->front().number, 1u);
  ASSERT_TRUE(bed.store.forget_state("s31", entry));
  const auto gone = cp::read_saved_state(bed.store.database(), "s31");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().front().suggestion, "s1");
  EXPECT_FALSE(bed.store.forget_state("s31", entry));
  ASSERT_TRUE(bed.store.database().execute("UPDATE saved SET objects = '- port a' || char(10)"));
  EXPECT_FALSE(cp::read_saved_state(bed.store.database(), "s8")) << "an accident";
}

TEST(Deadline, the_clock_on_the_wall_counts_after_another_boot_only) {
  using std::chrono::milliseconds;
  const cp::Clocks then{.boot = "one", .boot_ms = 1000, .wall_ms = 500'000};
  const cp::Deadline deadline = cp::deadline_in(milliseconds(200), then);

  EXPECT_EQ(cp::time_left(deadline, then), milliseconds(200));
  EXPECT_EQ(cp::time_left(deadline, {"one", 1150, 0}), milliseconds(50))
      << "somebody set the clock";
  EXPECT_EQ(cp::time_left(deadline, {"one", 9000, 0}), milliseconds(0));
  EXPECT_EQ(cp::time_left(deadline, {"two", 5, 500'120}), milliseconds(80));
  EXPECT_EQ(cp::time_left(deadline, {"two", 5, 600'000}), milliseconds(0));
  EXPECT_EQ(cp::time_left(deadline, {"two", 5, 0}), milliseconds(200))
      << "a clock that lost its time";
}

// tests/unit/stores holds dumps of stores that release 0.1.0 wrote: schema_1.sql before there was
// history, with one object of every kind; schema_2.sql with a row an object, killed amid a change.
class FormerRelease : public StoreFile {
 protected:
  void write_golden(const std::string& name = "schema_1") {
    const char* root = std::getenv("WEIR_SOURCE_ROOT");
    ASSERT_NE(root, nullptr);
    std::ifstream file(std::string(root) + "/tests/unit/stores/" + name + ".sql");
    const std::string sql{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(sql.empty());
    auto database = cp::Database::open(path());
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute(sql.c_str()));
  }
};

TEST_F(FormerRelease, its_store_becomes_todays_and_all_is_the_files) {
  write_golden();

  cp::Store store = open();
  const auto saved = store.load({});

  ASSERT_TRUE(saved) << to_string(saved.error().front());
  EXPECT_EQ(saved->intent.ports.size(), 2u);
  EXPECT_EQ(saved->intent.vteps.size(), 3u);
  EXPECT_EQ(saved->intent.endpoints.size(), 2u);
  EXPECT_EQ(saved->intent.host_rules.size(), 1u);
  EXPECT_EQ(saved->intent.queues.size(), 1u);
  for (const cp::Endpoint& endpoint : saved->intent.endpoints) {
    EXPECT_EQ(endpoint.owner, Owner::file);
  }
  EXPECT_EQ(saved->allocation.network("blue").value, 2);
  EXPECT_TRUE(cp::read_history(store.database(), 10)->empty());
  EXPECT_EQ(store.database().integer("PRAGMA user_version"), 3);

  ASSERT_EQ(store.save({}, cp::Allocation(), record_of()), 1u);
  EXPECT_EQ(cp::undo_history(store.database(), {}, 0), saved->intent);
}

TEST_F(FormerRelease, rows_of_objects_become_a_difference_with_their_owners) {
  write_golden("schema_2");
  cp::Intent intent;
  {
    cp::Store store = open();
    const auto saved = store.load({});
    ASSERT_TRUE(saved) << to_string(saved.error().front());
    intent = saved->intent;
    const cp::Endpoint* added =
        cp::find_endpoint(intent, "blue", base::parse_mac("02:00:00:00:0b:07").value());
    ASSERT_NE(added, nullptr);
    EXPECT_EQ(added->owner, Owner::command);
    EXPECT_EQ(cp::read_history(store.database(), 10)->size(), 3u);
    ASSERT_TRUE(saved->prepared);
    const auto next = cp::apply_difference(intent, saved->prepared->redo);
    ASSERT_TRUE(next);
    EXPECT_EQ(cp::find_endpoint(*next, "blue", added->mac)->port, name("host0"));
    EXPECT_EQ(cp::undo_history(store.database(), intent, 0), cp::Intent{});
    EXPECT_EQ(cp::read_saved_state(store.database(), "monday"), intent);

    ASSERT_TRUE(store.give_up_prepared(entry_with(cp::Outcome::unfinished)));
    ASSERT_TRUE(store.tidy());
    EXPECT_EQ(store.database().integer("SELECT count(*) FROM objects"), 0);
  }
  cp::Store store = open();
  const auto saved = store.load({});
  ASSERT_TRUE(saved) << to_string(saved.error().front());
  EXPECT_EQ(saved->intent, intent);
  EXPECT_FALSE(saved->prepared);
}

TEST_F(FormerRelease, an_accident_before_is_noticed_after) {
  write_golden();
  ASSERT_TRUE(cp::Database::open(path())->execute(
      "UPDATE objects SET json = replace(json, '1600', '1601')"));

  EXPECT_NE(open_error().find("its rows do not add up"), std::string::npos) << open_error();
}

}  // namespace
