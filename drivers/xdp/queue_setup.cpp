// SPDX-License-Identifier: Apache-2.0
// Opening and closing a queue, on the port thread. The kernel wants this order: memory (which
// weir-porthelper registers), rings, mappings, bind. Nothing here takes privilege.
#include "dataplane/base/log.hpp"
#include "drivers/xdp/queue.hpp"

#include <bit>
#include <cerrno>
#include <ctime>
#include <memory>
#include <sys/mman.h>
#include <sys/socket.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

namespace {

// Where a socket of a process that was just killed, or closed it for its successor, still has the
// queue: the kernel frees it later, from a work queue and under a lock that whoever removes network
// namespaces holds for long. So often, that most of a gap of 60 ms is not lost to a pause; 3 s.
constexpr int bind_tries = 1500;
constexpr timespec bind_pause{.tv_sec = 0, .tv_nsec = 2'000'000};
// <linux/if_xdp.h> of Linux 6.17: frames per system call, 32 without.
constexpr int max_tx_skb_budget = 9;
constexpr std::uint32_t tx_budget = 256;  // An outbox.

// DPDK's ports have numbers below RTE_MAX_ETHPORTS, RTE_MBUF_PORT_INVALID is above.
constexpr std::uint16_t marks_begin = 0x8000;
constexpr std::uint16_t marks_count = 0x7000;

std::uint16_t next_mark() noexcept {
  static std::atomic<std::uint16_t> next{0};
  // Relaxed: only to be different. 28,672 queues later the first is long closed.
  return static_cast<std::uint16_t>(marks_begin +
                                    next.fetch_add(1, std::memory_order_relaxed) % marks_count);
}

template <class T>
bool set_option(int socket, int option, const T& value) noexcept {
  return ::setsockopt(socket, SOL_XDP, option, &value, sizeof value) == 0;
}

template <class T>
bool get_option(int socket, int option, T& value) noexcept {
  socklen_t length = sizeof value;
  return ::getsockopt(socket, SOL_XDP, option, &value, &length) == 0;
}

std::uint16_t bind_flags(XdpCopy copy) noexcept {
  switch (copy) {
    case XdpCopy::automatic: return XDP_USE_NEED_WAKEUP;
    case XdpCopy::copy: return XDP_USE_NEED_WAKEUP | XDP_COPY;
    case XdpCopy::zero_copy: return XDP_USE_NEED_WAKEUP | XDP_ZEROCOPY;
  }
  return XDP_USE_NEED_WAKEUP;
}

}  // namespace

XdpQueue::Map::~Map() {
  if (data != nullptr) ::munmap(data, bytes_);
}

base::Status XdpQueue::Map::make(int socket, std::uint64_t bytes, std::uint64_t offset) {
  void* map = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, socket,
                     static_cast<off_t>(offset));
  if (map == MAP_FAILED) return fail(Errc::io, "a ring of an XDP socket cannot be mapped", errno);
  data = static_cast<std::byte*>(map);
  bytes_ = bytes;
  return {};
}

XdpQueue::XdpQueue(const XdpMemory& memory, const Config& config, base::Descriptor socket) noexcept
    : memory_(memory), config_(config), mark_(next_mark()), socket_(std::move(socket)) {
  config_.rx_descriptors = std::bit_ceil(config.rx_descriptors);
  config_.tx_descriptors = std::bit_ceil(config.tx_descriptors);
}

base::Result<std::unique_ptr<XdpQueue>> XdpQueue::open(const XdpMemory& memory,
                                                       const Config& config,
                                                       base::Descriptor socket) {
  std::unique_ptr<XdpQueue> queue(new XdpQueue(memory, config, std::move(socket)));
  if (auto status = queue->set_up(); !status) return std::unexpected(status.error());
  return queue;
}

base::Status XdpQueue::set_up() {
  if (auto status = make_rings(); !status) return status;
  if (auto status = map_rings(); !status) return status;
  buffers_missing_ = config_.rx_descriptors;
  while (buffers_missing_ > 0 && fill(std::min<std::uint32_t>(buffers_missing_, 32))) {
  }
  if (buffers_missing_ > 0) {
    return fail(Errc::out_of_memory,
                "too few packet buffers for the rx ring: raise --mbufs or lower rx_descriptors");
  }
  return bind();
}

base::Status XdpQueue::make_rings() {
  const std::uint32_t rx = config_.rx_descriptors;
  const std::uint32_t tx = config_.tx_descriptors;
  if (!set_option(socket_.get(), XDP_UMEM_FILL_RING, rx) ||
      !set_option(socket_.get(), XDP_UMEM_COMPLETION_RING, tx) ||
      !set_option(socket_.get(), XDP_RX_RING, rx) || !set_option(socket_.get(), XDP_TX_RING, tx)) {
    return fail(Errc::io, "the rings of an XDP socket cannot be made: fewer descriptors may help",
                errno);
  }
  // Kernels before 6.17 do not know it: more system calls then.
  (void)set_option(socket_.get(), max_tx_skb_budget, std::min(tx, tx_budget));
  return {};
}

