// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/gateway.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/queue/epoch.hpp"
#include "pipelines/catalog.hpp"

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <chrono>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#define WEIR_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef WEIR_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace test {
namespace {

constexpr std::uint32_t id_count = 64;  // Networks and VTEPs that a test may use.

template <class T>
T must(base::Result<T> result) {
  CHECK(result.has_value());
  return std::move(*result);
}
void must(const base::Status& status) {
  CHECK(status.has_value());
}

// Pools of gateways that are gone, whole: making one takes longer than most tests.
std::vector<rte_mempool*>& idle_pools() {
  static std::vector<rte_mempool*> pools;
  return pools;
}

rte_mempool* make_pool(std::uint32_t mbufs, std::uint16_t mbuf_bytes) {
  static int number = 0;
  for (rte_mempool*& idle : idle_pools()) {
    const int room = rte_pktmbuf_data_room_size(idle) - RTE_PKTMBUF_HEADROOM;
    if (idle->size != mbufs || room != mbuf_bytes) continue;
    rte_mempool* pool = idle;
    idle = idle_pools().back();
    idle_pools().pop_back();
    return pool;
  }
  const std::string name = "test" + std::to_string(++number);
  rte_mempool* pool = rte_pktmbuf_pool_create(
      name.c_str(), mbufs, 0, 0, static_cast<std::uint16_t>(mbuf_bytes + RTE_PKTMBUF_HEADROOM),
      SOCKET_ID_ANY);
  CHECK(pool != nullptr);
  return pool;
}

// DPDK's pools are one piece of memory for AddressSanitizer. These make a read behind an offered
// frame a finding, until its mbuf is used again.
void allow_all(rte_mbuf* mbuf) {
#ifdef WEIR_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(mbuf->buf_addr, mbuf->buf_len);
#else
  (void)mbuf;
#endif
}
void forbid_tail(rte_mbuf* mbuf) {
#ifdef WEIR_ADDRESS_SANITIZER
  __asan_poison_memory_region(rte_pktmbuf_mtod_offset(mbuf, char*, mbuf->data_len),
                              rte_pktmbuf_tailroom(mbuf));
#else
  (void)mbuf;
#endif
}

dp::Tables make_tables(const GatewayOptions& options) {
  const auto seed = dp::HashSeed{1, 2};
  return {
      .ports = must(dp::VersionedArray<dp::PortRecord>::make(contract::port_count_max)),
      .networks = must(dp::VersionedArray<dp::NetworkRecord>::make(id_count)),
      .vteps = must(dp::VersionedArray<dp::VtepRecord>::make(id_count)),
      .network_by_vni = must(dp::ExactMatch::make(id_count, seed)),
      .vtep_by_address = must(dp::ExactMatch::make(id_count, seed)),
      .port_by_vlan = must(dp::ExactMatch::make(id_count, seed)),
      .endpoints = must(dp::ExactMatch::make(options.endpoints, seed)),
      .next_hops = must(dp::NextHopWords::make(id_count)),
      .host_rules = must(dp::VersionedArray<dp::HostRuleRecord>::make(contract::host_class_count)),
      .queues = must(dp::VersionedArray<dp::QueueRecord>::make(contract::port_count_max))};
}

std::span<std::byte> align_to_line(std::vector<std::byte>& memory, std::size_t bytes) {
  void* start = memory.data();
  std::size_t room = memory.size();
  CHECK(std::align(contract::cache_line_bytes, bytes, start, room) != nullptr);
  return {static_cast<std::byte*>(start), bytes};
}

Bytes bytes_of(const rte_mbuf* mbuf) {
  Bytes bytes(mbuf->pkt_len);
  Bytes copy(mbuf->pkt_len);
  const void* data = rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, copy.data());
  if (!bytes.empty()) std::memcpy(bytes.data(), data, bytes.size());
  return bytes;
}

}  // namespace

