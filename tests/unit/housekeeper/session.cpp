// SPDX-License-Identifier: Apache-2.0
// Who may talk to the housekeeper, and that no bytes whatever bring it down.
#include "dataplane/contract/region.hpp"
#include "tests/unit/housekeeper/harness.hpp"

#include <algorithm>
#include <random>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace test {
namespace {

using base::Errc;
using Session = HousekeeperTest;

TEST_F(Session, hello_tells_capacities_and_passes_the_region) {
  Controller controller(path());

  const Answer answer = controller.hello();

  ASSERT_EQ(answer.type, contract::EventType::hello_reply);
  EXPECT_EQ(answer.hello.version, contract::version_now);
  EXPECT_EQ(answer.hello.boot_id, 42U);
  EXPECT_EQ(answer.hello.generation, 0U);
  EXPECT_EQ(answer.hello.network_capacity, 100U);
  EXPECT_EQ(answer.hello.vtep_capacity, 100U);
  EXPECT_EQ(answer.hello.endpoint_capacity, 1000U);
  EXPECT_EQ(answer.hello.port_capacity, contract::port_count_max);
  EXPECT_EQ(answer.hello.digests, contract::Digests{});
  EXPECT_GE(controller.region, 0);
}

TEST_F(Session, region_can_be_read_but_by_no_means_written) {
  Controller controller(path());
  const Answer answer = controller.hello();
  const std::size_t bytes = answer.hello.region_bytes;

  void* readable = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, controller.region, 0);
  ASSERT_NE(readable, MAP_FAILED);
  const auto view = contract::RegionView::open({static_cast<const std::byte*>(readable), bytes});
  ASSERT_TRUE(view.has_value()) << view.error().text;
  EXPECT_EQ(view->value(*view->find("global.boot_id"), {}), 42U);
  EXPECT_EQ(::mprotect(readable, bytes, PROT_READ | PROT_WRITE), -1);
  ::munmap(readable, bytes);

  EXPECT_EQ(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, controller.region, 0),
            MAP_FAILED);
  EXPECT_EQ(::pwrite(controller.region, "x", 1, 0), -1);
  EXPECT_EQ(::ftruncate(controller.region, 0), -1);
}

TEST_F(Session, socket_is_for_owner_and_group_only) {
  struct stat status;
  ASSERT_EQ(::stat(path().c_str(), &status), 0);

  EXPECT_EQ(status.st_mode & 0777, 0660U);
}

TEST_F(Session, first_frame_must_be_hello) {
  Controller controller(path());

  EXPECT_EQ(controller.begin(1).code(), Errc::wrong_state);
  EXPECT_TRUE(controller.hello().ok());
  EXPECT_TRUE(controller.begin(1).ok());
}

TEST_F(Session, refuses_versions_and_features_that_it_does_not_have) {
  Controller controller(path());
  contract::Hello hello{.version_min = 2, .version_max = 3};
  EXPECT_EQ(controller.send(Verb::hello, 0, hello).code(), Errc::version_skew);

  hello = {.version_min = 1, .version_max = 7, .pid = 1, .features = 1};
  EXPECT_EQ(controller.send(Verb::hello, 0, hello).code(), Errc::version_skew);

  hello.features = 0;
  EXPECT_TRUE(controller.send(Verb::hello, 0, hello).ok());
}

