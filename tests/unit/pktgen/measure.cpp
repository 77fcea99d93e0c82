// SPDX-License-Identifier: Apache-2.0
// What results are made of: quantiles, fairness, and what became of sequence numbers.
#include "tools/pktgen/measure/histogram.hpp"
#include "tools/pktgen/measure/jain.hpp"
#include "tools/pktgen/measure/psn_series.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <set>
#include <vector>

namespace {

using pktgen::PsnSeries;
using Finding = PsnSeries::Finding;

TEST(Histogram, quantiles_are_within_a_64th_of_the_sorted_values) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  pktgen::Histogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    // From nanoseconds to hours.
    const auto value = static_cast<std::uint64_t>(
        std::exp2(std::uniform_real_distribution<double>(0, 43)(random)));
    values.push_back(value);
    histogram.add(value);
  }
  std::ranges::sort(values);

  for (const double share : {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto at = static_cast<std::size_t>(std::ceil(share * 100'000)) - 1;
    const auto exact = static_cast<double>(values[at]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(share)), exact, exact / 64) << share;
  }
  EXPECT_EQ(histogram.least(), values.front());
  EXPECT_EQ(histogram.most(), values.back());
  EXPECT_EQ(histogram.count(), values.size());
}

TEST(Histogram, small_values_are_exact_and_the_largest_has_its_place) {
  pktgen::Histogram histogram;
  for (std::uint64_t value = 0; value < 128; ++value) histogram.add(value);
  EXPECT_EQ(histogram.quantile(0.5), 63u);

  histogram.add(UINT64_MAX);
  EXPECT_EQ(histogram.quantile(1), UINT64_MAX);
}

TEST(Histogram, sums_of_histograms_are_histograms_of_all_values) {
  pktgen::Histogram one;
  pktgen::Histogram two;
  pktgen::Histogram both;
  for (std::uint64_t value : {5u, 500u, 50'000u}) {
    one.add(value);
    both.add(value);
  }
  for (std::uint64_t value : {7u, 700u}) {
    two.add(value);
    both.add(value);
  }
  one.add(two);

  EXPECT_EQ(one.count(), 5u);
  EXPECT_EQ(one.quantile(0.5), both.quantile(0.5));
  EXPECT_EQ(one.mean(), both.mean());
}

TEST(Histogram, an_empty_one_has_no_quantile) {
  EXPECT_EQ(pktgen::Histogram().quantile(0.99), 0u);
  EXPECT_EQ(pktgen::Histogram().least(), 0u);
}

TEST(Jain, is_one_for_equals_and_one_nth_for_a_single_winner) {
  EXPECT_DOUBLE_EQ(pktgen::jain_index(std::array{3.0, 3.0, 3.0, 3.0}), 1);
  EXPECT_DOUBLE_EQ(pktgen::jain_index(std::array{8.0, 0.0, 0.0, 0.0}), 0.25);
  EXPECT_DOUBLE_EQ(pktgen::jain_index(std::array{1.0, 2.0, 3.0}), 36.0 / (3 * 14));
  EXPECT_DOUBLE_EQ(pktgen::jain_index({}), 1);
}

TEST(PsnSeries, counts_gaps_late_ones_and_duplicates_over_the_wrap) {
  PsnSeries sequence;
  sequence.start(0xff'fffe);
  std::uint32_t skipped = 0;

  EXPECT_EQ(sequence.see(0xff'fffe, 1, skipped), Finding::in_order);
  EXPECT_EQ(skipped, 0u);
  EXPECT_EQ(sequence.see(1, 1, skipped), Finding::in_order);
  EXPECT_EQ(skipped, 2u) << "0xffffff and 0";
  EXPECT_EQ(sequence.see(0, 1, skipped), Finding::late);
  EXPECT_EQ(sequence.see(0, 1, skipped), Finding::duplicate);
  EXPECT_EQ(sequence.see(1, 1, skipped), Finding::duplicate);
  EXPECT_EQ(sequence.see(2, 1, skipped), Finding::in_order);
  EXPECT_EQ(sequence.next(), 3u);
}

TEST(PsnSeries, what_came_before_the_start_is_no_loss_made_good) {
  PsnSeries sequence;
  sequence.start(100);
  std::uint32_t skipped = 0;

  EXPECT_EQ(sequence.see(99, 1, skipped), Finding::duplicate);
  EXPECT_EQ(sequence.see(103, 1, skipped), Finding::in_order);
  EXPECT_EQ(skipped, 3u);
  EXPECT_EQ(sequence.see(103 - 64, 1, skipped), Finding::too_old);
}

// Against a set that remembers everything.
TEST(PsnSeries, takes_frames_of_several_numbers) {
  PsnSeries sequence;
  sequence.start(10);
  std::uint32_t skipped = 0;

  EXPECT_EQ(sequence.see(10, 16, skipped), Finding::in_order);
  EXPECT_EQ(sequence.next(), 26u);
  EXPECT_EQ(sequence.see(10, 16, skipped), Finding::duplicate);
  EXPECT_EQ(sequence.see(42, 1, skipped), Finding::in_order);
  EXPECT_EQ(skipped, 16u);
  EXPECT_EQ(sequence.see(26, 16, skipped), Finding::late);
  EXPECT_EQ(sequence.see(26, 16, skipped), Finding::duplicate);
  EXPECT_EQ(sequence.see(43, 64, skipped), Finding::in_order);
  EXPECT_EQ(sequence.see(42, 1, skipped), Finding::too_old);
  EXPECT_EQ(sequence.see(43, 64, skipped), Finding::duplicate);
}

TEST(PsnSeries, agrees_with_a_model_that_forgets_nothing) {
  std::mt19937 random(11);
  PsnSeries sequence;
  sequence.start(0xff'ff00);
  std::set<std::uint32_t> seen;
  std::uint32_t next = 0;  // Counted on beyond 24 bits.
  std::uint64_t lost = 0;

  for (int i = 0; i < 200'000; ++i) {
    const std::uint32_t ahead = random() % 4 == 0 ? random() % 90 : 0;
    const std::uint32_t back = next > 80 && random() % 3 == 0 ? 1 + random() % 64 : 0;
    const std::uint32_t number = back != 0 ? next - back : next + ahead;
    std::uint32_t skipped = 0;
    const Finding arrival = sequence.see((0xff'ff00 + number) & 0xff'ffff, 1, skipped);
    if (number >= next) {
      EXPECT_EQ(arrival, Finding::in_order);
      EXPECT_EQ(skipped, number - next);
      lost += skipped;
      next = number + 1;
    } else {
      EXPECT_EQ(arrival, seen.contains(number) ? Finding::duplicate : Finding::late);
      if (arrival == Finding::late) --lost;
    }
    seen.insert(number);
  }
  EXPECT_EQ(lost + seen.size(), next);
}

}  // namespace
