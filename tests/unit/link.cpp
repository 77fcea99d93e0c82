// SPDX-License-Identifier: Apache-2.0
// The link against a fake data plane: what is sent after which hello, and what a refusal leaves.
#include "controlplane/link/link.hpp"

#include "controlplane/plan/records.hpp"
#include "tests/unit/fake_dataplane.hpp"
#include "tests/unit/intent_sample.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <unistd.h>

namespace {

using contract::Verb;
using cp::LinkState;
using namespace std::chrono_literals;

// Wants one intent; remembers what it is told.
class Owner : public cp::LinkOwner {
 public:
  explicit Owner(cp::Intent intent) : intent_(std::move(intent)) {
    EXPECT_TRUE(allocation.take_all(intent_));
  }

  void on_limits(const cp::Limits& limits) override { seen_limits = limits; }
  void on_in_force(const contract::Digests& digests) override { found_digests = digests; }
  std::optional<contract::Digests> wanted_digests() override {
    if (!said) return std::nullopt;
    return cp::digests_of(intent_, allocation);
  }
  cp::Plan everything(contract::TableSet tables) override {
    return cp::plan_all(allocation, intent_, tables);
  }
  const cp::Allocation& names() override { return allocation; }
  void on_event(const contract::FrameView& event) override {
    events.push_back(event.header().type);
  }
  void on_status(const cp::LinkStatus& status) override { states.push_back(status.state); }

  // As the configuration does: planned, committed, then wanted.
  cp::Plan plan_to(const cp::Intent& next) {
    EXPECT_TRUE(allocation.take_all(next));
    return cp::make_plan(allocation, intent_, next);
  }
  void want(cp::Intent next) { intent_ = std::move(next); }

  cp::Allocation allocation;
  cp::Limits seen_limits;
  std::optional<contract::Digests> found_digests;
  std::vector<std::uint16_t> events;
  std::vector<LinkState> states;
  bool said = true;

 private:
  cp::Intent intent_;
};

class LinkTest : public testing::Test {
 protected:
  LinkTest()
      : directory_(std::filesystem::temp_directory_path() /
                   ("weir-link-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory_);
  }
  ~LinkTest() override {
    if (link) {
      link->close();
      io.restart();
      io.run_for(2s);
    }
    std::filesystem::remove_all(directory_);
  }

  std::string path() const { return (directory_ / "dataplane.sock").string(); }

  void start(cp::Intent intent) {
    owner.emplace(std::move(intent));
    cp::LinkOptions options{.socket_path = path()};
    options.hello_timeout = 200ms;
    options.reply_timeout = 2s;
    options.refused_retry = 50ms;
    link.emplace(io.get_executor(), options, *owner);
    boost::asio::co_spawn(io, link->run(), [](std::exception_ptr bug) { EXPECT_FALSE(bug); });
  }

  template <class Condition>
  bool reaches(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition() && std::chrono::steady_clock::now() < end) {
      io.restart();
      io.run_for(5ms);
    }
    return condition();
  }
  bool reaches_state(LinkState state) {
    return reaches([&] { return link->status().state == state; });
  }

  std::expected<std::uint64_t, cp::Error> transact(const cp::Plan& plan, const cp::Intent& next) {
    std::optional<std::expected<std::uint64_t, cp::Error>> result;
    boost::asio::co_spawn(io, link->transact(plan, contract::replace_nothing),
                          [&](std::exception_ptr, auto outcome) {
                            if (outcome) owner->want(next);
                            result = std::move(outcome);
                          });
    EXPECT_TRUE(reaches([&] { return result.has_value(); }));
    return std::move(*result);
  }

