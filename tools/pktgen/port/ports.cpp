// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/port/ports.hpp"

#include "dataplane/base/log.hpp"
#include "dataplane/contract/frame.hpp"

#include <cstdlib>
#include <filesystem>

namespace pktgen {

using base::Errc;
using base::fail;

namespace {

constexpr std::uint16_t descriptors = 1024;

// Once we are gone, an interface is the kernel's alone; to keep its frames from it would take a
// bpffs.
std::string completed(const std::string& device) {
  const bool is_said = device.find("absent=") != std::string::npos;
  return dp::is_xdp_device(device) && !is_said ? device + ",absent=pass" : device;
}

base::Result<std::string> make_directory() {
  std::string path = (std::filesystem::temp_directory_path() / "weir-pktgen-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    return fail(Errc::io, "cannot make a directory for DPDK's files; set TMPDIR", errno);
  }
  return path;
}

}  // namespace

base::Result<std::unique_ptr<Ports>> Ports::open(const Options& options) {
  std::unique_ptr<Ports> ports(new Ports);
  if (!options.ports.empty()) {
    // Before EAL, as it is a child without DPDK's memory.
    auto helper = dp::PortHelper::start({.program = dp::port_helper_path(),
                                         .bpffs = options.bpffs,
                                         .log_level = options.log_level,
                                         .log_format = options.log_format});
    if (!helper) return std::unexpected(helper.error());
    ports->helper_.emplace(std::move(*helper));
  }
  auto directory = make_directory();
  if (!directory) return std::unexpected(directory.error());
  ports->directory_ = std::move(*directory);
  auto eal = dp::Eal::start({.directory = ports->directory_,
                             .packet_bytes = dp::pool_bytes(options.mbufs, options.mbuf_bytes),
                             .no_hugepages = options.no_hugepages});
  if (!eal) return std::unexpected(eal.error());
  ports->eal_.emplace(std::move(*eal));
  auto pool = dp::make_pool(options.mbufs, options.mbuf_bytes, SOCKET_ID_ANY);
  if (!pool) return std::unexpected(pool.error());
  ports->pool_.emplace(std::move(*pool));
  if (options.ports.empty()) {
    for (int end = 0; end < 2; ++end) {
      ports->memory_.push_back(
          std::make_unique<dp::Port>(std::in_place_type<dp::MemoryPort>, std::uint16_t{1}));
      ports->ports_.push_back({.port = ports->memory_.back().get(), .rx_queues = 1});
    }
    return ports;
  }
  if (auto opened = ports->open_devices(options); !opened) return std::unexpected(opened.error());
  return ports;
}

base::Status Ports::open_devices(const Options& options) {
  opener_.emplace(**pool_, *helper_, dp::Opener::StartEnd{});
  for (const std::string& name : options.ports) {
    // A tenant's port: all frames are ours.
    auto device = opener_->open({.device = completed(name),
                                 .worker_count = 1,
                                 .rx_queues = 0,
                                 .rx_descriptors = descriptors,
                                 .tx_descriptors = descriptors,
                                 .mtu = options.mtu,
                                 .promiscuous = true,
                                 .role = contract::PortRole::tenant});
    if (!device) {
      // The helper's own errors are texts that end with it.
      LOG(error, "port_not_opened", {"device", name}, {"reason", device.error().text});
      return fail(device.error().code, "a port could not be opened, as was said above",
                  device.error().error_number);
    }
    const dp::DeviceFacts& facts = (*device)->facts();
    facts_.push_back({.device = name,
                      .driver = std::string(contract::to_view(facts.driver)),
                      .mac = base::to_string(facts.mac),
                      .mtu = facts.mtu});
    ports_.push_back({.port = &(*device)->port(), .rx_queues = facts.rx_queues});
    devices_.push_back(std::move(*device));
  }
  return {};
}

Ports::~Ports() {
  for (const auto& device : devices_) device->leave();
  devices_.clear();
  memory_.clear();
  opener_.reset();
  pool_.reset();
  eal_.reset();
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

std::vector<std::pair<std::string, std::uint64_t>> Ports::drops() {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const dp::Observation seen = devices_[i]->observe();
    for (std::size_t reason = 0; reason < seen.drops.size(); ++reason) {
      if (seen.drops[reason] == 0) continue;
      found.emplace_back(
          facts_[i].device + ": " + std::string(name(static_cast<contract::DropReason>(reason))),
          seen.drops[reason]);
    }
  }
  return found;
}

}  // namespace pktgen
