// SPDX-License-Identifier: Apache-2.0
// A gateway in a test: the real tables, pipelines and workers on memory ports, without threads. The
// test is housekeeper and clock: it programs, offers frames, takes turns, and looks at what came
// out. When it goes, it aborts if a packet is unaccounted for, an mbuf is lost, or a stage dropped
// for a reason that it does not declare.
#pragma once

#include "dataplane/contract/region.hpp"
#include "dataplane/worker/worker.hpp"
#include "drivers/port.hpp"

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace test {

using Bytes = std::vector<std::uint8_t>;

// "02:00:00:00:0a:01", "198.18.0.1" or "fd00::1"; a test with a typing error stops.
base::MacAddress mac(std::string_view text);
base::IpAddress ip(std::string_view text);
base::Ipv4Address ipv4(std::string_view text);

// A frame as a device would deliver it. Segment sizes, which may be 0, split it over several mbufs;
// the last takes the rest. Under AddressSanitizer the bytes behind it must not be read; behind the
// first of several, where headers may be pulled up to, is garbage.
rte_mbuf* make_mbuf(rte_mempool& pool, const Bytes& frame,
                    std::span<const std::uint16_t> segments = {},
                    std::uint16_t headroom = RTE_PKTMBUF_HEADROOM);

struct GatewayOptions {
  std::uint16_t workers = 1;
  std::uint16_t queues = 1;                       // Per port, spread over the workers.
  std::uint32_t mbufs = 4095;                     // For frames offered.
  std::uint32_t copies = 1023;                    // For copies that pipelines make.
  std::uint16_t headroom = RTE_PKTMBUF_HEADROOM;  // Of frames offered.
  std::uint16_t mbuf_bytes = 2048;
  std::uint32_t endpoints = 1024;
  std::size_t tx_room = SIZE_MAX;  // Frames that a tx queue takes.
  bool unsound = false;            // The test loses packets on purpose.
};

class Gateway {
 public:
  explicit Gateway(const GatewayOptions& options = {});
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Programming: staged until commit().
  void add_port(std::uint16_t port, const dp::PortRecord& record);
  void set_port(std::uint16_t port, const dp::PortRecord& record);
  void remove_port_record(std::uint16_t port);
  // A VLAN of the tenant port `parent`, as a port of its own; `inner` 0: one tag.
  struct Vlan {
    std::uint16_t parent;
    std::uint16_t network;
    std::uint16_t vlan;
    std::uint16_t inner = 0;
    std::uint16_t mtu = 9000;
  };
  void set_vlan(std::uint16_t port, const Vlan& vlan);
  void remove_vlan(std::uint16_t port, const Vlan& vlan);
  // The port vanishes while tables still point to it.
  void unplug(std::uint16_t port);
  // local_ports follow from the port records at commit().
  void set_network(std::uint16_t network, std::uint32_t vni, bool flood_unknown_unicast = true,
                   std::span<const std::uint16_t> flood_vteps = {});
  void remove_network(std::uint16_t network, std::uint32_t vni);
  struct RemoteVtep {
    std::string_view address;
    std::uint16_t port;       // Underlay.
    std::string_view source;  // Outer source address.
    std::string_view next_hop_mac = "02:00:00:00:ff:02";
    bool resolved = true;
    std::uint16_t mtu = 1600;
    std::uint8_t ttl = 64;
    int pinned_dscp = -1;  // -1: copied.
    bool summed = false;   // With a UDP checksum.
    // In place of port, next hop and MTU: one or two by set_next_hop(), the first usable is taken.
    std::vector<std::uint16_t> next_hops = {};
  };
  // Of what the housekeeper derives VTEPs from; those set before it keep what they have.
  struct NextHop {
    std::uint16_t port;                // Underlay.
    std::string_view static_mac = {};  // Empty: resolved.
    std::uint16_t mtu = 1600;
  };
  void set_next_hop(std::uint16_t next_hop, const NextHop& to);
  // At once, as the housekeeper does it; the MAC of one that is resolved.
  void set_usable(std::uint16_t next_hop, bool usable, bool link_up = true,
                  std::string_view resolved_mac = {});
  void set_local_vtep(std::uint16_t vtep, std::string_view address);
  void set_remote_vtep(std::uint16_t vtep, const RemoteVtep& remote);
  void remove_vtep(std::uint16_t vtep, std::string_view address);
  // As if this address and the VTEP's had the same key: what a hash can do.
  void collide_vtep(std::uint16_t vtep, std::string_view address);
  void set_endpoint(std::uint16_t network, std::string_view mac, dp::EndpointValue value);
  void remove_endpoint(std::uint16_t network, std::string_view mac);
  void set_host_rule(contract::HostClass host_class, const dp::HostRuleRecord& rule);
  // What leaves at the port waits in its queue.
  void set_queue(std::uint16_t port, const dp::QueueRecord& record);
  void remove_queue(std::uint16_t port);
  // As a port's removal from the configuration does, before its device goes.
  void forget_queue(std::uint16_t port);
  void commit();

  // The workers run on threads of their own from start to stop; commit() then waits for them, and
  // frames come from who holds the ports' other side (memory_port). Once in a gateway's life.
  void start_threads();
  void stop_threads();
  dp::MemoryPort& memory_port(std::uint16_t port);

  // Traffic.
  void offer(std::uint16_t port, const Bytes& frame, std::uint16_t queue,
             std::span<const std::uint16_t> segments = {});
  void offer(std::uint16_t port, rte_mbuf* frame, std::uint16_t queue);
  // Into the last queue, so that of several workers it is not always the first that works.
  void offer(std::uint16_t port, const Bytes& frame);
  // Turns of all workers until nothing more is received.
  void run();
  // For the workers' clocks, besides what does pass.
  void let_pass(std::uint64_t ns);
  // Frames sent at the port since the last call, of all tx queues in worker order.
  std::vector<Bytes> take_sent(std::uint16_t port);
  std::vector<Bytes> take_sent_by(std::uint16_t port, std::uint16_t worker);

  // Frames for the housekeeper since the last call, of all workers in order.
  struct Punted {
    std::uint16_t port;
    Bytes frame;
  };
  std::vector<Punted> take_punted();
  // A frame of the housekeeper's own, for the worker to send at the port. False: its ring is full.
  bool send_own(std::uint16_t worker, std::uint16_t port, const Bytes& frame);

  // What was counted, summed over workers.
  std::uint64_t drops(contract::DropReason reason) const;
  std::uint64_t stage_drops(std::string_view stage, contract::DropReason reason) const;
  // Every stage and reason that anything was dropped for.
  using StageDrops = std::map<std::pair<std::string, contract::DropReason>, std::uint64_t>;
  StageDrops stage_drops() const;
  std::uint64_t kinds(std::uint16_t port, contract::PacketKind kind, contract::Ecn ecn) const;
  std::uint64_t kinds(std::uint16_t port, contract::PacketKind kind) const;
  contract::WorkerTotals totals() const;
  contract::NetworkCounters network_counters(std::uint16_t network) const;
  contract::VtepCounters vtep_counters(std::uint16_t vtep) const;
  contract::PortCounters port_counters(std::uint16_t port) const;
  contract::QueueCounters queue_counters(std::uint16_t port, unsigned traffic_class) const;
  std::int64_t mismatch() const;  // Of the accounting identity, sum over workers.
  std::uint32_t mbufs_in_use() const;

  dp::TraceBoard& trace_board() { return board_; }
  std::vector<contract::TracePacket> take_traces();
  dp::Worker& worker(std::uint16_t index) { return *workers_[index]; }
  rte_mempool& pool() { return *pool_; }  // Of frames offered.
  const contract::RegionShape& shape() const { return shape_; }
  // All that workers write, but for frames, their pool and what this gateway is made of.
  struct Memory {
    std::string name;
    std::span<const std::byte> bytes;
  };
  std::vector<Memory> memory_of_workers() const;

 private:
  struct PoolDeleter {
    void operator()(rte_mempool* pool) const;
  };

  void check_sound() const;
  void wait_for_workers(base::Generation next);
  void note_tags(base::Generation next);
  void note_queues(base::Generation next);
  void find_local_ports(base::Generation next);

  GatewayOptions options_;
  std::unique_ptr<rte_mempool, PoolDeleter> pool_;
  std::unique_ptr<rte_mempool, PoolDeleter> copies_pool_;
  contract::RegionShape shape_;
  std::vector<std::byte> region_memory_;
  std::span<std::byte> region_;
  dp::Tables tables_;
  dp::Epoch epoch_;
  dp::TraceBoard board_;
  std::vector<std::unique_ptr<dp::TraceRing>> rings_;
  std::vector<std::unique_ptr<dp::FrameRings>> frame_rings_;
  std::array<std::unique_ptr<dp::Port>, contract::port_count_max> ports_;
  std::array<std::unique_ptr<dp::EgressQueue>, contract::port_count_max> queues_;
  dp::Assignment assignments_[contract::worker_count_max];
  std::vector<std::unique_ptr<dp::Worker>> workers_;
  struct Known {
    std::uint16_t port;
    base::MacAddress static_mac;
    std::uint16_t mtu;
  };
  std::map<std::uint16_t, Known> next_hops_;
  std::uint64_t later_cycles_ = 0;    // let_pass()
  std::vector<std::thread> threads_;  // None: the test takes the turns.
};

// A record with what most tests want.
dp::PortRecord tenant_port(std::uint16_t network, std::uint16_t mtu = 9000);
dp::PortRecord underlay_port(std::string_view mac, std::uint16_t mtu = 1600,
                             std::uint16_t vlan = 0);
// A tenant port that maps VLANs; 0: untagged frames belong to no network.
dp::PortRecord trunk_port(std::uint16_t untagged_network);
dp::PortRecord transit_port(std::uint16_t peer);
// The underlay port's record names it as its twin.
dp::PortRecord host_port(std::uint16_t peer, std::uint16_t mtu = 1600);
dp::EndpointValue at_port(std::uint16_t port);
dp::EndpointValue at_vtep(std::uint16_t vtep);

}  // namespace test