  std::filesystem::path directory_;
  boost::asio::io_context io;
  std::optional<Owner> owner;
  std::optional<cp::Link> link;
};

TEST_F(LinkTest, programs_an_empty_data_plane_without_being_asked) {
  FakeDataplane dataplane(path());
  dataplane.start();

  start(sample_intent());

  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(dataplane.digests(), owner->wanted_digests());
  EXPECT_EQ(dataplane.records(Verb::port_add), 2u);
  EXPECT_EQ(link->status().generation, 1u);
  EXPECT_EQ(owner->seen_limits.endpoints, 1'000'000u);
  EXPECT_EQ(owner->found_digests, contract::Digests{});
  EXPECT_NE(link->region(), nullptr);
}

TEST_F(LinkTest, sends_nothing_to_a_data_plane_that_has_it_all) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  const std::size_t frames = dataplane.verbs().size();
  link->close();
  io.restart();
  io.run_for(500ms);

  start(sample_intent());

  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(dataplane.verbs().size(), frames + 1);  // The hello.
  EXPECT_EQ(dataplane.generation(), 1u);
}

TEST_F(LinkTest, reprograms_a_data_plane_that_was_restarted) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  dataplane.stop();
  ASSERT_TRUE(reaches_state(LinkState::disconnected));
  EXPECT_EQ(link->region(), nullptr);

  dataplane.start();

  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(dataplane.digests(), owner->wanted_digests());
  EXPECT_EQ(link->status().connections, 2u);
}

TEST_F(LinkTest, sends_no_endpoint_to_a_restarted_data_plane_that_has_them) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  const std::uint32_t endpoints = dataplane.records(Verb::endpoint_set);
  const std::uint32_t ports = dataplane.records(Verb::port_add);
  dataplane.stop();
  ASSERT_TRUE(reaches_state(LinkState::disconnected));
  dataplane.adopt(true);

  dataplane.start();

  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(dataplane.digests(), owner->wanted_digests());
  EXPECT_EQ(dataplane.records(Verb::endpoint_set), endpoints);
  EXPECT_EQ(dataplane.records(Verb::port_add), 2 * ports);
}

TEST_F(LinkTest, replaces_endpoints_that_are_not_those_that_are_wanted) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  const std::uint32_t endpoints = dataplane.records(Verb::endpoint_set);
  dataplane.stop();
  ASSERT_TRUE(reaches_state(LinkState::disconnected));
  dataplane.adopt(false);

  dataplane.start();

  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(dataplane.digests(), owner->wanted_digests());
  EXPECT_EQ(dataplane.records(Verb::endpoint_set), 2 * endpoints);
}

TEST_F(LinkTest, sends_a_running_data_plane_the_tables_that_differ) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  const std::uint32_t vteps = dataplane.records(Verb::vtep_set);
  const std::uint32_t networks = dataplane.records(Verb::network_set);
  cp::Intent next = sample_intent();
  next.networks[0].vni += 1;

  owner->want(next);
  link->wake();

  ASSERT_TRUE(reaches([&] { return dataplane.digests() == owner->wanted_digests(); }));
  EXPECT_EQ(dataplane.records(Verb::network_set), 2 * networks);
  EXPECT_EQ(dataplane.records(Verb::vtep_set), vteps);
  EXPECT_EQ(dataplane.records(Verb::port_add), 2u);
}

TEST_F(LinkTest, replaces_all_of_a_data_plane_of_a_release_that_knows_no_tables) {
  FakeDataplane dataplane(path(), {.replaces_tables = false});
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  cp::Intent next = sample_intent();
  next.networks[0].vni += 1;

  owner->want(next);
  link->wake();

  ASSERT_TRUE(reaches([&] { return dataplane.digests() == owner->wanted_digests(); }));
  EXPECT_EQ(dataplane.records(Verb::port_add), 4u);
}

