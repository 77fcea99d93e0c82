// SPDX-License-Identifier: Apache-2.0
#include "drivers/helper/verbs.hpp"
#include "drivers/xdp/device_string.hpp"
#include "drivers/xdp/steer.h"

#include <array>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <memory>
#include <net/if.h>
#include <steer.skel.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace dp {

using base::Descriptor;
using base::Errc;
using base::fail;

namespace {

struct DestroySkeleton {
  void operator()(::steer* skeleton) const noexcept { steer__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<::steer, DestroySkeleton>;

struct Pins {
  std::string link;
  std::string counts;

  // Not there: nothing to do.
  void remove() const noexcept {
    (void)std::remove(link.c_str());
    (void)std::remove(counts.c_str());
  }
};

Pins pins_of(const InterfaceName& interface, const std::string& bpffs) {
  // An interface's name alone is not unique: each network namespace has its own.
  struct stat status{};
  const bool known = ::stat("/proc/self/ns/net", &status) == 0;
  const std::string link = bpffs + "/xdp-" + std::to_string(known ? status.st_ino : 0) + "-" +
                           std::string(to_view(interface));
  return {.link = link, .counts = link + "-counts"};
}

bool is_bpffs(const std::string& folder) noexcept {
  struct statfs status{};
  return ::statfs(folder.c_str(), &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

base::Status check_interface_is(const InterfaceName& interface, std::uint32_t ifindex) noexcept {
  if (if_nametoindex(interface.data()) == ifindex) return {};
  return fail(Errc::not_found, "the interface of an xdp port has gone, or is another one now");
}

// Whether the interface's program runs in the driver.
bool runs_native(std::uint32_t ifindex) noexcept {
  bpf_xdp_query_opts query{};  // Not LIBBPF_OPTS, which is C.
  query.sz = sizeof query;
  return bpf_xdp_query(static_cast<int>(ifindex), 0, &query) == 0 &&
         query.attach_mode == XDP_ATTACHED_DRV;
}

bool is_xdp_link_of(int link, std::uint32_t ifindex) noexcept {
  bpf_link_info info{};
  __u32 length = sizeof info;
  return bpf_obj_get_info_by_fd(link, &info, &length) == 0 && info.type == BPF_LINK_TYPE_XDP &&
         info.xdp.ifindex == ifindex;
}

bool is_counts_map(int map) noexcept {
  bpf_map_info info{};
  __u32 length = sizeof info;
  return bpf_obj_get_info_by_fd(map, &info, &length) == 0 &&
         info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.max_entries == weir_steer_counts;
}

// The attachment of the data plane before.
struct Predecessor {
  Descriptor link;    // Empty: there is none.
  bool fits = false;  // In the mode that is asked for.
};

Predecessor find_predecessor(const XdpProgramRequest& request, const Pins& pins) noexcept {
  Descriptor link(bpf_obj_get(pins.link.c_str()));
  if (!link) return {};
  if (!is_xdp_link_of(link.get(), request.ifindex)) {
    pins.remove();  // Of an interface that is gone.
    return {};
  }
  const auto mode = static_cast<XdpMode>(request.mode);
  const bool native = runs_native(request.ifindex);
  return {.link = std::move(link),
          .fits = mode == XdpMode::automatic || (mode == XdpMode::native) == native};
}

base::Result<Skeleton> load_skeleton(bool taken_over, const Pins& pins) {
  libbpf_set_print(nullptr);  // What goes wrong is told by errno and one sentence of ours.
  Skeleton skeleton(steer__open());
  if (!skeleton) return fail(Errc::io, "the XDP program cannot be read", errno);
  // Counts of frames lost while nobody ran are found again by the pin.
  if (taken_over) {
    const Descriptor counts(bpf_obj_get(pins.counts.c_str()));
    if (counts && is_counts_map(counts.get())) {
      (void)bpf_map__reuse_fd(skeleton->maps.counts, counts.get());  // Else from 0.
    }
  }
  if (const int error = steer__load(skeleton.get()); error != 0) {
    return fail(Errc::unsupported,
                "the kernel does not take the XDP program: it takes CAP_BPF and CAP_NET_ADMIN",
                -error);
  }
  return skeleton;
}

int create_link(int program, std::uint32_t ifindex, std::uint32_t flags) noexcept {
  bpf_link_create_opts options{};
  options.sz = sizeof options;
  options.flags = flags;
  return bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options);
}

base::Result<Descriptor> attach(int program, const XdpProgramRequest& request) {
  const auto mode = static_cast<XdpMode>(request.mode);
  int link = -ENOTSUP;
  if (mode != XdpMode::generic) link = create_link(program, request.ifindex, XDP_FLAGS_DRV_MODE);
  const bool try_generic =
      mode == XdpMode::generic || (mode == XdpMode::automatic && link < 0 && link != -EBUSY);
  if (try_generic) link = create_link(program, request.ifindex, XDP_FLAGS_SKB_MODE);
  if (link == -EBUSY) {
    return fail(Errc::in_use,
                "the interface has another XDP program: ip link set IFACE xdp off, or bpftool link",
                EBUSY);
  }
  if (link < 0) {
    return fail(Errc::device_failed,
                "the XDP program cannot be attached: its driver may limit the MTU (veth: 3,500), "
                "and mode=native is not for every driver",
                -link);
  }
  return Descriptor(link);
}

Descriptor copy_of(int descriptor) noexcept {
  return Descriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

}  // namespace

base::Result<HelperAnswer> open_xdp_program(const XdpProgramRequest& request,
                                            const std::string& bpffs) {
  if (auto status = check_interface_is(request.interface, request.ifindex); !status) {
    return std::unexpected(status.error());
  }
  const Pins pins = pins_of(request.interface, bpffs);
  Predecessor predecessor = find_predecessor(request, pins);
  const bool taken_over = predecessor.fits;
  const auto skeleton = load_skeleton(taken_over, pins);
  if (!skeleton) return std::unexpected(skeleton.error());
  const int program = bpf_program__fd((*skeleton)->progs.weir_steer);
  Descriptor link = std::move(predecessor.link);
  if (!taken_over) {
    if (link) {
      // As late as can be: the kernel has no place for a second program in another mode, and what
      // comes between these two calls is the kernel's. (A pin alone goes at its leisure.)
      (void)bpf_link_detach(link.get());
      pins.remove();
    }
    auto attached = attach(program, request);
    if (!attached) return std::unexpected(attached.error());
    link = std::move(*attached);
  }
  HelperAnswer answer;
  if (taken_over) answer.flags |= xdp_program_taken_over;
  if (runs_native(request.ifindex)) answer.flags |= xdp_program_native;
  answer.descriptors.push_back(std::move(link));
  for (const int part :
       {program, bpf_map__fd((*skeleton)->maps.sockets),
        bpf_map__fd((*skeleton)->maps.local_addresses), bpf_map__fd((*skeleton)->maps.data),
        bpf_map__fd((*skeleton)->maps.counts)}) {
    answer.descriptors.push_back(copy_of(part));
  }
  // Protocol 0: it receives nothing.
  answer.descriptors.emplace_back(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  for (const Descriptor& part : answer.descriptors) {
    if (!part) return fail(Errc::io, "the parts of an XDP program cannot be opened", errno);
  }
  return answer;
}

base::Result<HelperAnswer> pin_xdp(const XdpPinRequest& request,
                                   std::span<const Descriptor> link_and_counts,
                                   const std::string& bpffs) {
  const Pins pins = pins_of(request.interface, bpffs);
  if (request.pinned == 0) {
    pins.remove();
    return HelperAnswer{};
  }
  if (!is_bpffs(bpffs)) {
    return fail(Errc::unsupported,
                "dropping a port's frames while no data plane runs takes a bpffs: mount -t bpf bpf "
                "/sys/fs/bpf, name another by --bpffs, or give the port absent=pass");
  }
  const int link = link_and_counts[0].get();
  const int counts = link_and_counts[1].get();
  if (!is_xdp_link_of(link, request.ifindex) || !is_counts_map(counts)) {
    return fail(Errc::invalid_argument, "what shall be pinned is no attachment of this interface");
  }
  pins.remove();  // What another interface of that name has left behind.
  int error = bpf_obj_pin(link, pins.link.c_str());
  if (error == 0) error = bpf_obj_pin(counts, pins.counts.c_str());
  if (error != 0) {
    return fail(Errc::io, "the XDP program cannot be pinned in the bpffs", -error);
  }
  return HelperAnswer{};
}

}  // namespace dp