base::MacAddress mac(std::string_view text) {
  const auto address = base::parse_mac(text);
  CHECK(address.has_value());
  return *address;
}

base::IpAddress ip(std::string_view text) {
  const auto address = base::parse_ip(text);
  CHECK(address.has_value());
  return *address;
}

base::Ipv4Address ipv4(std::string_view text) {
  const base::IpAddress address = ip(text);
  CHECK(address.is_v4());
  return address.v4();
}

dp::PortRecord tenant_port(std::uint16_t network, std::uint16_t mtu) {
  return {.role = contract::PortRole::tenant,
          .network = base::NetworkId{network},
          .transit_peer = base::no_port,
          .mtu = mtu,
          .mac = mac("02:70:63:61:70:01")};
}

dp::PortRecord underlay_port(std::string_view address, std::uint16_t mtu, std::uint16_t vlan) {
  return {.role = contract::PortRole::underlay,
          .network = base::no_network,
          .transit_peer = base::no_port,
          .mtu = mtu,
          .mac = mac(address),
          .vlan = vlan};
}

dp::PortRecord transit_port(std::uint16_t peer) {
  return {.role = contract::PortRole::transit,
          .network = base::no_network,
          .transit_peer = base::PortId{peer},
          .mtu = 1600,
          .mac = mac("02:70:63:61:70:02")};
}

dp::PortRecord host_port(std::uint16_t peer, std::uint16_t mtu) {
  return {.role = contract::PortRole::host,
          .network = base::no_network,
          .transit_peer = base::PortId{peer},
          .mtu = mtu,
          .mac = mac("02:70:63:61:70:00")};
}

dp::EndpointValue at_port(std::uint16_t port) {
  return {.place = contract::EndpointPlace::port, .target = port};
}

dp::EndpointValue at_vtep(std::uint16_t vtep) {
  return {.place = contract::EndpointPlace::vtep, .target = vtep};
}

rte_mbuf* make_mbuf(rte_mempool& pool, const Bytes& frame, std::span<const std::uint16_t> segments,
                    std::uint16_t headroom) {
  rte_mbuf* first = nullptr;
  std::size_t done = 0;
  for (std::size_t i = 0; i <= segments.size(); ++i) {
    const std::size_t bytes = i < segments.size()
                                  ? std::min<std::size_t>(segments[i], frame.size() - done)
                                  : frame.size() - done;
    if (bytes == 0 && i == segments.size() && first != nullptr) continue;
    rte_mbuf* mbuf = rte_pktmbuf_alloc(&pool);
    CHECK(mbuf != nullptr);
    allow_all(mbuf);
    mbuf->data_off = headroom;
    char* room = rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(bytes));
    CHECK(room != nullptr);
    if (bytes > 0) std::memcpy(room, frame.data() + done, bytes);
    done += bytes;
    if (first == nullptr && done < frame.size()) {
      std::memset(room + bytes, 0xee, rte_pktmbuf_tailroom(mbuf));
    } else {
      forbid_tail(mbuf);
    }
    if (first == nullptr) {
      first = mbuf;
    } else {
      CHECK(rte_pktmbuf_chain(first, mbuf) == 0);
    }
  }
  return first;
}

void Gateway::PoolDeleter::operator()(rte_mempool* pool) const {
  const auto allow = [](rte_mempool*, void*, void* mbuf, unsigned) {
    allow_all(static_cast<rte_mbuf*>(mbuf));
  };
  rte_mempool_obj_iter(pool, allow, nullptr);
  if (rte_mempool_in_use_count(pool) == 0) {
    idle_pools().push_back(pool);
  } else {
    rte_mempool_free(pool);
  }
}

