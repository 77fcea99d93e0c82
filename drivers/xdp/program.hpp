// SPDX-License-Identifier: Apache-2.0
// The program in the kernel that gives an interface's frames to sockets (steer.bpf.c), and its
// attachment. Where frames shall be dropped while nobody reads them, the attachment is pinned in a
// bpffs: it stays when this process ends, however it ends, and the next one takes it over.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "drivers/xdp/device_string.hpp"
#include "drivers/xdp/steer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct steer;  // Of the generated skeleton.

namespace dp {

struct XdpSteering {
  weir_steer_what what;
  std::vector<base::IpAddress> local_addresses;  // Of weir_steer_vxlan.
  bool drop_unread;
};

class XdpProgram {
 public:
  struct Config {
    std::string interface;
    unsigned ifindex;
    XdpMode mode;
    std::string pin_folder;  // In a bpffs.
  };

  // In the kernel with these settings. Attached too, unless a predecessor's attachment was found,
  // which stays in force until begin().
  static base::Result<std::unique_ptr<XdpProgram>> load(const Config& config,
                                                        const XdpSteering& steering);
  // Unless pinned, the attachment goes.
  ~XdpProgram();
  XdpProgram(const XdpProgram&) = delete;
  XdpProgram& operator=(const XdpProgram&) = delete;

  base::Status put_socket(std::uint16_t queue, int socket);
  // The sockets are there. The settings are those of load().
  base::Status begin(const XdpSteering& steering);
  base::Status steer_by(const XdpSteering& steering);
  // Nobody will take it over: the pin goes, and with this object the attachment.
  void unpin() noexcept;

  bool is_native() const noexcept { return native_; }
  // Frames that were dropped as nobody read them, since the attachment was first pinned.
  std::uint64_t unread_dropped() const noexcept;

 private:
  explicit XdpProgram(const Config& config);
  base::Status load_skeleton();
  base::Status attach_anew();
  bool find_predecessor();
  base::Status check_pin(const XdpSteering& steering) const;
  base::Status pin(const XdpSteering& steering);
  base::Status write(const XdpSteering& steering);

  struct Destroy {
    void operator()(::steer* skeleton) const noexcept;
  };

  Config config_;
  std::string link_pin_;
  std::string counts_pin_;
  std::unique_ptr<::steer, Destroy> skeleton_;
  std::vector<base::IpAddress> addresses_;  // In the program's map.
  base::Descriptor link_;
  bool native_ = false;
  bool pinned_ = false;       // By this object.
  bool predecessor_ = false;  // link_ still runs the program of the process before.
};

}  // namespace dp
