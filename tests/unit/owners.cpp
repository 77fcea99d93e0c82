// SPDX-License-Identifier: Apache-2.0
// Whose an object is, and what a source may do to those of others.
#include "controlplane/plan/owners.hpp"

#include "controlplane/intent/edit.hpp"
#include "controlplane/plan/changes.hpp"
#include "controlplane/plan/plan.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

namespace {

using cp::Owner;
using cp::TakeOver;

cp::Endpoint endpoint_at(std::uint64_t number, Owner owner) {
  return {.network = name("blue"),
          .mac = mac(0x0200'0000'0b00 + number),
          .owner = owner,
          .vtep = name("gw2"),
          .port = {}};
}

// The sample, and an endpoint that a command added.
cp::Intent with_command() {
  cp::Intent intent = sample_intent();
  EXPECT_TRUE(cp::add(intent, endpoint_at(7, Owner::command)));
  return intent;
}

TEST(Owners, a_file_leaves_alone_what_a_command_added) {
  cp::Intent file = sample_intent();
  ASSERT_TRUE(cp::remove(file, cp::ObjectKind::endpoint, "blue/02:00:00:00:0b:01"));

  const auto next = cp::with_whole(with_command(), file, Owner::file, TakeOver::no);

  ASSERT_TRUE(next);
  EXPECT_EQ(cp::find_changes(with_command(), *next).size(), 1u);
  EXPECT_FALSE(cp::find(*next, cp::ObjectKind::endpoint, "blue/02:00:00:00:0b:01"));
  EXPECT_TRUE(cp::find(*next, cp::ObjectKind::endpoint, "blue/02:00:00:00:0b:07"));
  EXPECT_EQ(cp::count_owners(*next)[static_cast<std::size_t>(Owner::command)], 1u);
}

TEST(Owners, a_file_takes_all_where_it_is_told_to) {
  const auto next = cp::with_whole(with_command(), sample_intent(), Owner::file, TakeOver::yes);

  EXPECT_EQ(next, sample_intent());
}

TEST(Owners, what_the_file_says_too_becomes_the_files_and_no_record_is_sent) {
  cp::Intent file = sample_intent();
  ASSERT_TRUE(cp::add(file, endpoint_at(7, Owner::file)));

  const auto next = cp::with_whole(with_command(), file, Owner::file, TakeOver::no);

  ASSERT_EQ(next, file);
  const auto changes = cp::find_changes(with_command(), *next);
  EXPECT_EQ(cp::to_text(changes), "~ endpoint blue/02:00:00:00:0b:07 (owner command → file)\n");
  EXPECT_NE(cp::to_json(changes).find(R"("owner":"file","owner_before":"command")"),
            std::string::npos);
  cp::Allocation allocation;
  ASSERT_TRUE(allocation.take_all(file));
  EXPECT_TRUE(cp::make_plan(allocation, with_command(), *next).empty());
}

TEST(Owners, a_file_that_says_otherwise_of_a_commands_object_is_refused) {
  cp::Intent file = sample_intent();
  cp::Endpoint other = endpoint_at(7, Owner::file);
  other.vtep = {};
  other.port = name("host0");
  ASSERT_TRUE(cp::add(file, other));

  const auto refused = cp::with_whole(with_command(), file, Owner::file, TakeOver::no);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().size(), 1u);
  EXPECT_EQ(refused.error().front().object, "endpoint blue/02:00:00:00:0b:07");
  EXPECT_NE(refused.error().front().message.find("owned by command"), std::string::npos);
  EXPECT_EQ(cp::with_whole(with_command(), file, Owner::file, TakeOver::yes), file);
}

TEST(Owners, an_edit_keeps_them_and_what_is_new_is_the_editors) {
  const cp::Intent before = with_command();
  cp::Intent after = before;
  ASSERT_TRUE(cp::set(after, cp::ObjectKind::port, "wire0", {{"mtu", "1500"}}));
  cp::put(after, endpoint_at(7, Owner::file));
  ASSERT_TRUE(cp::add(after, cp::Network{.name = name("red"), .vni = 200, .flood = {}}));

  cp::keep_owners(before, after, Owner::command);

  EXPECT_EQ(cp::find_port(after, "wire0")->owner, Owner::file);
  EXPECT_EQ(cp::find_network(after, "red")->owner, Owner::command);
  EXPECT_EQ(cp::find_endpoint(after, "blue", mac(0x0200'0000'0b07))->owner, Owner::command);
  const auto changes = cp::find_changes(before, after);
  EXPECT_EQ(cp::to_string(changes[0], Owner::command),
            "~ port wire0: mtu 1600 → 1500 (owner file)");
  EXPECT_EQ(cp::to_string(changes[0], Owner::file), "~ port wire0: mtu 1600 → 1500");
  const cp::ChangeSummary summary = cp::summarise_changes(before, after, 1);
  EXPECT_EQ(summary.counts, (cp::ChangeCounts{.added = 1, .changed = 1}));
  EXPECT_EQ(summary.first.size(), 1u) << "more was not asked for";
  EXPECT_EQ(summary.of_file, 1u);
  EXPECT_EQ(summary.more_of, (std::array<std::ptrdiff_t, cp::owner_count>{0, 1}));
}

TEST(Owners, have_words) {
  EXPECT_EQ(cp::parse_owner(cp::name(Owner::command)), Owner::command);
  EXPECT_EQ(cp::parse_owner("file"), Owner::file);
  EXPECT_FALSE(cp::parse_owner("nobody"));
}

}  // namespace