TEST_F(Session, names_both_releases_and_the_older_one_in_a_refusal) {
  Controller controller(path());
  contract::Hello hello{.version_min = 2,
                        .version_max = 3,
                        .pid = 1,
                        .features = 0,
                        .program = {},
                        .release = contract::to_text<32>("7.8.9")};
  EXPECT_EQ(controller.send(Verb::hello, 0, hello).text,
            "the control plane (release 7.8.9) speaks contract versions 2..3, this data plane "
            "(release " WEIR_VERSION ") 1..1; upgrade weir-dataplane");
  hello.version_min = hello.version_max = 0;
  EXPECT_EQ(controller.send(Verb::hello, 0, hello).text,
            "the control plane (release 7.8.9) speaks contract versions 0..0, this data plane "
            "(release " WEIR_VERSION ") 1..1; upgrade weir-controlplane");
  hello.version_min = hello.version_max = 1;
  hello.features = 0x8000'0000'0000'0001;
  EXPECT_EQ(controller.send(Verb::hello, 0, hello).text,
            "the control plane (release 7.8.9) needs features 0x8000000000000001 that this data "
            "plane (release " WEIR_VERSION ") lacks; upgrade weir-dataplane");
  hello.features = 0;
  ASSERT_TRUE(controller.send(Verb::hello, 0, hello).ok());

  const std::array<std::byte, 8> two_records{};
  EXPECT_EQ(controller.exchange(contract::make_frame(300, 0, 9, two_records.data(), 4, 2)).text,
            "this data plane (release " WEIR_VERSION
            ") does not know verb 300 of the control "
            "plane (release 7.8.9); upgrade weir-dataplane");
}

// The commit would put in force what nobody meant.
TEST_F(Session, transaction_with_an_unknown_verb_cannot_be_committed) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  ASSERT_TRUE(controller.begin(7).ok());
  const std::array<std::byte, 8> record{};

  EXPECT_EQ(controller.exchange(contract::make_frame(300, 8, 9, record.data(), 8, 1)).code(),
            Errc::unsupported);
  EXPECT_EQ(controller.exchange(contract::make_frame(300, 7, 9, record.data(), 8, 1)).code(),
            Errc::unsupported);

  EXPECT_EQ(controller.commit(7).code(), Errc::wrong_state);
  ASSERT_TRUE(controller.begin(8).ok());
  EXPECT_TRUE(controller.commit(8).ok());
}

TEST_F(Session, second_controller_is_told_busy_and_closed) {
  Controller first(path());
  ASSERT_TRUE(first.hello().ok());

  Controller second(path());
  const auto answer = second.wait();

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->code(), Errc::busy);
  EXPECT_FALSE(second.wait().has_value()) << "the session is closed";
  EXPECT_TRUE(first.begin(1).ok()) << "the first one did not notice";
}

TEST_F(Session, next_controller_is_welcome_when_the_first_has_gone) {
  for (int round = 0; round < 50; ++round) {
    Controller controller(path());
    ASSERT_TRUE(controller.hello().ok()) << round;
  }
}

TEST_F(Session, second_instance_on_the_same_directory_is_refused) {
  const auto second = dp::CommandSocket::listen(path());

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::already_exists);
}

TEST_F(Session, replies_come_in_order_with_the_sequence_of_their_frame) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(controller.post(
        contract::make_frame(static_cast<std::uint16_t>(Verb::abort), 1, 1000 + i, nullptr, 4, 0)));
  }
  for (std::uint32_t i = 0; i < 20; ++i) {
    const auto answer = controller.wait();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->sequence, 1000 + i);
  }
}

TEST_F(Session, controller_that_does_not_read_is_not_read_from) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  const auto frame =
      contract::make_frame(static_cast<std::uint16_t>(Verb::abort), 1, 7, nullptr, 4, 0);
  // Until both directions are full and stay so, which needs far fewer than this.
  constexpr std::uint32_t frames_max = 100'000;
  std::uint32_t sent = 0;
  for (int refused = 0; refused < 20 && sent < frames_max;) {
    if (controller.try_post(frame)) {
      ++sent;
      refused = 0;
    } else {
      ++refused;
      ::usleep(2000);
    }
  }

  EXPECT_LT(sent, frames_max);
  for (std::uint32_t i = 0; i < sent; ++i) ASSERT_TRUE(controller.wait().has_value()) << i;
  EXPECT_TRUE(controller.begin(1).ok());
}

