// SPDX-License-Identifier: Apache-2.0
// The array of records against a model: what each generation sees after every operation.
#include "dataplane/table/versioned_array.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

namespace {

template <std::size_t Words>
struct Record {
  std::array<std::uint64_t, Words> words;
};

template <std::size_t Words>
Record<Words> record_of(std::uint64_t value) {
  Record<Words> record;
  record.words.fill(value);
  return record;
}

// Of a T below a cache line and one above.
template <std::size_t Words>
class RandomOperations {
 public:
  using Model = std::map<std::uint32_t, std::uint64_t>;

  explicit RandomOperations(unsigned random_seed)
      : array_(std::move(*dp::VersionedArray<Record<Words>>::make(count))), random_(random_seed) {}

  void run(int transactions) {
    for (int i = 0; i < transactions && !testing::Test::HasFatalFailure(); ++i) transaction();
  }

 private:
  static constexpr std::uint32_t count = 20;

  void transaction() {
    Model next = in_force_;
    const auto changes = random_() % 30;
    for (unsigned i = 0; i < changes; ++i) change(next);

    if (random_() % 4 == 0) {
      while (array_.abort(1 + random_() % 4)) expect_seen(generation_, in_force_);
    } else {
      expect_seen(generation_ + 1, next);
      ++generation_;
      in_force_ = next;
      while (array_.settle(1 + random_() % 4)) expect_seen(generation_, in_force_);
    }
    expect_seen(generation_, in_force_);
    ASSERT_EQ(array_.size(), in_force_.size());
  }

  void change(Model& next) {
    const std::uint32_t index = random_() % count;
    if (random_() % 3 == 0) {
      const bool removed = array_.stage_removal(index, generation_ + 1).has_value();
      ASSERT_EQ(removed, next.erase(index) == 1);
    } else {
      next[index] = random_();
      ASSERT_TRUE(array_.stage(index, record_of<Words>(next[index]), generation_ + 1));
    }
    expect_seen(generation_, in_force_);
    Model walked;
    array_.for_each([&](std::uint32_t i, const Record<Words>& r) { walked[i] = r.words.back(); });
    ASSERT_EQ(walked, next);
    ASSERT_EQ(array_.size(), next.size());
  }

  void expect_seen(base::Generation generation, const Model& model) {
    for (std::uint32_t index = 0; index < count; ++index) {
      const Record<Words>* record = array_.find(index, generation);
      const auto expected = model.find(index);
      ASSERT_EQ(record != nullptr, expected != model.end());
      if (record == nullptr) continue;
      for (std::uint64_t word : record->words) ASSERT_EQ(word, expected->second);
    }
  }

  dp::VersionedArray<Record<Words>> array_;
  std::mt19937 random_;
  Model in_force_;
  base::Generation generation_ = 41;
};

TEST(VersionedArray, agrees_with_the_model_for_small_records) {
  for (unsigned random_seed = 1; random_seed <= 4; ++random_seed) {
    RandomOperations<2>(random_seed).run(200);
  }
}

TEST(VersionedArray, agrees_with_the_model_for_large_records) {
  for (unsigned random_seed = 1; random_seed <= 4; ++random_seed) {
    RandomOperations<37>(random_seed).run(200);
  }
}

TEST(VersionedArray, refuses_what_lies_outside) {
  auto array = dp::VersionedArray<Record<1>>::make(4);
  ASSERT_TRUE(array);

  EXPECT_EQ(array->find(4, 1), nullptr);
  EXPECT_EQ(array->stage(4, record_of<1>(1), 1).error().code, base::Errc::invalid_argument);
  EXPECT_EQ(array->stage_removal(4, 1).error().code, base::Errc::not_found);
  EXPECT_EQ(array->stage_removal(3, 1).error().code, base::Errc::not_found);
  EXPECT_FALSE(dp::VersionedArray<Record<1>>::make(0));
}

TEST(VersionedArray, next_transaction_waits_until_this_one_is_settled) {
  auto array = dp::VersionedArray<Record<1>>::make(4);
  ASSERT_TRUE(array);
  ASSERT_TRUE(array->stage(1, record_of<1>(1), 1));

  EXPECT_EQ(array->stage(2, record_of<1>(2), 2).error().code, base::Errc::wrong_state);
  EXPECT_FALSE(array->settle());
  EXPECT_TRUE(array->stage(2, record_of<1>(2), 2));
}

}  // namespace
