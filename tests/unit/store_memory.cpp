// SPDX-License-Identifier: Apache-2.0
// The store where SQLite gets no memory, at each of its allocations in turn: an error that says so,
// all or nothing is stored, and no file is taken for a damaged one. Each seventh allocation, or
// each where WEIR_ROUNDS is set.
#include "controlplane/store/store.hpp"
#include "tests/unit/store_bed.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <sys/wait.h>
#include <unistd.h>

namespace {

sqlite3_mem_methods usual;
std::size_t asked_for = 0;  // Allocations since somebody began to count.
std::size_t failing = 0;    // The one that fails; 0: none.

void* get(int bytes) {
  return ++asked_for == failing ? nullptr : usual.xMalloc(bytes);
}

void* get_more(void* former, int bytes) {
  return ++asked_for == failing ? nullptr : usual.xRealloc(former, bytes);
}

class StoreMemory : public StoreFile {
 protected:
  static void SetUpTestSuite() {
    if (usual.xMalloc != nullptr) return;  // Another suite has done so.
    sqlite3_shutdown();
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual), SQLITE_OK);
    sqlite3_mem_methods ours = usual;
    ours.xMalloc = get;
    ours.xRealloc = get_more;
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours), SQLITE_OK);
  }
  void SetUp() override { ASSERT_TRUE(open().save(intent_, allocation_of(intent_), record_of())); }
  void TearDown() override { failing = 0; }

  // Calls f(), which may fail for want of memory only, with each allocation failing once; false of
  // what it returns means that it failed.
  template <class F>
  void at_each_allocation(F&& f) {
    const std::size_t step = std::getenv("WEIR_ROUNDS") == nullptr ? 7 : 1;
    for (std::size_t number = 1;; number += step) {
      asked_for = 0;
      failing = number;
      // In a process of its own, as some end it.
      const pid_t child = ::fork();
      if (child == 0) ::_exit(static_cast<int>(outcome_of(f)));
      int ended = 0;
      ASSERT_EQ(::waitpid(child, &ended, 0), child);
      ASSERT_TRUE(WIFEXITED(ended)) << number;
      const auto outcome = static_cast<Outcome>(WEXITSTATUS(ended));
      ASSERT_NE(outcome, Outcome::wrong) << number;
      const bool done = outcome == Outcome::done || outcome == Outcome::not_reached;
      const bool failed = outcome != Outcome::not_reached;
      failing = 0;
      for (const auto& file :
           std::filesystem::directory_iterator(std::filesystem::path(path()).parent_path())) {
        const std::string name = file.path().filename();
        EXPECT_EQ(name.find("damaged"), name.npos) << number;
        EXPECT_EQ(name.find("alarm"), name.npos) << number;
      }
      if (testing::Test::HasFailure()) return;
      if (!failed) {
        EXPECT_TRUE(done);
        EXPECT_GT(number, 100u);
        return;
      }
      check(done);
    }
  }
  enum class Outcome : std::uint8_t { done, ended, refused, not_reached, wrong };
  template <class F>
  static Outcome outcome_of(F&& f) {
    try {
      const cp::Status status = f();
      if (asked_for < failing) return status ? Outcome::not_reached : Outcome::wrong;
      if (status) return Outcome::done;
      if (status.error().front().code == base::Errc::out_of_memory) return Outcome::refused;
      std::fprintf(stderr, "%s\n", to_string(status.error().front()).c_str());
      return Outcome::wrong;
    } catch (const std::bad_alloc&) {
      return Outcome::ended;
    }
  }
  // What is stored, after something was done or failed.
  virtual void check(bool done) = 0;

  cp::Intent stored() {
    auto saved = open().load({});
    EXPECT_TRUE(saved) << to_string(saved.error().front());
    return saved ? saved->intent : cp::Intent{};
  }

  cp::Intent intent_ = sample_intent();
};

class StoreOpenedWithoutMemory : public StoreMemory {
  void check(bool) override { EXPECT_EQ(stored(), intent_); }
};

TEST_F(StoreOpenedWithoutMemory, it_opens_or_says_so) {
  at_each_allocation([&]() -> cp::Status {
    auto store = cp::Store::open(path());
    if (!store) return std::unexpected(store.error());
    const auto saved = store->load({});
    if (!saved) return std::unexpected(saved.error());
    EXPECT_EQ(saved->intent, intent_);
    return {};
  });
}

class StoreSavedWithoutMemory : public StoreMemory {
  void check(bool done) override {
    EXPECT_EQ(stored(), done ? next() : intent_);
    if (done) intent_ = next();
  }

 public:
  // From the sample to one without its endpoints, and back.
  cp::Intent next() const {
    cp::Intent next = sample_intent();
    if (!intent_.endpoints.empty()) next.endpoints.clear();
    return next;
  }
};

TEST_F(StoreSavedWithoutMemory, all_is_saved_or_nothing) {
  at_each_allocation([&]() -> cp::Status {
    const std::size_t number = failing;
    failing = 0;
    cp::Store store = open();
    EXPECT_TRUE(store.load({}));
    asked_for = 0;
    failing = number;
    const auto saved = store.save(next(), allocation_of(next()), record_of());
    if (!saved) return std::unexpected(saved.error());
    return {};
  });
}

}  // namespace
