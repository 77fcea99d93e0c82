// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/port_thread.hpp"

#include "dataplane/base/check.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace dp {
namespace {

void look_at(Device& device, PortOutcome& outcome) noexcept {
  outcome.device = &device;
  outcome.facts = device.facts();
  outcome.observation = device.observe();
}

}  // namespace

PortThread::PortThread(DeviceOpener& opener)
    : opener_(opener), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {
  CHECK(wake_ >= 0);  // At start, and one descriptor only.
}

PortThread::~PortThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  submitted_.notify_one();
  thread_.join();
  ::close(wake_);
}

void PortThread::submit(PortJob job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  submitted_.notify_one();
}

std::optional<PortOutcome> PortThread::collect() {
  std::uint64_t count = 0;
  // Only to make it unreadable; that nothing waited is no error.
  (void)!::read(wake_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  if (outcomes_.empty()) return std::nullopt;
  PortOutcome outcome = std::move(outcomes_.front());
  outcomes_.pop_front();
  return outcome;
}

void PortThread::run() {
  while (true) {
    std::unique_lock lock(mutex_);
    submitted_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    PortJob job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();

    PortOutcome outcome = work(std::move(job));

    lock.lock();
    outcomes_.push_back(std::move(outcome));
    lock.unlock();
    const std::uint64_t one = 1;
    // Cannot fail short of 2^64 outcomes.
    (void)!::write(wake_, &one, sizeof one);
  }
}

namespace {

base::Status check_neighbours(const DeviceRequest& request, const DeviceFacts& facts) {
  if (request.neighbours != contract::NeighbourKeeper::kernel || facts.kernel_shares) return {};
  return base::fail(base::Errc::unsupported,
                    "neighbours: kernel needs a device whose interface the kernel has too, such as "
                    "xdp:IFACE; say weir, or nothing");
}

}  // namespace

PortOutcome PortThread::work(PortJob job) {
  PortOutcome outcome{.kind = job.kind, .port = job.port, .status = {}, .opened = nullptr};
  switch (job.kind) {
    case PortJob::Kind::open:
    case PortJob::Kind::reopen: {
      auto device = opener_.open(job.request);
      if (!device) {
        outcome.status = std::unexpected(device.error());
        break;
      }
      outcome.status = check_neighbours(job.request, (*device)->facts());
      if (!outcome.status) {
        (*device)->leave();
        break;
      }
      look_at(**device, outcome);
      outcome.opened = std::move(*device);
      break;
    }
    case PortJob::Kind::adjust:
      outcome.status = check_neighbours(job.request, job.device->facts());
      if (outcome.status) outcome.status = job.device->adjust(job.request);
      look_at(*job.device, outcome);
      break;
    case PortJob::Kind::observe: look_at(*job.device, outcome); break;
    case PortJob::Kind::close:
      if (job.for_good) job.closing->leave();
      job.closing.reset();
      break;
  }
  return outcome;
}

}  // namespace dp
