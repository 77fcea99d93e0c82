// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/stack.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <memory>
#include <string_view>
#include <thread>

namespace dp {
namespace {

// The C library's own are below SIGRTMIN, net_tap takes from SIGRTMAX down.
constexpr int stack_signal = SIGUSR2;
constexpr int nobody_answered = -1;

// A signal's handler reaches nothing else. Written by the thread that is asked.
std::array<void*, 48> frames;
std::atomic<int> frame_count{nobody_answered};
// Who may write them; 0: nobody, as one who answers late would write over another's.
std::atomic<pthread_t> asked{0};

void look_at_own_stack(int /*signal*/) {
  const int before = errno;
  pthread_t self = ::pthread_self();
  // Acquire and release pair with those in stack_of().
  if (asked.compare_exchange_strong(self, 0, std::memory_order_acquire)) {
    const int count = ::backtrace(frames.data(), frames.size());
    frame_count.store(count, std::memory_order_release);
  }
  errno = before;
}

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : symbol;
}

std::string hexadecimal(std::uintptr_t number) {
  std::array<char, 24> text{};
  const int length = std::snprintf(text.data(), text.size(), "+0x%zx", number);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::string describe(void* address) {
  Dl_info found{};
  const auto place = reinterpret_cast<std::uintptr_t>(address);
  if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr) return hexadecimal(place);
  std::string_view file = found.dli_fname;
  file.remove_prefix(file.rfind('/') + 1);
  std::string text =
      std::string(file) + hexadecimal(place - reinterpret_cast<std::uintptr_t>(found.dli_fbase));
  if (found.dli_sname == nullptr) return text;
  return demangled(found.dli_sname) +
         hexadecimal(place - reinterpret_cast<std::uintptr_t>(found.dli_saddr)) + " (" + text + ")";
}

}  // namespace

void prepare_stacks() noexcept {
  std::array<void*, 1> first{};
  (void)::backtrace(first.data(), first.size());  // Loads libgcc's unwinder.
  struct sigaction action{};
  action.sa_handler = look_at_own_stack;
  action.sa_flags = SA_RESTART;
  (void)::sigaction(stack_signal, &action, nullptr);
  answer_stack_signal();
}

void answer_stack_signal() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, stack_signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

std::vector<std::string> stack_of(pthread_t thread, std::chrono::milliseconds patience) {
  frame_count.store(nobody_answered, std::memory_order_relaxed);
  asked.store(thread, std::memory_order_release);
  if (::pthread_kill(thread, stack_signal) != 0) return {};
  const auto until = std::chrono::steady_clock::now() + patience;
  int count = nobody_answered;
  while (count == nobody_answered) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    count = frame_count.load(std::memory_order_acquire);
    // One who has begun to answer is waited for.
    pthread_t late = thread;
    if (std::chrono::steady_clock::now() >= until &&
        asked.compare_exchange_strong(late, 0, std::memory_order_relaxed)) {
      break;
    }
  }
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i) lines.push_back(describe(frames[static_cast<std::size_t>(i)]));
  // The handler and the kernel's way back from it say nothing of the thread.
  if (lines.size() > 2) lines.erase(lines.begin(), lines.begin() + 2);
  return lines;
}

}  // namespace dp