Gateway::Gateway(const GatewayOptions& options)
    : options_(options),
      pool_(make_pool(options.mbufs, options.mbuf_bytes)),
      copies_pool_(make_pool(options.copies, options.mbuf_bytes)),
      shape_{.worker_count = options.workers,
             .port_count = contract::port_count_max,
             .network_count = id_count,
             .vtep_count = id_count,
             .next_hop_count = id_count,
             .neighbour_count = 1,
             .stages = dp::stage_names()},
      region_memory_(contract::lay_out(shape_).total_bytes + contract::cache_line_bytes),
      region_(align_to_line(region_memory_, contract::lay_out(shape_).total_bytes)),
      tables_(make_tables(options)),
      epoch_(must(dp::Epoch::make(options.workers))) {
  contract::describe_region(region_, shape_);
  for (std::uint16_t i = 0; i < options.workers; ++i) {
    rings_.push_back(std::make_unique<dp::TraceRing>());
    frame_rings_.push_back(std::make_unique<dp::FrameRings>());
    auto worker = std::make_unique<dp::Worker>(
        dp::Worker::Config{.id = base::WorkerId{i}, .idle = {}, .seed = i}, tables_, epoch_,
        contract::worker_block(region_, shape_, i), *copies_pool_,
        dp::Worker::Links{
            .board = board_, .traces = *rings_.back(), .frames = *frame_rings_.back()});
    worker->set_pipelines(dp::make_pipelines(worker->environment()));
    worker->assign(&assignments_[i]);
    must(epoch_.register_worker(base::WorkerId{i}));
    workers_.push_back(std::move(worker));
  }
}

Gateway::~Gateway() {
  for (std::uint16_t i = 0; i < options_.workers; ++i) epoch_.unregister_worker(base::WorkerId{i});
  for (auto& port : ports_) port.reset();
  for (auto& queue : queues_) queue.reset();
  take_punted();
  if (!options_.unsound) check_sound();
}

void Gateway::add_port(std::uint16_t port, const dp::PortRecord& record) {
  ports_[port] = std::make_unique<dp::Port>(
      dp::MemoryPort(std::max(options_.queues, options_.workers), options_.tx_room));
  for (std::uint16_t queue = 0; queue < options_.queues; ++queue) {
    dp::Assignment& assignment = assignments_[queue % options_.workers];
    assignment.sources.push_back({.port = base::PortId{port}, .queue = base::QueueId{queue}});
  }
  const base::WorkerId home = contract::home_worker(base::PortId{port}, options_.workers);
  queues_[port] =
      std::make_unique<dp::EgressQueue>(base::PortId{port}, home, options_.workers, options_.mbufs);
  queues_[port]->ring_at_home(workers_[home.value]->bell());
  assignments_[home.value].home_queues.push_back(queues_[port].get());
  for (dp::Assignment& assignment : assignments_) {
    assignment.ports[port] = ports_[port].get();
    assignment.queues[port] = queues_[port].get();
    assignment.all_queues.push_back(queues_[port].get());
  }
  set_port(port, record);
}

void Gateway::set_port(std::uint16_t port, const dp::PortRecord& record) {
  must(tables_.ports.stage(port, record, epoch_.current() + 1));
}

void Gateway::remove_port_record(std::uint16_t port) {
  must(tables_.ports.stage_removal(port, epoch_.current() + 1));
}

void Gateway::unplug(std::uint16_t port) {
  for (dp::Assignment& assignment : assignments_) {
    assignment.ports[port] = nullptr;
    std::erase_if(assignment.sources,
                  [&](const dp::RxSource& source) { return source.port.value == port; });
  }
}

void Gateway::set_network(std::uint16_t network, std::uint32_t vni, bool flood_unknown_unicast,
                          std::span<const std::uint16_t> flood_vteps) {
  dp::NetworkRecord record{.vni = vni,
                           .flood_unknown_unicast = flood_unknown_unicast,
                           .reserved = 0,
                           .flood_vtep_count = static_cast<std::uint16_t>(flood_vteps.size()),
                           .local_ports = 0,
                           .flood_vteps = {}};
  for (std::size_t i = 0; i < flood_vteps.size(); ++i) {
    record.flood_vteps[i] = base::VtepId{flood_vteps[i]};
  }
  const base::Generation next = epoch_.current() + 1;
  must(tables_.networks.stage(network, record, next));
  must(tables_.network_by_vni.set(dp::vni_key(vni), network, next));
}

