// SPDX-License-Identifier: Apache-2.0
// Who is stalled and who only sleeps or waits; what the supervisor is told. Threads of the test
// play the workers.
#include "dataplane/start/watch.hpp"

#include "dataplane/start/stack.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto patience = 10s;  // Of a busy machine.

enum class Doing : std::uint8_t { turns, spins, blocked, sleeps, ends };

// A worker that does as it is told.
class Player {
 public:
  Player(dp::Epoch& epoch, std::uint16_t number) : epoch_(epoch), id_(number) {
    thread_ = std::thread([this] { run(); });
    number_.wait(0);
  }
  ~Player() {
    doing_ = Doing::ends;
    thread_.join();
  }
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  // Returns when it does so.
  void tell(Doing what) {
    doing_ = what;
    while (does_ != what) std::this_thread::sleep_for(1ms);
  }
  const std::uint64_t* turns() const { return &turns_; }
  dp::WorkerThreads::Thread thread() {
    return {.handle = thread_.native_handle(), .id = number_.load()};
  }

 private:
  void run() {
    dp::answer_stack_signal();
    ASSERT_TRUE(epoch_.register_worker(id_));
    number_ = ::gettid();
    number_.notify_all();
    for (Doing now = doing_; now != Doing::ends; now = doing_) {
      does_ = now;
      if (now == Doing::turns) {
        __atomic_fetch_add(&turns_, 1, __ATOMIC_RELAXED);
        epoch_.quiescent(id_);
        std::this_thread::yield();  // Those that are to be seen need the processors.
      }
      if (now == Doing::sleeps) epoch_.offline(id_);
      if (now == Doing::sleeps || now == Doing::blocked) std::this_thread::sleep_for(400ms);
      if (now != Doing::spins && now != Doing::blocked) epoch_.online(id_);
    }
    epoch_.unregister_worker(id_);
  }

  dp::Epoch& epoch_;
  base::WorkerId id_;
  std::atomic<Doing> doing_{Doing::turns};
  std::atomic<Doing> does_{Doing::turns};
  std::atomic<pid_t> number_{0};
  std::uint64_t turns_ = 0;
  std::thread thread_;
};

// What sd_notify(3) would reach.
class NotifySocket {
 public:
  NotifySocket() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t length = sizeof address.sun_family;  // The kernel finds a name.
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    length = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    std::string name(address.sun_path, length - offsetof(sockaddr_un, sun_path));
    name[0] = '@';
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "100000", 1);
  }
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // The next message; empty: none came.
  std::string next() {
    std::array<char, 256> text{};
    const ssize_t bytes = ::recv(socket_.get(), text.data(), text.size(), 0);
    return bytes > 0 ? std::string(text.data(), static_cast<std::size_t>(bytes)) : std::string();
  }
  bool hears(const std::string& beginning, std::chrono::milliseconds within) {
    const auto until = steady_clock::now() + within;
    while (steady_clock::now() < until) {
      const std::string text = next();
      if (text.starts_with(beginning)) return true;
      if (text.empty()) std::this_thread::sleep_for(1ms);
    }
    return false;
  }
  void forget() {
    while (!next().empty()) {
    }
  }

 private:
  base::Descriptor socket_;
};

class WatchTest : public testing::Test {
 protected:
  WatchTest() : epoch_(std::move(*dp::Epoch::make(2))), first_(epoch_, 0), second_(epoch_, 1) {
    dp::prepare_stacks();
    turn_of_housekeeper();
  }

