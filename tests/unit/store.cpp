// SPDX-License-Identifier: Apache-2.0
// The store: what is saved comes back, over crashes too. What is damaged: store_damage.cpp.
#include "controlplane/store/store.hpp"

#include "controlplane/intent/edit.hpp"
#include "controlplane/store/files.hpp"
#include "tests/unit/store_bed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using cp::ObjectKind;

TEST(Store, a_new_one_is_empty) {
  auto store = cp::Store::open(":memory:");
  ASSERT_TRUE(store);

  const auto saved = store->load({});

  ASSERT_TRUE(saved) << to_string(saved.error().front());
  EXPECT_EQ(saved->intent, cp::Intent{});
  EXPECT_EQ(saved->applied, cp::Applied{});
  EXPECT_EQ(saved->allocation, cp::Allocation{});
}

TEST_F(StoreFile, what_is_saved_comes_back_in_another_process) {
  const cp::Intent intent = sample_intent();
  const cp::Allocation allocation = allocation_of(intent);
  const cp::Applied applied{.boot_id = ~std::uint64_t{0},
                            .generation = 7,
                            .digests = {.ports = 1, .networks = 2, .vteps = 3, .endpoints = 4}};
  {
    cp::Store store = open();
    ASSERT_TRUE(store.save(intent, allocation, record_of()));
    ASSERT_TRUE(store.save_applied(applied));
  }

  cp::Store store = open();
  const auto saved = store.load({});

  ASSERT_TRUE(saved) << to_string(saved.error().front());
  EXPECT_EQ(saved->intent, intent);
  EXPECT_EQ(saved->allocation, allocation);
  EXPECT_EQ(saved->applied, applied);
}

std::string newest_layer(cp::Store& store) {
  return store.database()
      .text("SELECT difference FROM layers ORDER BY number DESC LIMIT 1")
      .value();
}

TEST_F(StoreFile, a_change_writes_what_it_changes) {
  const cp::Intent before = large_intent(10'000);
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, ObjectKind::endpoint, "blue/02:00:00:00:00:01",
                      {{"vtep", ""}, {"port", "host0"}}));
  ASSERT_TRUE(cp::remove(after, ObjectKind::endpoint, "blue/02:00:00:00:00:02"));
  ASSERT_TRUE(cp::add(after, cp::Network{.name = name("red"), .vni = 200, .flood = {}}));
  cp::Allocation allocation = allocation_of(before);
  cp::Store store = open();
  ASSERT_TRUE(store.save(before, allocation, record_of()));

  ASSERT_TRUE(allocation.take_all(after));
  ASSERT_TRUE(store.save(after, allocation, record_of()));

  EXPECT_EQ(newest_layer(store),
            "+ file network red {\"name\":\"red\",\"vni\":200,\"unknown_unicast\":\"flood\"}\n"
            "+ file endpoint blue/02:00:00:00:00:01 port host0\n"
            "- endpoint blue/02:00:00:00:00:02\n");
  EXPECT_EQ(store.load({})->intent, after);
  ASSERT_TRUE(store.save(after, allocation, record_of()));
  EXPECT_EQ(store.database().integer("SELECT count(*) FROM layers"), 2) << "nothing has changed";
}

TEST_F(StoreFile, refuses_to_save_onto_what_was_not_loaded) {
  const cp::Intent intent = sample_intent();
  {
    cp::Store store = open();
    ASSERT_TRUE(store.save(intent, allocation_of(intent), record_of()));
  }
  cp::Store store = open();
  cp::Intent other = intent;
  ASSERT_TRUE(cp::add(other, cp::Network{.name = name("red"), .vni = 200, .flood = {}}));

  const auto refused = store.save(other, allocation_of(other), record_of());

  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().front().message.find("does not hold"), std::string::npos);
  EXPECT_EQ(store.load({})->intent, intent);
}

TEST_F(StoreFile, many_changes_become_one_and_say_the_same) {
  cp::Intent intent = sample_intent();
  cp::Store store = open();
  ASSERT_TRUE(store.save(intent, allocation_of(intent), record_of()));
  for (std::uint32_t i = 0; i < 1100; ++i) {
    ASSERT_TRUE(cp::set(intent, ObjectKind::network, "blue", {{"vni", std::to_string(1000 + i)}}));
    ASSERT_TRUE(store.save(intent, allocation_of(intent), record_of()));
    EXPECT_TRUE(i != 500 || store.tidy());
  }
  ASSERT_EQ(store.database().integer("SELECT count(*) FROM layers"), 1101) << "500 are not many";
  ASSERT_EQ(store.load({})->intent, intent);

  ASSERT_TRUE(store.tidy());

  EXPECT_EQ(store.database().integer("SELECT count(*) FROM layers"), 1);
  EXPECT_EQ(store.load({})->intent, intent);
  ASSERT_TRUE(store.save({}, cp::Allocation(), record_of()));
  EXPECT_EQ(store.load({})->intent, cp::Intent{});
}