TEST_F(Session, unknown_verbs_are_refused_and_the_session_goes_on) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());

  for (std::uint16_t type : {0, 5, 59, 99, 101, 0xffff}) {
    const Answer answer = controller.exchange(contract::make_frame(type, 0, 9, nullptr, 4, 0));
    EXPECT_EQ(answer.code(), Errc::unsupported) << type;
  }
  EXPECT_TRUE(controller.begin(1).ok());
}

TEST_F(Session, malformed_frames_never_bring_it_down) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  ASSERT_TRUE(controller.begin(1).ok());
  std::mt19937 random(3);
  const std::array verbs{Verb::hello,     Verb::begin,        Verb::commit,
                         Verb::abort,     Verb::port_add,     Verb::port_remove,
                         Verb::port_set,  Verb::network_set,  Verb::network_remove,
                         Verb::vtep_set,  Verb::vtep_remove,  Verb::endpoint_set,
                         Verb::trace_add, Verb::trace_remove, Verb::endpoint_remove};

  for (int round = 0; round < 5000; ++round) {
    const auto verb = static_cast<std::uint16_t>(verbs[random() % verbs.size()]);
    std::vector<std::byte> records((random() % 4) * (1 + random() % 400));
    for (std::byte& byte : records) {
      byte = random() % 3 == 0 ? static_cast<std::byte>(random()) : std::byte{0};
    }
    auto frame = contract::make_frame(verb, 1, static_cast<std::uint32_t>(round), records.data(),
                                      records.size(), 1);
    // Half of them keep a whole header, so that their records are looked at.
    if (round % 2 == 0) frame[random() % sizeof(contract::FrameHeader)] ^= std::byte{4};
    if (round % 7 == 0) frame.resize(1 + random() % frame.size());
    ASSERT_TRUE(controller.post(frame));
    ASSERT_TRUE(controller.wait().has_value()) << "round " << round;
  }

  (void)controller.abort(1);
  EXPECT_TRUE(controller.hello().ok());
}