base::Status XdpQueue::map_rings() {
  xdp_mmap_offsets offsets{};
  if (!get_option(socket_.get(), XDP_MMAP_OFFSETS, offsets)) {
    return fail(Errc::io, "the rings of an XDP socket cannot be found", errno);
  }
  const std::uint32_t rx = config_.rx_descriptors;
  const std::uint32_t tx = config_.tx_descriptors;
  const struct {
    std::uint64_t bytes;
    std::uint64_t offset;
  } wanted[] = {{offsets.rx.desc + rx * sizeof(xdp_desc), XDP_PGOFF_RX_RING},
                {offsets.tx.desc + tx * sizeof(xdp_desc), XDP_PGOFF_TX_RING},
                {offsets.fr.desc + rx * sizeof(std::uint64_t), XDP_UMEM_PGOFF_FILL_RING},
                {offsets.cr.desc + tx * sizeof(std::uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING}};
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    if (auto status = maps_[i].make(socket_.get(), wanted[i].bytes, wanted[i].offset); !status) {
      return status;
    }
  }
  rx_ = {maps_[0].data, offsets.rx, rx};
  tx_ = {maps_[1].data, offsets.tx, tx};
  fill_ = {maps_[2].data, offsets.fr, rx};
  completion_ = {maps_[3].data, offsets.cr, tx};
  return {};
}

base::Status XdpQueue::bind() {
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_flags = bind_flags(config_.copy);
  address.sxdp_ifindex = config_.ifindex;
  address.sxdp_queue_id = config_.queue;
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  for (int i = 0; ::bind(socket_.get(), generic, sizeof address) != 0; ++i) {
    if (errno == EBUSY && i < bind_tries) {
      ::nanosleep(&bind_pause, nullptr);
      continue;
    }
    if (errno == EBUSY) return fail(Errc::in_use, "another XDP socket has this queue", errno);
    return fail(Errc::device_failed,
                config_.copy == XdpCopy::zero_copy
                    ? "the interface cannot do zero-copy: leave copy=zerocopy away"
                    : "an XDP socket cannot be bound to the interface",
                errno);
  }
  xdp_options options{};
  zero_copy_ = get_option(socket_.get(), XDP_OPTIONS, options) &&
               (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  return {};
}

XdpQueue::~XdpQueue() {
  // A mapped ring holds the socket open, and into the buffers of an open one the kernel goes on
  // writing what it receives, whoever has them by then.
  for (Map& map : maps_) {
    std::destroy_at(&map);
    std::construct_at(&map);
  }
  socket_.reset();
  return_buffers();
}

void XdpQueue::return_buffers() noexcept {
  // The kernel does not say which buffers it still had: those with our mark. The others may be in
  // use by workers meanwhile, but never carry it.
  struct Search {
    std::uint16_t mark;
    std::uint32_t found;
  } search{mark_, 0};
  rte_mempool_obj_iter(
      memory_.pool,
      [](rte_mempool*, void* opaque, void* object, unsigned) {
        auto& wanted = *static_cast<Search*>(opaque);
        auto* mbuf = static_cast<rte_mbuf*>(object);
        if (std::atomic_ref(mbuf->port).load(std::memory_order_relaxed) != wanted.mark) return;
        mbuf->port = RTE_MBUF_PORT_INVALID;
        rte_pktmbuf_free(mbuf);
        ++wanted.found;
      },
      &search);
  LOG(debug, "xdp_buffers_returned", {"queue", config_.queue}, {"count", search.found});
}

XdpQueue::Losses XdpQueue::losses() const noexcept {
  xdp_statistics seen{};
  if (!get_option(socket_.get(), XDP_STATISTICS, seen)) return {};
  // With copies the kernel counts a frame that found no buffer twice; what remains of rx_dropped
  // did not fit a buffer.
  const std::uint64_t too_long = seen.rx_dropped > seen.rx_fill_ring_empty_descs
                                     ? seen.rx_dropped - seen.rx_fill_ring_empty_descs
                                     : 0;
  return {.rx_ring_full = seen.rx_ring_full,
          .rx_fill_empty = seen.rx_fill_ring_empty_descs,
          .rx_too_long = too_long,
          .rx_invalid = seen.rx_invalid_descs,
          // Relaxed: numbers that order nothing.
          .tx_refused = seen.tx_invalid_descs + refused_.load(std::memory_order_relaxed),
          .unfinished = unfinished_.load(std::memory_order_relaxed)};
}

}  // namespace dp