TEST_F(StoreFile, freed_numbers_go_and_others_stay) {
  cp::Intent before = sample_intent();
  ASSERT_TRUE(cp::add(before, cp::Network{.name = name("aqua"), .vni = 7, .flood = {}}));
  cp::Allocation allocation = allocation_of(before);
  const base::NetworkId blue = allocation.network("blue");
  cp::Intent after = before;
  ASSERT_TRUE(cp::remove(after, ObjectKind::network, "aqua"));
  cp::Store store = open();
  ASSERT_TRUE(store.save(before, allocation, record_of()));
  allocation.release_unused(after);

  ASSERT_TRUE(store.save(after, allocation, record_of()));

  const auto saved = store.load({});
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->allocation, allocation);
  EXPECT_EQ(saved->allocation.network("blue"), blue);
  EXPECT_EQ(saved->allocation.network("aqua"), base::no_network);
}

TEST_F(StoreFile, is_readable_by_its_owner_alone) {
  const ::mode_t before = ::umask(0);
  cp::Store store = open();
  ::umask(before);
  ASSERT_TRUE(store.save(sample_intent(), allocation_of(sample_intent()), record_of()));

  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(path()).parent_path())) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(StoreFile, only_one_process_has_it) {
  cp::Store store = open();
  ASSERT_TRUE(store.load({}));
  ASSERT_TRUE(store.save_applied({.boot_id = 1, .generation = 1, .digests = {}}));

  EXPECT_NE(open_error().find("in use by another process"), std::string::npos) << open_error();
}

TEST_F(StoreFile, refuses_what_it_does_not_know) {
  write_file("not a database, but long enough to look like some kind of a file");
  EXPECT_NE(open_error().find("is no SQLite database"), std::string::npos) << open_error();

  std::filesystem::remove(path());
  ASSERT_TRUE(cp::Database::open(path())->execute("CREATE TABLE songs (title TEXT)"));
  EXPECT_NE(open_error().find("another program"), std::string::npos) << open_error();

  std::filesystem::remove(path());
  {
    cp::Store store = open();
  }
  for (const std::string& file : {path(), cp::copy_path(path())}) {
    ASSERT_TRUE(cp::Database::open(file)->execute("PRAGMA user_version = 4"));
  }
  EXPECT_NE(open_error().find("newer release (schema 4; this one knows 3)"), std::string::npos);

  for (const std::string& file : {path(), cp::copy_path(path())}) std::filesystem::remove(file);
  std::filesystem::create_symlink("/dev/null", path());
  EXPECT_NE(open_error().find("cannot open"), std::string::npos) << open_error();
  EXPECT_FALSE(cp::Store::open("/nonexistent/intent.db"));
}

// Saves intents with 0, 1, 2, … extra networks until it is killed; tells how far it got.
[[noreturn]] void save_until_killed(const std::string& path, int progress) {
  auto store = cp::Store::open(path);
  if (!store) ::_exit(1);
  auto saved = store->load({});
  if (!saved) ::_exit(2);
  cp::Intent intent = std::move(saved->intent);
  cp::Allocation allocation = std::move(saved->allocation);
  while (true) {
    const auto number = static_cast<std::uint32_t>(intent.networks.size() + 1);
    cp::Intent next = intent;
    cp::put(next,
            cp::Network{.name = name("n" + std::to_string(number)), .vni = number, .flood = {}});
    if (!allocation.take_all(next)) ::_exit(3);
    if (!store->save(next, allocation, record_of())) ::_exit(3);
    intent = std::move(next);
    if (::write(progress, &number, sizeof number) != sizeof number) ::_exit(4);
  }
}

// Starts it, lets it save a few times, and kills it at any moment; how far it said it was.
std::uint32_t save_and_be_killed(const std::string& path, std::minstd_rand& chance) {
  int pipe_ends[2];
  EXPECT_EQ(::pipe(pipe_ends), 0);
  const ::pid_t child = ::fork();
  if (child == 0) save_until_killed(path, pipe_ends[1]);
  ::close(pipe_ends[1]);
  std::uint32_t acknowledged = 0;
  const auto read_one = [&] {
    return ::read(pipe_ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged;
  };
  for (auto saves = chance() % 4; saves > 0; --saves) EXPECT_TRUE(read_one());
  ::usleep(static_cast<::useconds_t>(chance() % 2000));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  while (read_one()) {
  }
  ::close(pipe_ends[0]);
  return acknowledged;
}

// WEIR_ROUNDS=10000 is the long form.
TEST_F(StoreFile, a_kill_loses_nothing_that_was_acknowledged) {
  const char* rounds = std::getenv("WEIR_ROUNDS");
  std::minstd_rand chance(7);
  std::uint32_t acknowledged = 0;
  for (int round = rounds == nullptr ? 200 : std::atoi(rounds); round > 0; --round) {
    // A new store now and then, as long ones take their time.
    if (round % 100 == 0) {
      for (const std::string& file : {path(), cp::copy_path(path())}) {
        for (const char* suffix : {"", "-wal"}) std::filesystem::remove(file + suffix);
      }
      acknowledged = 0;
    }
    acknowledged = std::max(acknowledged, save_and_be_killed(path(), chance));

    cp::Store store = open();
    const auto saved = store.load({});

    ASSERT_TRUE(saved) << to_string(saved.error().front());
    // The save that was under way may have come through, too.
    ASSERT_GE(saved->intent.networks.size(), acknowledged);
    ASSERT_LE(saved->intent.networks.size(), acknowledged + 1);
    ASSERT_EQ(store.alarm(), "") << "a kill is no damage";
    acknowledged = static_cast<std::uint32_t>(saved->intent.networks.size());
  }
}

}  // namespace