TEST_F(Session, frame_of_more_than_64_kib_is_refused) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());

  const Answer answer = controller.exchange(std::vector<std::byte>(100'000));

  EXPECT_EQ(answer.code(), Errc::malformed);
  EXPECT_TRUE(controller.begin(1).ok());
}

TEST_F(Session, link_changes_are_told) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  configure(controller, 1);
  const auto changes_to = [&controller](int up) {
    return std::ranges::count(controller.link_changes, up, &contract::LinkChange::up);
  };
  const auto wait_for = [&](int up) {
    for (int i = 0; i < 500 && changes_to(up) < 2; ++i) {
      ::usleep(10'000);
      (void)controller.abort(0);  // Something to be answered, behind what happened before.
    }
    EXPECT_EQ(changes_to(up), 2) << "one for each port, up " << up;
  };

  wait_for(1);
  opener_.link_up.store(false, std::memory_order_relaxed);
  wait_for(0);
  EXPECT_EQ(controller.link_changes.back().speed_mbps, 100U);
}

TEST_F(Session, devices_that_were_gone_are_opened_anew_also_while_a_commit_waits) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  configure(controller, 1);
  constexpr int ports = 2;
  ASSERT_EQ(opener_.opened.load(), ports);

  for (std::uint32_t round = 1; round <= 20; ++round) {
    opener_.vanishing.store(ports);
    // Somewhere between the question and the closing of the old device, or after it.
    ::usleep(2000 * round);
    ASSERT_TRUE(controller.begin(1 + round).ok());
    ASSERT_TRUE(controller.commit(1 + round).ok());
  }

  const auto all_closed = [this] {
    return opener_.opened - opener_.closed == ports;
  };
  for (int i = 0; i < 500 && !all_closed(); ++i) ::usleep(10'000);
  EXPECT_TRUE(all_closed()) << opener_.opened << " opened, " << opener_.closed << " closed";
  EXPECT_GT(opener_.opened.load(), ports);
}

TEST_F(Session, a_port_that_is_gone_refuses_no_commit_and_returns_with_the_new_settings) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  configure(controller, 1);
  const auto wait_for = [](auto&& condition) {
    for (int i = 0; i < 500 && !condition(); ++i) ::usleep(10'000);
    return condition();
  };
  const auto lose_both = [&] {
    const int closed = opener_.closed;
    opener_.absent.store(true);
    opener_.vanishing.store(2);
    return wait_for([&, closed] { return opener_.closed == closed + 2; });
  };
  ASSERT_TRUE(lose_both());
  contract::PortSet other = port_set(0, contract::PortRole::tenant, 1);
  other.mtu = 4000;

  ASSERT_TRUE(controller.begin(2).ok());
  ASSERT_TRUE(controller.send(Verb::port_set, 2, other).ok());
  ASSERT_TRUE(controller.commit(2).ok());

  EXPECT_EQ(opener_.opened, 2) << "nothing could be opened";
  opener_.absent.store(false);
  EXPECT_TRUE(wait_for([&] { return opener_.opened == 4; }));
  EXPECT_TRUE(wait_for([&] { return shown(region_.ports()[0].interface_gone) == 0; }));
  EXPECT_EQ(shown(region_.ports()[0].mtu), 4000U);

  ASSERT_TRUE(lose_both());
  ASSERT_TRUE(controller.begin(3, contract::replace_all).ok());
  ASSERT_TRUE(controller.commit(3).ok());
  opener_.absent.store(false);
  ::usleep(1'200'000);  // Longer than it takes to try again.
  EXPECT_EQ(opener_.opened, 4) << "what was removed stays away";
}

TEST_F(Session, traces_are_checked_and_can_be_taken_back) {
  Controller controller(path());
  ASSERT_TRUE(controller.hello().ok());
  contract::TraceAdd wanted{.trace = 1, .count = 5};
  ASSERT_TRUE(controller.send(Verb::trace_add, 0, wanted).ok());

  EXPECT_EQ(controller.send(Verb::trace_add, 0, wanted).code(), Errc::already_exists);
  wanted.trace = 0;
  EXPECT_EQ(controller.send(Verb::trace_add, 0, wanted).code(), Errc::invalid_argument);
  wanted = {.trace = 2, .count = 0};
  EXPECT_EQ(controller.send(Verb::trace_add, 0, wanted).code(), Errc::invalid_argument);
  wanted = {.trace = 2, .count = 1001};
  EXPECT_EQ(controller.send(Verb::trace_add, 0, wanted).code(), Errc::invalid_argument);
  wanted = {.trace = 2, .count = 1, .fields = 0x8000};
  EXPECT_EQ(controller.send(Verb::trace_add, 0, wanted).code(), Errc::unsupported);
  wanted = {.trace = 2, .count = 1};
  wanted.kind = 200;
  EXPECT_EQ(controller.send(Verb::trace_add, 0, wanted).code(), Errc::invalid_argument);

  EXPECT_EQ(controller.send(Verb::trace_remove, 0, contract::TraceRemove{7}).code(),
            Errc::not_found);
  EXPECT_TRUE(controller.send(Verb::trace_remove, 0, contract::TraceRemove{1}).ok());
  for (std::uint32_t trace = 1; trace <= 8; ++trace) {
    // The slot of the removed one comes back after a grace period.
    Answer answer;
    for (int i = 0; i < 100 && !answer.ok(); ++i) {
      answer = controller.send(Verb::trace_add, 0, contract::TraceAdd{.trace = trace, .count = 1});
      if (!answer.ok()) ::usleep(10'000);
    }
    ASSERT_TRUE(answer.ok()) << trace << answer.text;
  }
  EXPECT_EQ(controller.send(Verb::trace_add, 0, contract::TraceAdd{.trace = 9, .count = 1}).code(),
            Errc::table_full);
}

}  // namespace
}  // namespace test