void Gateway::remove_network(std::uint16_t network, std::uint32_t vni) {
  const base::Generation next = epoch_.current() + 1;
  must(tables_.networks.stage_removal(network, next));
  must(tables_.network_by_vni.remove(dp::vni_key(vni), next));
}

void Gateway::set_endpoint(std::uint16_t network, std::string_view address,
                           dp::EndpointValue value) {
  must(tables_.endpoints.set(dp::endpoint_key(base::NetworkId{network}, mac(address)),
                             value.encode(), epoch_.current() + 1));
}

void Gateway::remove_endpoint(std::uint16_t network, std::string_view address) {
  must(tables_.endpoints.remove(dp::endpoint_key(base::NetworkId{network}, mac(address)),
                                epoch_.current() + 1));
}

void Gateway::set_host_rule(contract::HostClass host_class, const dp::HostRuleRecord& rule) {
  must(
      tables_.host_rules.stage(static_cast<std::uint32_t>(host_class), rule, epoch_.current() + 1));
}

void Gateway::set_queue(std::uint16_t port, const dp::QueueRecord& record) {
  const dp::QueueRecord next = dp::after(tables_.queues.staged(port), record);
  must(tables_.queues.stage(port, next, epoch_.current() + 1));
}

void Gateway::remove_queue(std::uint16_t port) {
  const dp::QueueRecord closing = dp::closing_after(*tables_.queues.staged(port));
  must(tables_.queues.stage(port, closing, epoch_.current() + 1));
}

void Gateway::forget_queue(std::uint16_t port) {
  must(tables_.queues.stage_removal(port, epoch_.current() + 1));
}

void Gateway::note_queues(base::Generation next) {
  std::uint64_t queueing = 0;
  tables_.queues.for_each([&](std::uint32_t port, const dp::QueueRecord& record) {
    queueing |= std::uint64_t{record.is_closing ? 0u : 1u} << port;
  });
  std::vector<std::pair<std::uint32_t, dp::PortRecord>> all;
  tables_.ports.for_each(
      [&](std::uint32_t port, const dp::PortRecord& record) { all.emplace_back(port, record); });
  for (auto& [port, record] : all) {
    if (record.queueing_ports == queueing) continue;
    record.queueing_ports = queueing;
    must(tables_.ports.stage(port, record, next));
  }
}

void Gateway::find_local_ports(base::Generation next) {
  std::vector<std::pair<std::uint32_t, dp::NetworkRecord>> changed;
  tables_.networks.for_each([&](std::uint32_t network, const dp::NetworkRecord& record) {
    const base::NetworkId id{static_cast<std::uint16_t>(network)};
    std::uint64_t local_ports = 0;
    tables_.ports.for_each([&](std::uint32_t port, const dp::PortRecord& port_record) {
      if (port_record.role == contract::PortRole::tenant && port_record.is_in(id)) {
        local_ports |= std::uint64_t{1} << port;
      }
    });
    if (local_ports == record.local_ports) return;
    changed.emplace_back(network, record);
    changed.back().second.local_ports = local_ports;
  });
  for (const auto& [network, record] : changed) {
    must(tables_.networks.stage(network, record, next));
  }
}

void Gateway::commit() {
  const base::Generation next = epoch_.current() + 1;
  note_tags(next);
  note_queues(next);
  find_local_ports(next);
  epoch_.flip();
  wait_for_workers(next);
  tables_.ports.settle();
  tables_.networks.settle();
  tables_.vteps.settle();
  tables_.network_by_vni.settle();
  tables_.vtep_by_address.settle();
  tables_.port_by_vlan.settle();
  tables_.endpoints.settle();
  tables_.host_rules.settle();
  tables_.queues.settle();
}