TEST_F(LinkTest, sends_one_record_for_one_endpoint_among_100000) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(large_intent(100'000));
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  const std::uint32_t before = dataplane.records(Verb::endpoint_set);
  cp::Intent next = large_intent(100'000);
  next.endpoints[500].vtep = name("gw2");
  next.endpoints[500].port = {};

  const auto generation = transact(owner->plan_to(next), next);

  ASSERT_TRUE(generation);
  EXPECT_EQ(*generation, 2u);
  EXPECT_LE(dataplane.records(Verb::endpoint_set) - before, 1u);
  EXPECT_EQ(dataplane.digests(), owner->wanted_digests());
}

TEST_F(LinkTest, names_the_object_of_a_refused_record) {
  FakeDataplane dataplane(path(), {.refuse_endpoint = 3});
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  cp::Intent next = sample_intent();
  next.endpoints.push_back(
      {.network = name("blue"), .mac = mac(0x020000000b02), .vtep = name("gw2"), .port = {}});

  const auto refused = transact(owner->plan_to(next), next);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::table_full);
  EXPECT_EQ(refused.error().object, "endpoint blue/02:00:00:00:0b:02");
  EXPECT_NE(refused.error().message.find("raise --endpoints"), std::string::npos);
  EXPECT_EQ(dataplane.verbs().back(), Verb::abort);
  EXPECT_EQ(dataplane.generation(), 1u);
}

TEST_F(LinkTest, keeps_trying_what_was_refused) {
  FakeDataplane dataplane(path(), {.refuse_commits = true});
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::refused));
  EXPECT_NE(link->status().last_error.find("no such device"), std::string::npos);

  dataplane.refuse_commits = false;

  EXPECT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(link->status().last_error, "");
}

TEST_F(LinkTest, leaves_a_data_plane_alone_until_somebody_says_what_is_wanted) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));

  owner->said = false;
  link->wake();

  EXPECT_TRUE(reaches_state(LinkState::waiting));
  EXPECT_EQ(dataplane.generation(), 1u);
}

TEST_F(LinkTest, tells_a_fresh_data_plane_that_nothing_is_wanted_or_nobody_said_what) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(cp::Intent{});

  EXPECT_TRUE(reaches_state(LinkState::in_sync));
  EXPECT_EQ(dataplane.generation(), 1u);
  owner->said = false;
  dataplane.stop();
  dataplane.start();

  EXPECT_TRUE(reaches_state(LinkState::waiting));
  EXPECT_TRUE(reaches([&] { return dataplane.generation() == 1u; }));
}

TEST_F(LinkTest, tells_which_side_is_too_old) {
  FakeDataplane dataplane(path(), {.version = contract::version_now + 1});
  dataplane.start();

  start(sample_intent());

  ASSERT_TRUE(reaches([&] {
    return link->status().last_error.find("upgrade weir-controlplane") != std::string::npos;
  }));
  EXPECT_EQ(link->status().state, LinkState::disconnected);
}

TEST_F(LinkTest, gives_up_on_a_peer_that_says_nothing) {
  FakeDataplane dataplane(path(), {.silent = true});
  dataplane.start();

  start(sample_intent());

  EXPECT_TRUE(reaches(
      [&] { return link->status().last_error.find("does not answer") != std::string::npos; }));
}

TEST_F(LinkTest, refuses_a_region_that_may_shrink) {
  FakeDataplane dataplane(path(), {.sealed = false});
  dataplane.start();

  start(sample_intent());

  EXPECT_TRUE(
      reaches([&] { return link->status().last_error.find("sealed") != std::string::npos; }));
}

TEST_F(LinkTest, answers_closed_where_the_commit_was_never_answered) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));
  cp::Intent next = sample_intent();
  next.endpoints.clear();
  const cp::Plan plan = owner->plan_to(next);
  dataplane.stop();

  const auto outcome = transact(plan, next);

  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, base::Errc::closed);
}

TEST_F(LinkTest, hands_on_events_while_commands_wait) {
  FakeDataplane dataplane(path());
  dataplane.start();
  start(sample_intent());
  ASSERT_TRUE(reaches_state(LinkState::in_sync));

  dataplane.send_trace({});

  EXPECT_TRUE(reaches([&] { return owner->events.size() == 1; }));
  EXPECT_EQ(owner->events[0], static_cast<std::uint16_t>(contract::EventType::trace_packet));
}

}  // namespace
