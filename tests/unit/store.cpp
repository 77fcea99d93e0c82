// SPDX-License-Identifier: Apache-2.0
// The store: what is saved comes back, over crashes too, and what is damaged is refused.
#include "controlplane/store/store.hpp"

#include "controlplane/intent/edit.hpp"
#include "tests/unit/store_bed.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
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
  ASSERT_TRUE(cp::Database::open(path())->execute("PRAGMA user_version = 4"));
  EXPECT_NE(open_error().find("newer release (schema 4; this one knows 3)"), std::string::npos);

  std::filesystem::remove_all(path());
  std::filesystem::create_symlink("/dev/null", path());
  EXPECT_NE(open_error().find("cannot open"), std::string::npos) << open_error();
  EXPECT_FALSE(cp::Store::open("/nonexistent/intent.db"));
}

TEST_F(StoreFile, a_flipped_bit_or_a_cut_is_never_taken_for_an_intent) {
  const cp::Intent intent = sample_intent();
  {
    cp::Store store = open();
    ASSERT_TRUE(store.save(intent, allocation_of(intent), record_of()));
  }
  const std::string good = read_file();
  int refused = 0;
  // A stride that meets every place within a page sooner or later, in a test of seconds.
  for (std::size_t at = 0; at < good.size(); at += 61) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    write_file(bad);

    auto store = cp::Store::open(path());
    const auto saved = store ? store->load({}) : std::unexpected(store.error());

    if (!saved) {
      ++refused;
      EXPECT_FALSE(saved.error().front().message.empty());
    } else {
      EXPECT_EQ(saved->intent, intent) << "bit in byte " << at;
      EXPECT_EQ(saved->allocation, allocation_of(intent)) << "bit in byte " << at;
    }
  }
  EXPECT_GT(refused, 10) << "the rows themselves were met";

  for (std::size_t size = 1; size < good.size(); size += 509) {
    write_file(good.substr(0, size));
    auto store = cp::Store::open(path());
    const auto saved = store ? store->load({}) : std::unexpected(store.error());
    EXPECT_TRUE(!saved || saved->intent == intent) << "cut at " << size;
  }
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

TEST_F(StoreFile, a_kill_loses_nothing_that_was_acknowledged) {
  std::uint32_t acknowledged = 0;
  for (int round = 0; round < 10; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const ::pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) save_until_killed(path(), pipe_ends[1]);
    ::close(pipe_ends[1]);
    // The kill comes at another moment of a save each round.
    for (int i = 0; i < 3 + round; ++i) {
      ASSERT_EQ(::read(pipe_ends[0], &acknowledged, sizeof acknowledged),
                static_cast<::ssize_t>(sizeof acknowledged));
    }
    ::usleep(static_cast<::useconds_t>(round * 37));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::uint32_t number;
    while (::read(pipe_ends[0], &number, sizeof number) == static_cast<::ssize_t>(sizeof number)) {
      acknowledged = number;
    }
    ::close(pipe_ends[0]);

    cp::Store store = open();
    const auto saved = store.load({});

    ASSERT_TRUE(saved) << to_string(saved.error().front());
    // The save that was under way may have come through, too.
    EXPECT_GE(saved->intent.networks.size(), acknowledged);
    EXPECT_LE(saved->intent.networks.size(), acknowledged + 1);
  }
}

}  // namespace