void Gateway::wait_for_workers(base::Generation next) {
  if (threads_.empty()) {
    for (auto& worker : workers_) worker->turn(later_cycles_);
    CHECK(epoch_.all_passed(next));
  } else {
    // Asleep, not spinning: the workers may need this core to pass.
    while (!epoch_.all_passed(next)) std::this_thread::sleep_for(std::chrono::microseconds(10));
  }
}

void Gateway::start_threads() {
  for (std::uint16_t i = 0; i < options_.workers; ++i) {
    epoch_.unregister_worker(base::WorkerId{i});
    threads_.emplace_back([this, i] { workers_[i]->run(); });
  }
}

void Gateway::stop_threads() {
  for (auto& worker : workers_) worker->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (std::uint16_t i = 0; i < options_.workers; ++i) {
    must(epoch_.register_worker(base::WorkerId{i}));
  }
}

dp::MemoryPort& Gateway::memory_port(std::uint16_t port) {
  return std::get<dp::MemoryPort>(*ports_[port]);
}

void Gateway::offer(std::uint16_t port, const Bytes& frame, std::uint16_t queue,
                    std::span<const std::uint16_t> segments) {
  offer(port, make_mbuf(*pool_, frame, segments, options_.headroom), queue);
}

void Gateway::offer(std::uint16_t port, rte_mbuf* frame, std::uint16_t queue) {
  memory_port(port).offer(base::QueueId{queue}, frame);
}

void Gateway::offer(std::uint16_t port, const Bytes& frame) {
  offer(port, frame, static_cast<std::uint16_t>(options_.queues - 1));
}

void Gateway::run() {
  std::uint32_t frames;
  do {
    frames = 0;
    for (auto& worker : workers_) frames += worker->turn(later_cycles_);
  } while (frames > 0);
}

void Gateway::let_pass(std::uint64_t ns) {
  later_cycles_ += ns * (rte_get_tsc_hz() / 1'000'000) / 1'000;
}

std::vector<Bytes> Gateway::take_sent(std::uint16_t port) {
  std::vector<Bytes> all;
  if (ports_[port] == nullptr) return all;  // A VLAN of another port.
  for (std::uint16_t worker = 0; worker < options_.workers; ++worker) {
    for (Bytes& frame : take_sent_by(port, worker)) all.push_back(std::move(frame));
  }
  return all;
}

std::vector<Bytes> Gateway::take_sent_by(std::uint16_t port, std::uint16_t worker) {
  std::vector<Bytes> frames;
  for (rte_mbuf* mbuf : memory_port(port).take_sent(base::QueueId{worker})) {
    frames.push_back(bytes_of(mbuf));
    rte_pktmbuf_free(mbuf);
  }
  return frames;
}

std::vector<Gateway::Punted> Gateway::take_punted() {
  std::vector<Punted> punted;
  for (auto& rings : frame_rings_) {
    while (true) {
      const dp::FrameRing::Frame frame = rings->to_housekeeper.pop();
      if (!frame.mbuf) break;
      punted.push_back({.port = frame.port.value, .frame = bytes_of(frame.mbuf.get())});
    }
  }
  return punted;
}

bool Gateway::send_own(std::uint16_t worker, std::uint16_t port, const Bytes& frame) {
  dp::OwnedMbuf mbuf(make_mbuf(*pool_, frame));
  if (!frame_rings_[worker]->from_housekeeper.push(mbuf.get(), base::PortId{port})) return false;
  (void)mbuf.release();
  return true;
}

std::vector<contract::TracePacket> Gateway::take_traces() {
  std::vector<contract::TracePacket> packets;
  contract::TracePacket packet;
  for (auto& ring : rings_) {
    while (ring->pop(packet)) packets.push_back(packet);
  }
  return packets;
}

}  // namespace test
