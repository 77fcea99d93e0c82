// SPDX-License-Identifier: Apache-2.0
// The thread that may wait for devices: it opens, adjusts, closes and asks them, one after the
// other. The housekeeper submits jobs and collects what came of them.
#pragma once

#include "dataplane/base/id.hpp"
#include "drivers/device.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace dp {

struct PortJob {
  enum class Kind : std::uint8_t { open, reopen, adjust, observe, close };

  Kind kind;
  base::PortId port;
  DeviceRequest request;  // open, reopen (in the place of one whose interface returned), adjust.
  // adjust, observe. It may be submitted for closing meanwhile: that job comes after this one.
  Device* device = nullptr;
  std::unique_ptr<Device> closing;  // close.
  bool for_good = true;             // close: neither reopened nor for the next process.
};

struct PortOutcome {
  PortJob::Kind kind;
  base::PortId port;
  base::Status status;
  std::unique_ptr<Device> opened;  // open.
  const Device* device = nullptr;  // Of which the next two are; not to be used, it may be closed.
  DeviceFacts facts{};             // open, adjust, observe.
  Observation observation{};       // The same.
};

class PortThread {
 public:
  // `opener` outlives this.
  explicit PortThread(DeviceOpener& opener);
  // Finishes what was submitted.
  ~PortThread();
  PortThread(const PortThread&) = delete;
  PortThread& operator=(const PortThread&) = delete;

  // Readable when outcomes wait.
  int descriptor() const noexcept { return wake_; }
  void submit(PortJob job);
  std::optional<PortOutcome> collect();

 private:
  void run();
  PortOutcome work(PortJob job);

  DeviceOpener& opener_;
  int wake_;          // An eventfd, owned.
  std::mutex mutex_;  // Guards the three below.
  std::condition_variable submitted_;
  std::deque<PortJob> jobs_;
  std::deque<PortOutcome> outcomes_;
  bool stopping_ = false;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace dp
