// SPDX-License-Identifier: Apache-2.0
// The store's two files when an accident meets them: each cut at any byte, each with any bit
// flipped. What was acknowledged is there all the same, or it is said what is not.
//
// Bits and bytes are taken with a stride; WEIR_ROUNDS says how many of each file.
#include "controlplane/intent/edit.hpp"
#include "controlplane/store/alarm.hpp"
#include "controlplane/store/difference.hpp"
#include "controlplane/store/files.hpp"
#include "tests/unit/store_bed.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

// Files by what follows the store's path: "", "-wal", ".copy", ".copy-wal".
using Files = std::map<std::string, std::string>;

std::size_t rounds() {
  const char* text = std::getenv("WEIR_ROUNDS");
  return text == nullptr ? 120 : std::strtoul(text, nullptr, 10);
}

// Everything that somebody was told is saved.
struct Told {
  cp::Intent intent;
  cp::Allocation allocation;
  std::optional<cp::Unconfirmed> unconfirmed;
  std::vector<cp::HistoryEntry> history;
  std::string undo;   // The difference from the beginning to now.
  std::string state;  // That has a name.

  friend bool operator==(const Told&, const Told&) = default;
};

class StoreDamage : public StoreFile {
 protected:
  // Three changes, of which the last one waits, and a name; then `under_way` of another.
  cp::Store make(bool under_way) {
    cp::Store store = open();
    EXPECT_TRUE(store.load({}));
    intent_ = sample_intent();
    allocation_ = allocation_of(intent_);
    EXPECT_TRUE(store.save(intent_, allocation_, record_of()));
    EXPECT_TRUE(store.save_state("monday", intent_, entry_with(cp::Outcome::saved)));
    change(store, "red", 200, {});
    change(store, "pink", 300, cp::deadline_in(std::chrono::hours(1)));
    if (under_way) {
      cp::Intent next = intent_;
      EXPECT_TRUE(cp::add(next, cp::Network{.name = name("grey"), .vni = 9, .flood = {}}));
      cp::Prepared prepared;
      prepared.entry.what = "apply";
      EXPECT_TRUE(store.prepare(next, prepared));
    }
    return store;
  }

  void change(cp::Store& store, const char* network, std::uint32_t vni,
              std::optional<cp::Deadline> confirm) {
    EXPECT_TRUE(cp::add(intent_, cp::Network{.name = name(network), .vni = vni, .flood = {}}));
    EXPECT_TRUE(allocation_.take_all(intent_));
    cp::SaveRecord record = record_of(std::string("add network ") + network);
    record.confirm = std::move(confirm);
    EXPECT_TRUE(store.save(intent_, allocation_, record));
  }

  // As they are on the disk now, which is what a kill leaves.
  Files files() const {
    Files all;
    for (const char* suffix : {"", "-wal", ".copy", ".copy-wal"}) {
      std::ifstream file(path() + suffix, std::ios::binary);
      if (file) all[suffix] = {std::istreambuf_iterator<char>(file), {}};
    }
    return all;
  }

  void lay_out(const Files& files) const {
    for (const auto& entry : fs::directory_iterator(fs::path(path()).parent_path())) {
      fs::remove(entry.path());
    }
    for (const auto& [suffix, bytes] : files) {
      std::ofstream(path() + suffix, std::ios::binary) << bytes;
    }
  }

  // What a start finds; nothing where it is refused.
  std::optional<Told> start() const {
    auto store = cp::Store::open(path());
    if (!store) return std::nullopt;
    auto saved = store->load({});
    if (!saved) return std::nullopt;
    auto history = cp::read_history(store->database(), 100);
    const auto first = cp::undo_history(store->database(), saved->intent, 0);
    const auto state = cp::read_saved_state(store->database(), "monday");
    if (!history || !first || !state) return std::nullopt;
    return Told{.intent = saved->intent,
                .allocation = saved->allocation,
                .unconfirmed = saved->unconfirmed,
                .history = *history,
                .undo = cp::write_difference(*first, saved->intent),
                .state = cp::write_difference({}, *state)};
  }

  // Calls f(i) for up to rounds() of all i below `count`, and for the last ones.
  static void for_some(std::size_t count, const std::function<void(std::size_t)>& f) {
    const std::size_t stride = std::max<std::size_t>(1, count / rounds());
    // Odd, so that it meets each bit of a byte and each byte of a page.
    for (std::size_t i = 0; i < count; i += stride | 1) f(i);
  }

  void each_damage(const Files& good, const Told& told);
  void damage(const Files& good, const std::string& suffix, const std::string& bytes,
              const Told& told, const std::string& what);

  cp::Intent intent_;
  cp::Allocation allocation_;
  std::size_t alarms_ = 0;
};

void StoreDamage::damage(const Files& good, const std::string& suffix, const std::string& bytes,
                         const Told& told, const std::string& what) {
  Files bad = good;
  bad[suffix] = bytes;
  lay_out(bad);
  const std::optional<Told> found = start();
  ASSERT_TRUE(found) << "intent.db" << suffix << " " << what << ": " << open_error();
  ASSERT_EQ(found->intent, told.intent) << "intent.db" << suffix << " " << what;
  ASSERT_TRUE(*found == told) << "intent.db" << suffix << " " << what;
  if (!cp::read_alarm(path()).empty()) ++alarms_;
}

