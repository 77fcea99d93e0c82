// SPDX-License-Identifier: Apache-2.0
// A data plane that is replaced: in which order it gives what it has, and that it keeps all of it
// where its successor ends before it has the ports.
#include "dataplane/housekeeper/predecessor.hpp"
#include "tests/unit/housekeeper/harness.hpp"

#include <filesystem>
#include <future>
#include <unistd.h>

namespace test {
namespace {

using base::Errc;
using dp::Predecessor;

class HandOver : public HousekeeperTest {
 protected:
  HandOver() : HandOver(make_folder()) {}
  ~HandOver() override {
    // Answered once it has its names back, which it then removes.
    if (thread_.joinable()) (void)Controller(path()).hello();
    std::filesystem::remove_all(folder_);
  }

  // Of a process of its own, that is: the rest of it is not needed here.
  Predecessor found() {
    auto predecessor = Predecessor::find(directory_);
    EXPECT_TRUE(predecessor) << predecessor.error().text;
    return std::move(*predecessor);
  }
  static base::Status wait_for_ports(Predecessor& predecessor) {
    while (!predecessor.has_ports()) {
      if (auto status = predecessor.look(0); !status) return status;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
  }

 private:
  explicit HandOver(const std::string& folder)
      : HousekeeperTest({.table_file = folder + "/endpoints.table"}), folder_(folder) {}
  static std::string make_folder() {
    std::string name = "/tmp/weir-hand-over-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    return name;
  }

  std::string folder_;
};

TEST_F(HandOver, gives_control_first_and_keeps_the_ports) {
  Controller controller(path());
  (void)controller.hello();
  configure(controller, 1);

  Predecessor predecessor = found();
  auto claim = predecessor.take_control();

  ASSERT_TRUE(claim) << claim.error().text;
  EXPECT_EQ(predecessor.pid(), static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(predecessor.release(), WEIR_VERSION);
  EXPECT_FALSE(predecessor.has_hugepages());
  EXPECT_FALSE(controller.wait()) << "it is told to come back";
  Controller again(path());
  EXPECT_TRUE(claim->names.commands.accept()) << "and finds the successor";
  ASSERT_TRUE(claim->table_file);
  EXPECT_TRUE(claim->table_file->find(1000));
  EXPECT_EQ(opener_.opened, 2);
  EXPECT_EQ(opener_.closed, 0);
}

TEST_F(HandOver, takes_control_back_from_a_successor_that_ends) {
  Controller controller(path());
  (void)controller.hello();
  configure(controller, 1);
  for (int i = 0; i < 3; ++i) {
    {
      Predecessor predecessor = found();
      ASSERT_TRUE(predecessor.take_control());
    }

    Controller again(path());
    ASSERT_TRUE(again.connected());
    EXPECT_EQ(again.hello().hello.generation, 1U);
    ASSERT_TRUE(again.begin(2).ok());
    ASSERT_TRUE(again.abort(2).ok());
  }
  EXPECT_EQ(opener_.closed, 0);
}

TEST_F(HandOver, gives_its_ports_last_and_ends) {
  Controller controller(path());
  (void)controller.hello();
  configure(controller, 1);
  Predecessor predecessor = found();
  auto claim = predecessor.take_control();
  ASSERT_TRUE(claim);

  EXPECT_TRUE(predecessor.take_ports());
  ASSERT_TRUE(wait_for_ports(predecessor));

  EXPECT_FALSE(predecessor.take_ports());
  EXPECT_NE(predecessor.stopped_ns(), 0U);
  EXPECT_EQ(opener_.closed, 2);
  thread_.join();
  EXPECT_TRUE(ended_);
  claim->names.commands.listener().keep();  // Else nobody would remove the name.
}

TEST_F(HandOver, waits_until_no_transaction_is_open) {
  Controller controller(path());
  (void)controller.hello();
  configure(controller, 1);
  ASSERT_TRUE(controller.begin(2).ok());
  Predecessor predecessor = found();

  auto given = std::async(std::launch::async, [&] { return predecessor.take_control(); });

  EXPECT_EQ(given.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_TRUE(controller.commit(2).ok());
  EXPECT_TRUE(given.get());
}

TEST_F(HandOver, serves_one_successor_at_a_time) {
  Predecessor first = found();

  const auto second = Predecessor::find(directory_);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::closed);
  EXPECT_TRUE(first.take_control());
}

TEST_F(HandOver, ends_with_an_error_where_nobody_takes_its_ports) {
  Controller controller(path());
  (void)controller.hello();
  configure(controller, 1);
  {
    Predecessor predecessor = found();
    ASSERT_TRUE(predecessor.take_control());
    EXPECT_TRUE(predecessor.take_ports());
  }

  thread_.join();

  ASSERT_FALSE(ended_);
  EXPECT_EQ(ended_.error().code, Errc::closed);
  EXPECT_EQ(opener_.closed, 2);
  std::filesystem::remove(path());  // As after a crash, whose leftovers the next process removes.
}

TEST(NoPredecessor, is_said_to_be_missing) {
  const auto found = Predecessor::find("/nonexistent");

  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::not_found);
}

}  // namespace
}  // namespace test
