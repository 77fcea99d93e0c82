// SPDX-License-Identifier: Apache-2.0
// The word that holds two versions of a value: every transition, seen by both generations.
#include "dataplane/table/version.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace {

using dp::no_value;
using dp::Version;

TEST(Version, zeroed_memory_is_absent_in_every_generation) {
  const Version version;

  EXPECT_TRUE(version.empty());
  EXPECT_EQ(version.seen_by(0), no_value);
  EXPECT_EQ(version.seen_by(1), no_value);
}

TEST(Version, staged_value_is_seen_by_the_next_generation_only) {
  for (base::Generation in_force : {6U, 7U}) {
    const Version staged = Version().staged(5, in_force + 1);

    EXPECT_EQ(staged.seen_by(in_force), no_value);
    EXPECT_EQ(staged.seen_by(in_force + 1), 5U);
    EXPECT_TRUE(staged.changed());
  }
}

TEST(Version, settled_value_is_seen_by_every_generation) {
  const Version settled = Version().staged(5, 7).settled();

  EXPECT_EQ(settled.seen_by(7), 5U);
  EXPECT_EQ(settled.seen_by(8), 5U);
  EXPECT_FALSE(settled.changed());
}

TEST(Version, second_staging_keeps_what_is_in_force) {
  const Version again = Version().staged(5, 7).settled().staged(6, 8).staged(9, 8);

  EXPECT_EQ(again.seen_by(7), 5U);
  EXPECT_EQ(again.seen_by(8), 9U);
}

TEST(Version, abort_restores_what_is_in_force) {
  const Version aborted = Version().staged(5, 7).settled().staged(no_value, 8).aborted();

  EXPECT_EQ(aborted.seen_by(7), 5U);
  EXPECT_EQ(aborted.seen_by(8), 5U);
}

TEST(Version, holds_the_largest_value_and_leaves_note_and_mark_alone) {
  const Version marked = Version().with_note(Version::note_max).with_kept(true);
  const Version staged = marked.staged(no_value - 1, 3);

  EXPECT_EQ(staged.seen_by(3), no_value - 1);
  EXPECT_EQ(staged.seen_by(2), no_value);
  EXPECT_EQ(staged.note(), Version::note_max);
  EXPECT_TRUE(staged.kept());
  EXPECT_EQ(staged.settled().aborted().note(), Version::note_max);
  EXPECT_TRUE(staged.with_note(0).with_kept(false).aborted().empty());
}

}  // namespace