  void turn_of_housekeeper() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    __atomic_store_n(&housekeeper_ns_,
                     static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                         static_cast<std::uint64_t>(now.tv_nsec),
                     __ATOMIC_RELAXED);
  }
  void start(std::chrono::milliseconds limit = 150ms) {
    started_ = steady_clock::now();
    watch_ = std::make_unique<dp::Watch>(
        dp::Watch::Parts{.epoch = epoch_,
                         .workers = {first_.thread(), second_.thread()},
                         .turns = {first_.turns(), second_.turns()},
                         .housekeeper_ns = housekeeper_ns_,
                         .housekeeper = {.handle = ::pthread_self(), .id = ::gettid()},
                         .supervisor = base::Supervisor::from_environment(),
                         .limit = limit,
                         .recycle = [this] {
                           ++recycled_;
                         }});
  }
  // Milliseconds from the start until the process would have ended; -1: it would not.
  long recycled_within(std::chrono::milliseconds time) {
    const auto until = steady_clock::now() + time;
    while (recycled_ == 0 && steady_clock::now() < until) std::this_thread::sleep_for(1ms);
    if (recycled_ == 0) return -1;
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - started_)
        .count();
  }

  // Whether the watchdog is fed, while the housekeeper takes its turns.
  bool is_fed(NotifySocket& supervisor) {
    const auto until = steady_clock::now() + patience;
    while (steady_clock::now() < until) {
      turn_of_housekeeper();
      if (supervisor.hears("WATCHDOG=1", 10ms)) return true;
    }
    return false;
  }
  // Whether it is fed no more: what was due before may come late.
  bool starves(NotifySocket& supervisor, const std::function<void()>& meanwhile) {
    const auto until = steady_clock::now() + patience;
    while (steady_clock::now() < until) {
      meanwhile();
      supervisor.forget();
      if (!supervisor.hears("WATCHDOG=1", 500ms)) return true;
    }
    return false;
  }

  // What is logged of the second worker, which spins and is taken for stalled.
  std::string log_of_spinning() {
    testing::internal::CaptureStderr();
    second_.tell(Doing::spins);
    const long after_ms = recycled_within(patience);
    watch_->stop();
    EXPECT_GE(after_ms, 100);
    return testing::internal::GetCapturedStderr();
  }

  std::uint64_t housekeeper_ns_ = 0;
  std::atomic<int> recycled_{0};
  dp::Epoch epoch_;
  Player first_;
  Player second_;
  std::unique_ptr<dp::Watch> watch_;
  steady_clock::time_point started_;
};

TEST_F(WatchTest, a_worker_that_spins_ends_the_process_and_is_shown) {
  start();

  const std::string log = log_of_spinning();

  EXPECT_NE(log.find("worker_stalled worker=1"), std::string::npos) << log;
  EXPECT_NE(log.find("event=stack thread=worker1 number=0"), std::string::npos) << log;
  EXPECT_NE(log.find("libc.so"), std::string::npos) << log;
}

TEST_F(WatchTest, a_worker_that_the_kernel_holds_ends_the_process) {
  start();
  first_.tell(Doing::blocked);

  EXPECT_GE(recycled_within(patience), 100);
}

TEST_F(WatchTest, one_that_spins_beside_one_that_sleeps_is_the_one) {
  start();
  first_.tell(Doing::sleeps);

  const std::string log = log_of_spinning();

  EXPECT_NE(log.find("worker_stalled worker=1"), std::string::npos) << log;
  EXPECT_EQ(log.find("worker_stalled worker=0"), std::string::npos) << log;
}

TEST_F(WatchTest, who_sleeps_for_long_is_well) {
  start();
  first_.tell(Doing::sleeps);
  second_.tell(Doing::sleeps);

  EXPECT_EQ(recycled_within(1s), -1);
}

TEST_F(WatchTest, without_a_limit_nothing_ends) {
  start(0ms);
  first_.tell(Doing::spins);

  EXPECT_EQ(recycled_within(500ms), -1);
}

TEST_F(WatchTest, ready_is_told_when_a_generation_is_in_force) {
  NotifySocket supervisor;
  start();

  EXPECT_TRUE(supervisor.hears("STATUS=waits", patience));
  EXPECT_FALSE(supervisor.hears("READY=1", 300ms));
  epoch_.flip();
  EXPECT_TRUE(supervisor.hears("READY=1", patience));
  EXPECT_FALSE(supervisor.hears("READY=1", 100ms));
  watch_->stop();
  EXPECT_TRUE(supervisor.hears("STOPPING=1", patience));
}

TEST_F(WatchTest, the_watchdog_is_fed_only_while_every_worker_and_the_housekeeper_move) {
  NotifySocket supervisor;
  start(0ms);
  EXPECT_TRUE(is_fed(supervisor));

  second_.tell(Doing::spins);
  EXPECT_TRUE(starves(supervisor, [this] { turn_of_housekeeper(); }));

  second_.tell(Doing::turns);
  EXPECT_TRUE(is_fed(supervisor));
  EXPECT_TRUE(starves(supervisor, [] { std::this_thread::sleep_for(1200ms); }));
}

TEST(Supervisor, says_nothing_where_nobody_asked) {
  ::unsetenv("NOTIFY_SOCKET");
  base::Supervisor supervisor = base::Supervisor::from_environment();

  EXPECT_TRUE(supervisor.ready("nobody hears it"));
}

}  // namespace