void StoreDamage::each_damage(const Files& good, const Told& told) {
  for (const auto& [suffix, bytes] : good) {
    alarms_ = 0;
    for_some(bytes.size(), [&](std::size_t size) {
      damage(good, suffix, bytes.substr(0, size), told, "cut at " + std::to_string(size));
    });
    for_some(bytes.size() * 8, [&](std::size_t bit) {
      std::string bad = bytes;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      damage(good, suffix, bad, told, "with bit " + std::to_string(bit) + " flipped");
    });
    if (suffix.empty()) {
      EXPECT_GT(alarms_, 0u) << "somebody must be told";
    }
  }
}

TEST_F(StoreDamage, one_file_of_a_process_that_ended_loses_nothing) {
  (void)make(false);
  const Files good = files();
  ASSERT_EQ(good.size(), 2u);
  const std::optional<Told> told = start();
  ASSERT_TRUE(told);

  each_damage(good, *told);
}

TEST_F(StoreDamage, one_file_of_a_process_that_was_killed_loses_nothing) {
  Files good;
  {
    cp::Store store = make(true);
    good = files();
    ASSERT_EQ(good.size(), 4u);
  }
  lay_out(good);
  const std::optional<Told> told = start();
  ASSERT_TRUE(told);
  ASSERT_EQ(told->history.size(), 4u);

  each_damage(good, *told);
}

TEST_F(StoreDamage, a_lost_file_is_made_anew_from_the_other) {
  (void)make(false);
  const Files good = files();
  const std::optional<Told> told = start();

  for (const char* suffix : {"", ".copy"}) {
    Files bad = good;
    bad.erase(suffix);
    lay_out(bad);
    EXPECT_EQ(start(), told) << "without intent.db" << suffix;
    // What was made anew is as good as what it was made from.
    bad = files();
    bad.erase(*suffix == '\0' ? ".copy" : "");
    lay_out(bad);
    EXPECT_EQ(start(), told) << "and then without the other";
  }
}

TEST_F(StoreDamage, what_only_the_copy_knows_no_more_is_said_to_be_lost) {
  Files before;
  {
    cp::Store store = make(false);
    before = files();
    change(store, "blond", 7, {});
  }
  Files bad = files();
  bad[".copy"] = before[".copy"];
  bad[".copy-wal"] = before[".copy-wal"];
  // A row of what is wanted, which SQLite does not look at.
  const std::size_t at = bad[""].find("+ file network blond");
  ASSERT_NE(at, std::string::npos);
  bad[""][at + 15] = 'B';
  lay_out(bad);

  const std::optional<Told> found = start();

  ASSERT_TRUE(found);
  EXPECT_EQ(found->history.size(), 4u);
  const std::string alarm = cp::read_alarm(path());
  EXPECT_NE(alarm.find("is damaged: its rows do not add up"), std::string::npos) << alarm;
  EXPECT_NE(alarm.find("ends with change 4 (add network pink"), std::string::npos) << alarm;
  EXPECT_NE(alarm.find("LOST are the changes up to change 5 (add network blond"), std::string::npos)
      << alarm;
  EXPECT_EQ(open_error(), "");
  fs::remove(cp::alarm_path(path()));
  EXPECT_EQ(open().alarm(), "") << "somebody has looked";
}

TEST_F(StoreDamage, is_never_taken_for_an_intent_where_both_are_met) {
  (void)make(false);
  const Files good = files();
  const std::optional<Told> told = start();

  for_some(good.at("").size() * 8, [&](std::size_t bit) {
    Files bad = good;
    for (const char* suffix : {"", ".copy"}) {
      std::string& bytes = bad.at(suffix);
      const std::size_t at = (bit + (*suffix == '\0' ? 0 : 4242)) % (bytes.size() * 8);
      bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << (at % 8)));
    }
    lay_out(bad);
    auto store = cp::Store::open(path());
    const auto saved = store ? store->load({}) : std::unexpected(store.error());
    if (saved) {
      EXPECT_EQ(saved->intent, told->intent) << "bit " << bit;
      EXPECT_EQ(saved->allocation, told->allocation) << "bit " << bit;
    } else {
      EXPECT_FALSE(saved.error().front().message.empty());
    }
  });
}

TEST_F(StoreDamage, a_damaged_file_is_set_aside_under_a_name_with_its_date) {
  (void)make(false);
  const std::string bytes = read_file();
  write_file(bytes.substr(0, bytes.size() / 2));

  ASSERT_TRUE(start());

  std::size_t aside = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(path()).parent_path())) {
    const std::string file = entry.path().filename();
    aside += file.starts_with("intent.db.damaged-20") && !file.ends_with("-wal") ? 1 : 0;
  }
  EXPECT_EQ(aside, 1u);
}

TEST_F(StoreDamage, a_copy_that_cannot_be_written_refuses_nothing_and_is_told) {
  cp::Store store = make(false);
  ASSERT_TRUE(store.database().copy()->execute("DROP TABLE history"));

  change(store, "blond", 7, {});

  EXPECT_FALSE(store.has_copy());
  EXPECT_NE(store.alarm().find("cannot be written"), std::string::npos) << store.alarm();
  EXPECT_EQ(store.load({})->intent, intent_);
  ASSERT_TRUE(store.tidy());
  EXPECT_TRUE(store.has_copy()) << "made anew";
  EXPECT_EQ(store.alarm(), "");
}

}  // namespace
