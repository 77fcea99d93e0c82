// SPDX-License-Identifier: Apache-2.0
// A worker's sleep keeps the ports open that its poll() was told of, whoever has closed them: what
// is opened again too early is still in use (a TAP is refused then, and so is an AF_XDP socket).
#include "tests/unit/housekeeper/harness.hpp"

#include <atomic>
#include <csignal>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace test {
namespace {

// Relaxed: it orders nothing.
std::atomic<bool> gate_is_open{false};

void wait_at_gate(int) {
  while (!gate_is_open.load(std::memory_order_relaxed)) (void)::poll(nullptr, 0, 1);
}

class Naps : public HousekeeperTest {
 protected:
  // Long enough that a worker is found asleep.
  Naps() : HousekeeperTest({.idle = {.sleep_us_max = 50'000}}), controller_(path()) {
    EXPECT_TRUE(controller_.hello().ok());
    struct sigaction action{};
    action.sa_handler = wait_at_gate;
    EXPECT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  }
  ~Naps() override { (void)::signal(SIGUSR1, SIG_DFL); }

  Controller controller_;
};

TEST_F(Naps, a_device_is_closed_when_its_worker_is_up_again) {
  ASSERT_TRUE(controller_.begin(1).ok());
  ASSERT_TRUE(controller_.send(contract::Verb::port_add, 1, port_add(0, "memory0")).ok());
  ASSERT_TRUE(controller_.commit(1).ok());
  ::usleep(200'000);
  ASSERT_EQ(::pthread_kill(worker_threads_[0].native_handle(), SIGUSR1), 0);
  ::usleep(20'000);

  ASSERT_TRUE(controller_.begin(2).ok());
  ASSERT_TRUE(
      controller_
          .send(contract::Verb::port_remove, 2, contract::PortRemove{.port = base::PortId{0}})
          .ok());
  EXPECT_TRUE(controller_.commit(2).ok()) << "no commit waits for a sleeper";
  ::usleep(50'000);
  EXPECT_EQ(opener_.closed.load(std::memory_order_relaxed), 0);

  gate_is_open.store(true, std::memory_order_relaxed);
  for (int i = 0; i < 1000 && opener_.closed.load(std::memory_order_relaxed) == 0; ++i) {
    ::usleep(1000);
  }
  EXPECT_EQ(opener_.closed.load(std::memory_order_relaxed), 1);
}

}  // namespace
}  // namespace test
