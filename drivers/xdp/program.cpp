// SPDX-License-Identifier: Apache-2.0
#include "drivers/xdp/program.hpp"

#include <algorithm>
#include <atomic>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <steer.skel.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace dp {

using base::Errc;
using base::fail;

namespace {

// An interface's name alone is not unique: each network namespace has its own.
std::string namespace_number() {
  struct stat status{};
  if (::stat("/proc/thread-self/ns/net", &status) != 0) return "0";
  return std::to_string(status.st_ino);
}

bool is_bpffs(const std::string& folder) noexcept {
  struct statfs status{};
  return ::statfs(folder.c_str(), &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

// Whether the interface's program runs in the driver.
bool runs_native(unsigned ifindex) noexcept {
  bpf_xdp_query_opts query{};  // Not LIBBPF_OPTS, which is C.
  query.sz = sizeof query;
  return bpf_xdp_query(static_cast<int>(ifindex), 0, &query) == 0 &&
         query.attach_mode == XDP_ATTACHED_DRV;
}

int create_link(int program, unsigned ifindex, std::uint32_t flags) noexcept {
  bpf_link_create_opts options{};
  options.sz = sizeof options;
  options.flags = flags;
  return bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options);
}

weir_address as_key(const base::IpAddress& address) noexcept {
  weir_address key;
  static_assert(sizeof key == sizeof address);
  std::memcpy(&key, &address, sizeof key);
  return key;
}

}  // namespace

void XdpProgram::Destroy::operator()(::steer* skeleton) const noexcept {
  steer__destroy(skeleton);
}

XdpProgram::XdpProgram(const Config& config)
    : config_(config),
      link_pin_(config.pin_folder + "/xdp-" + namespace_number() + "-" + config.interface),
      counts_pin_(link_pin_ + "-counts") {}

XdpProgram::~XdpProgram() {
  if (!skeleton_ || predecessor_) return;
  // What it has told of so far is not to be told again by whoever takes over.
  const __u32 key = weir_unread_dropped;
  const std::vector<std::uint64_t> zeros(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  (void)bpf_map_update_elem(bpf_map__fd(skeleton_->maps.counts), &key, zeros.data(), 0);
}

base::Status XdpProgram::check_pin(const XdpSteering& steering) const {
  if (!steering.drop_unread || is_bpffs(config_.pin_folder)) return {};
  return fail(Errc::unsupported,
              "dropping a port's frames while no data plane runs takes a bpffs: mount -t bpf bpf "
              "/sys/fs/bpf, name another by --bpffs, or give the port absent=pass");
}

base::Result<std::unique_ptr<XdpProgram>> XdpProgram::load(const Config& config,
                                                           const XdpSteering& steering) {
  std::unique_ptr<XdpProgram> program(new XdpProgram(config));
  if (auto status = program->check_pin(steering); !status) return std::unexpected(status.error());
  program->predecessor_ = program->find_predecessor();
  if (auto status = program->load_skeleton(); !status) return std::unexpected(status.error());
  if (auto status = program->write(steering); !status) return std::unexpected(status.error());
  if (!program->predecessor_) {
    if (auto status = program->attach_anew(); !status) return std::unexpected(status.error());
  }
  program->native_ = runs_native(config.ifindex);
  return program;
}

base::Status XdpProgram::load_skeleton() {
  libbpf_set_print(nullptr);  // What goes wrong is told by errno and one sentence of ours.
  skeleton_.reset(steer__open());
  if (!skeleton_) return fail(Errc::io, "the XDP program cannot be read", errno);
  // Counts of frames lost while nobody ran are found again by the pin.
  if (predecessor_) {
    const base::Descriptor counts(bpf_obj_get(counts_pin_.c_str()));
    if (counts) (void)bpf_map__reuse_fd(skeleton_->maps.counts, counts.get());  // Else from 0.
  }
  if (const int error = steer__load(skeleton_.get()); error != 0) {
    return fail(Errc::unsupported,
                "the kernel does not take the XDP program: it takes CAP_BPF and CAP_NET_ADMIN",
                -error);
  }
  return {};
}

bool XdpProgram::find_predecessor() {
  base::Descriptor found(bpf_obj_get(link_pin_.c_str()));
  if (!found) return false;
  bpf_link_info info{};
  __u32 length = sizeof info;
  const bool same = bpf_obj_get_info_by_fd(found.get(), &info, &length) == 0 &&
                    info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == config_.ifindex;
  const bool mode_fits = config_.mode == XdpMode::automatic ||
                         (config_.mode == XdpMode::native) == runs_native(config_.ifindex);
  if (same && mode_fits) {
    link_ = std::move(found);
    return true;
  }
  unpin();  // Of an interface that is gone, or in another mode.
  return false;
}

base::Status XdpProgram::attach_anew() {
  const int program = bpf_program__fd(skeleton_->progs.weir_steer);
  const unsigned ifindex = config_.ifindex;
  int link = -ENOTSUP;
  if (config_.mode != XdpMode::generic) link = create_link(program, ifindex, XDP_FLAGS_DRV_MODE);
  const bool try_generic = config_.mode == XdpMode::generic ||
                           (config_.mode == XdpMode::automatic && link < 0 && link != -EBUSY);
  if (try_generic) link = create_link(program, ifindex, XDP_FLAGS_SKB_MODE);
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
  link_ = base::Descriptor(link);
  return {};
}

base::Status XdpProgram::pin(const XdpSteering& steering) {
  if (!steering.drop_unread) {
    unpin();
    return {};
  }
  if (pinned_) return {};
  unpin();  // What another interface of that name has left behind.
  int error = bpf_obj_pin(link_.get(), link_pin_.c_str());
  if (error == 0) error = bpf_obj_pin(bpf_map__fd(skeleton_->maps.counts), counts_pin_.c_str());
  if (error != 0) {
    return fail(Errc::io, "the XDP program cannot be pinned in the bpffs", -error);
  }
  pinned_ = true;
  return {};
}

void XdpProgram::unpin() noexcept {
  // Not there: nothing to do.
  (void)std::remove(link_pin_.c_str());
  (void)std::remove(counts_pin_.c_str());
  pinned_ = false;
}

base::Status XdpProgram::put_socket(std::uint16_t queue, int socket) {
  const __u32 key = queue;
  const int error = bpf_map_update_elem(bpf_map__fd(skeleton_->maps.sockets), &key, &socket, 0);
  if (error == 0) return {};
  return fail(Errc::io, "a socket cannot be given to the XDP program", -error);
}

base::Status XdpProgram::begin(const XdpSteering& steering) {
  const int program = bpf_program__fd(skeleton_->progs.weir_steer);
  if (predecessor_) {
    if (const int error = bpf_link_update(link_.get(), program, nullptr); error != 0) {
      return fail(Errc::io, "the XDP program of the data plane before cannot be replaced", -error);
    }
  }
  predecessor_ = false;
  return pin(steering);
}

base::Status XdpProgram::steer_by(const XdpSteering& steering) {
  if (auto status = check_pin(steering); !status) return status;
  if (auto status = pin(steering); !status) return status;
  return write(steering);
}

base::Status XdpProgram::write(const XdpSteering& steering) {
  const int map = bpf_map__fd(skeleton_->maps.local_addresses);
  const std::uint8_t present = 1;
  // New ones before what is steered by them, old ones after: no frame falls between.
  for (const base::IpAddress& address : steering.local_addresses) {
    const weir_address key = as_key(address);
    if (const int error = bpf_map_update_elem(map, &key, &present, 0); error != 0) {
      return fail(Errc::table_full, "an xdp port takes 1,024 local VTEPs", -error);
    }
  }
  auto* settings = skeleton_->data;
  // Relaxed: the program reads each once per frame, and no order between them matters.
  std::atomic_ref(settings->unread_action)
      .store(steering.drop_unread ? XDP_DROP : XDP_PASS, std::memory_order_relaxed);
  std::atomic_ref(settings->what).store(steering.what, std::memory_order_relaxed);
  for (const base::IpAddress& address : addresses_) {
    if (std::ranges::find(steering.local_addresses, address) != steering.local_addresses.end()) {
      continue;
    }
    const weir_address key = as_key(address);
    (void)bpf_map_delete_elem(map, &key);  // It is in there: we put it.
  }
  addresses_ = steering.local_addresses;
  return {};
}

std::uint64_t XdpProgram::unread_dropped() const noexcept {
  const __u32 key = weir_unread_dropped;
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counts), &key, per_cpu.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t count : per_cpu) sum += count;
  return sum;
}

}  // namespace dp
