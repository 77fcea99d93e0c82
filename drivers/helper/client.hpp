// SPDX-License-Identifier: Apache-2.0
// The data plane's side of weir-porthelper: starts it, asks it, and knows when it is gone. Used at
// start and then by the port thread alone, which may wait.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "dataplane/base/log.hpp"
#include "drivers/helper/message.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace dp {

class PortHelper {
 public:
  struct Config {
    std::string program;  // Its path.
    std::string bpffs;    // Where programs are pinned that outlive the data plane.
    base::LogLevel log_level = base::LogLevel::info;
    base::LogFormat log_format = base::LogFormat::text;
  };
  struct XdpProgramParts {
    std::array<base::Descriptor, xdp_program_parts> descriptors;
    std::uint32_t flags;

    int get(XdpProgramPart part) const noexcept {
      return descriptors[static_cast<std::size_t>(part)].get();
    }
  };

  // A child of this thread's, with all of its privileges.
  static base::Result<PortHelper> start(const Config& config);
  // One that somebody else started, with the privileges of its own, and that serves this user.
  static base::Result<PortHelper> connect(const std::string& path);
  // Ends it, and waits for that where it is our child.
  ~PortHelper();
  PortHelper(PortHelper&& other) noexcept
      : socket_(std::move(other.socket_)),
        pid_(std::exchange(other.pid_, 0)),
        texts_(std::move(other.texts_)) {}
  PortHelper& operator=(PortHelper&&) = delete;

  base::Result<XdpProgramParts> open_xdp_program(const XdpProgramRequest& request);
  base::Result<base::Descriptor> open_xdp_socket(const XdpSocketRequest& request, int memory);
  base::Status pin_xdp(const XdpPinRequest& request, std::span<const int> link_and_counts);
  // One descriptor per queue.
  base::Result<std::vector<base::Descriptor>> make_tap(const TapRequest& request);
  // Frames that the kernel has dropped there.
  base::Result<std::uint64_t> tend_tap(const TapRequest& request, int tap);

 private:
  struct Answer {
    std::vector<base::Descriptor> descriptors;
    std::uint32_t flags;
    std::uint64_t dropped;
  };
  PortHelper(base::Descriptor socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

  base::Result<Answer> ask(std::span<const std::byte> request, std::span<const int> passed,
                           std::size_t wanted);
  const char* keep(const HelperReply& reply);

  base::Descriptor socket_;  // Empty once it is gone.
  pid_t pid_;
  std::set<std::string> texts_;  // Of its errors, which are literals there and live on here.
};

// Where it is installed and built: beside the program that runs.
std::string port_helper_path();

}  // namespace dp
