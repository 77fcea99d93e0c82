// SPDX-License-Identifier: Apache-2.0
// The program in the kernel that gives an interface's frames to sockets (steer.bpf.c), and its
// attachment: weir-porthelper loads and attaches it, here are the descriptors by which it is told
// what to do. Where frames shall be dropped while nobody reads them, the attachment is pinned in a
// bpffs: it stays when this process ends, however it ends, and the next one takes it over.
#pragma once

#include "dataplane/base/address.hpp"
#include "dataplane/base/error.hpp"
#include "drivers/helper/client.hpp"
#include "drivers/xdp/device_string.hpp"
#include "drivers/xdp/steer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace dp {

struct XdpSteering {
  weir_steer_what what;
  // Of weir_steer_vxlan: tunnels that end here, and addresses for which Weir asks and answers.
  std::vector<base::IpAddress> local_vteps;
  std::vector<base::IpAddress> neighbours;
  bool drop_unread;
};

class XdpProgram {
 public:
  struct Config {
    std::string interface;
    unsigned ifindex;
    XdpMode mode;
  };

  // In the kernel with these settings. Attached too, unless a predecessor's attachment was found,
  // which stays in force until begin(). `helper` outlives it.
  static base::Result<std::unique_ptr<XdpProgram>> load(PortHelper& helper, const Config& config,
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

  bool is_native() const noexcept { return (parts_.flags & xdp_program_native) != 0; }
  // Frames that nobody read: that were dropped since the attachment was first pinned, and that were
  // passed to the kernel since begin().
  std::uint64_t unread() const noexcept;
  // Until it is closed. False where the interface does not.
  bool set_promiscuous(bool promiscuous) noexcept;
  // All multicast frames, and on announcements() what neighbours tell all, which goes to the kernel
  // and is only copied here.
  base::Status overhear(bool wanted) noexcept;
  int announcements() const noexcept { return part(XdpProgramPart::packet_socket); }

 private:
  XdpProgram(PortHelper& helper, const Config& config, PortHelper::XdpProgramParts parts);
  base::Status map_settings();
  base::Status pin(const XdpSteering& steering);
  base::Status write(const XdpSteering& steering);
  std::uint64_t count_of(weir_steer_count which) const noexcept;
  bool ask_membership(int type, bool wanted) noexcept;
  int part(XdpProgramPart which) const noexcept { return parts_.get(which); }

  PortHelper& helper_;
  Config config_;
  PortHelper::XdpProgramParts parts_;
  weir_steer_settings* settings_ = nullptr;            // The program's, mapped.
  std::map<base::IpAddress, std::uint8_t> addresses_;  // In the program's map.
  std::uint64_t passed_before_ = 0;                    // As it was at begin().
  bool overhears_ = false;
  bool pinned_ = false;  // By this object.
  bool predecessor_;     // The link still runs the program of the process before.
};

}  // namespace dp
