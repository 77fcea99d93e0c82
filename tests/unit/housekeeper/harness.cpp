// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/housekeeper/harness.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/start/tables.hpp"

#include <rte_mbuf.h>

#include <chrono>
#include <filesystem>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace test {
namespace {

template <class T>
T must(base::Result<T> result) {
  CHECK(result.has_value());
  return std::move(*result);
}

class MemoryDevice final : public dp::Device {
 public:
  MemoryDevice(const dp::DeviceRequest& request, MemoryOpener& opener)
      : port_(dp::MemoryPort(request.worker_count)),
        opener_(opener),
        number_(request.device.back()) {
    facts_ = {.mac = {{2, 0, 0, 0, 0, 0x77}},
              .mtu = request.mtu != 0 ? request.mtu : std::uint16_t{1500},
              .rx_queues = request.worker_count,
              .tx_queues = request.worker_count,
              .rx_descriptors = request.rx_descriptors,
              .tx_descriptors = request.tx_descriptors,
              .spreads_by_hash = false,
              .receives_segmented = false,
              .can_reopen = true,
              .kernel_shares = request.device.starts_with("shared")};
    // "…,other_mac" has another one; "…,own_mac" keeps it whatever is asked.
    if (request.device.ends_with("mac")) facts_.mac = {{2, 0, 0, 0, 0, 0x88}};
    keeps_mac_ = request.device.ends_with("own_mac");
    ++opener_.opened;
  }
  ~MemoryDevice() override { ++opener_.closed; }

  dp::Port& port() noexcept override { return port_; }
  const dp::DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const dp::DeviceRequest& request) override {
    const std::uint16_t mtu = request.mtu;
    if (mtu > 9000) return base::fail(base::Errc::device_failed, "this MTU is too much");
    facts_.mtu = mtu != 0 ? mtu : std::uint16_t{1500};
    if (request.mac.is_zero() || request.mac == facts_.mac) return {};
    if (keeps_mac_) return base::fail(base::Errc::device_failed, "this device keeps its MAC");
    facts_.mac = request.mac;
    return {};
  }
  dp::Observation observe() noexcept override {
    const bool down = opener_.down.load(std::memory_order_relaxed) == number_;
    // Relaxed: numbers that order nothing.
    return {.link = {.up = !down && opener_.link_up.load(std::memory_order_relaxed),
                     .speed_mbps = 100,
                     .gone = opener_.vanishing.fetch_sub(1, std::memory_order_relaxed) > 0},
            .drops = {}};
  }

 private:
  dp::Port port_;
  dp::DeviceFacts facts_{};
  bool keeps_mac_ = false;
  MemoryOpener& opener_;
  char number_;  // Of "memory1".
};

std::string make_directory() {
  std::string path = "/tmp/weir-housekeeper-XXXXXX";
  CHECK(::mkdtemp(path.data()) != nullptr);
  return path;
}

rte_mempool* make_pool() {
  static int number = 0;
  const std::string name = "unit" + std::to_string(++number);
  rte_mempool* pool =
      rte_pktmbuf_pool_create(name.c_str(), 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  CHECK(pool != nullptr);
  return pool;
}

}  // namespace

base::Result<std::unique_ptr<dp::Device>> MemoryOpener::open(const dp::DeviceRequest& request) {
  if (request.device.starts_with("fail")) {
    return base::fail(base::Errc::device_failed, "this device always fails", ENODEV);
  }
  if (request.again_as && absent.load(std::memory_order_relaxed)) {  // Orders nothing.
    return base::fail(base::Errc::not_found, "its interface is not there");
  }
  if (request.again_as && request.role == contract::PortRole::host) {
    twin_returned_as.store(request.again_as->to_integer(), std::memory_order_relaxed);  // Likewise.
  }
  if (request.device.starts_with("slow")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return std::unique_ptr<dp::Device>(std::make_unique<MemoryDevice>(request, *this));
}

// Relaxed, both: they order nothing, and are looked at between commits.
base::Status MemoryOpener::may_open(const dp::DeviceRequest& request) const {
  if (!request.device.starts_with("early") || given_up.load(std::memory_order_relaxed) == 0) {
    return {};
  }
  return base::fail(base::Errc::unsupported, "too late for this device");
}

void MemoryOpener::before_traffic() {
  given_up.fetch_add(1, std::memory_order_relaxed);
}

Controller::Controller(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  CHECK(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

Controller::~Controller() {
  if (region >= 0) ::close(region);
}

bool Controller::post(const std::vector<std::byte>& frame) {
  return ::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(frame.size());
}

bool Controller::try_post(const std::vector<std::byte>& frame) {
  return ::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(frame.size());
}

Answer Controller::exchange(const std::vector<std::byte>& frame) {
  if (!post(frame)) return {};
  return wait().value_or(Answer{});
}

std::optional<Answer> Controller::wait() {
  while (true) {
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 10'000) <= 0) return std::nullopt;
    std::vector<std::byte> bytes(contract::frame_bytes_max);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (size <= 0) return std::nullopt;
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&message)) {
      std::memcpy(&region, CMSG_DATA(rights), sizeof region);
    }
    const auto frame =
        contract::FrameView::parse(std::span(bytes).first(static_cast<std::size_t>(size)));
    CHECK(frame.has_value());
    Answer answer{.type = static_cast<contract::EventType>(frame->header().type)};
    answer.sequence = frame->header().sequence;
    switch (answer.type) {
      case contract::EventType::hello_reply:
        answer.hello = frame->record<contract::HelloReply>(0);
        answer.status = 0;
        return answer;
      case contract::EventType::reply: {
        const auto reply = frame->record<contract::Reply>(0);
        answer.status = reply.status;
        answer.refused_record = reply.refused_record;
        answer.text = contract::to_view(reply.text);
        return answer;
      }
      case contract::EventType::commit_reply:
        answer.commit = frame->record<contract::CommitReply>(0);
        answer.status = answer.commit.status;
        answer.text = contract::to_view(answer.commit.text);
        return answer;
      case contract::EventType::link_change:
        for (std::size_t i = 0; i < frame->record_count(); ++i) {
          link_changes.push_back(frame->record<contract::LinkChange>(i));
        }
        break;
      case contract::EventType::neighbour_change:
        for (std::size_t i = 0; i < frame->record_count(); ++i) {
          neighbour_changes.push_back(frame->record<contract::NeighbourChange>(i));
        }
        break;
      case contract::EventType::trace_packet: break;
    }
  }
}

Answer Controller::hello() {
  return send(Verb::hello, 0,
              contract::Hello{.version_min = 1,
                              .version_max = 1,
                              .pid = 1,
                              .features = 0,
                              .program = contract::to_text<32>("test"),
                              .release = contract::to_text<32>("0")});
}
Answer Controller::begin(std::uint32_t transaction, std::uint32_t replace) {
  return send(Verb::begin, transaction, contract::Begin{.replace = replace});
}
Answer Controller::commit(std::uint32_t transaction) {
  return send(Verb::commit, transaction, contract::Commit{});
}
Answer Controller::abort(std::uint32_t transaction) {
  return send(Verb::abort, transaction, contract::Abort{});
}

HousekeeperTest::HousekeeperTest(const HousekeeperOptions& options)
    : directory_(make_directory()),
      pool_(make_pool(), rte_mempool_free),
      tables_(must(dp::make_tables({.networks = options.networks,
                                    .vteps = options.vteps,
                                    .endpoints = options.endpoints,
                                    .next_hops = options.next_hops}))),
      epoch_(must(dp::Epoch::make(options.workers))),
      region_(must(dp::CounterRegion::make({.worker_count = options.workers,
                                            .port_count = contract::port_count_max,
                                            .network_count = options.networks + 1,
                                            .vtep_count = options.vteps + 1,
                                            .next_hop_count = options.next_hops + 1,
                                            .neighbour_count = 24,
                                            .stages = {}}))),
      successor_(must(dp::Listener::listen(directory_ + "/handover.sock", 0600)), false),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  base::set_log(base::LogLevel::error, base::LogFormat::text, "test");
  for (std::uint16_t id = 0; id < options.workers; ++id) {
    rings_.push_back(std::make_unique<dp::TraceRing>());
    frame_rings_.push_back(std::make_unique<dp::FrameRings>());
    workers_.push_back(std::make_unique<dp::Worker>(
        dp::Worker::Config{.id = base::WorkerId{id}, .idle = options.idle}, tables_, epoch_,
        region_.worker(id), *pool_,
        dp::Worker::Links{
            .board = board_, .traces = *rings_.back(), .frames = *frame_rings_.back()}));
    worker_list_.push_back(workers_.back().get());
    ring_list_.push_back(rings_.back().get());
    frame_ring_list_.push_back(frame_rings_.back().get());
    worker_threads_.emplace_back([worker = workers_.back().get()] { worker->run(); });
  }
  if (!options.table_file.empty()) table_file_ = must(dp::TableFile::open(options.table_file));
  housekeeper_ = std::make_unique<dp::Housekeeper>(
      must(dp::CommandSocket::listen(path())),
      dp::Housekeeper::Parts{.tables = tables_,
                             .epoch = epoch_,
                             .region = region_,
                             .opener = opener_,
                             .workers = worker_list_,
                             .trace_board = board_,
                             .trace_rings = ring_list_,
                             .frame_rings = frame_ring_list_,
                             .pool = *pool_,
                             .table_file = table_file_ ? &*table_file_ : nullptr,
                             .successor = &successor_},
      dp::Publisher::Facts{.boot_id = 42, .tsc_hz = 2'000'000'000, .hugepages = false},
      dp::Ports::Defaults{});
  thread_ = std::thread([this] { ended_ = housekeeper_->run(stop_); });
}

void HousekeeperTest::stop_housekeeper() {
  const std::uint64_t one = 1;
  CHECK(::write(stop_, &one, sizeof one) == sizeof one);
  thread_.join();
}

HousekeeperTest::~HousekeeperTest() {
  if (thread_.joinable()) stop_housekeeper();
  for (auto& worker : workers_) worker->stop();
  for (std::thread& thread : worker_threads_) thread.join();
  housekeeper_.reset();
  ::close(stop_);
  EXPECT_EQ(opener_.opened.load(std::memory_order_relaxed),
            opener_.closed.load(std::memory_order_relaxed));
  EXPECT_FALSE(std::filesystem::exists(path())) << "the socket is left behind";
  std::filesystem::remove_all(directory_);
}

void HousekeeperTest::configure(Controller& controller, std::uint32_t transaction) {
  ASSERT_TRUE(controller.begin(transaction).ok());
  ASSERT_TRUE(controller
                  .send(Verb::port_add, transaction,
                        std::vector{port_add(0, "memory0"), port_add(1, "memory1")})
                  .ok());
  ASSERT_TRUE(controller
                  .send(Verb::port_set, transaction,
                        std::vector{port_set(0, contract::PortRole::tenant, 1),
                                    port_set(1, contract::PortRole::underlay)})
                  .ok());
  ASSERT_TRUE(
      controller
          .send(Verb::vtep_set, transaction,
                std::vector{local_vtep(1, "198.18.0.1", 1), remote_vtep(2, "198.18.0.2", 1, 1)})
          .ok());
  ASSERT_TRUE(controller.send(Verb::network_set, transaction, network(1, 100, {2})).ok());
  const Answer done = controller.commit(transaction);
  ASSERT_TRUE(done.ok()) << done.text;
}

contract::PortAdd port_add(std::uint16_t id, const std::string& device) {
  return {.port = {id},
          .rx_queues = 0,
          .rx_descriptors = 0,
          .tx_descriptors = 0,
          .name = contract::to_text<contract::name_bytes>("port" + std::to_string(id)),
          .device = contract::to_text<contract::device_bytes>(device)};
}

contract::PortSet port_set(std::uint16_t id, contract::PortRole role, std::uint16_t network) {
  return {.port = {id},
          .role = role,
          .neighbours = contract::NeighbourKeeper::by_device,
          .network = {network},
          .transit_peer = base::no_port,
          .mtu = 0,
          .vlan = 0,
          .addresses = {},
          .parent = 0,
          .inner_vlan = 0};
}

contract::NetworkSet network(std::uint16_t id, std::uint32_t vni,
                             const std::vector<std::uint16_t>& flood) {
  contract::NetworkSet record{};
  record.network = {id};
  record.vni = vni;
  record.flood_vtep_count = static_cast<std::uint16_t>(flood.size());
  for (std::size_t i = 0; i < flood.size(); ++i) record.flood_vteps[i] = {flood[i]};
  return record;
}

contract::VtepSet local_vtep(std::uint16_t id, const std::string& address, std::uint16_t port) {
  return {.vtep = {id},
          .kind = contract::VtepKind::local,
          .dscp_mode = contract::DscpMode::copy,
          .dscp = 0,
          .ttl = 0,
          .source = base::no_vtep,
          .port = {port},
          .next_hop_mac = {},
          .address = *base::parse_ip(address),
          .udp_checksum = contract::UdpChecksum::zero,
          .reserved = 0,
          .next_hops = {}};
}

contract::VtepSet remote_vtep(std::uint16_t id, const std::string& address, std::uint16_t port,
                              std::uint16_t source) {
  contract::VtepSet record = local_vtep(id, address, port);
  record.kind = contract::VtepKind::remote;
  record.source = {source};
  record.next_hop_mac = {{2, 0, 0, 0, 0xff, 2}};
  return record;
}

contract::EndpointSet endpoint(std::uint16_t network, std::uint64_t mac,
                               contract::EndpointPlace place, std::uint16_t target) {
  contract::EndpointSet record{
      .network = {network}, .mac = {}, .place = place, .reserved = 0, .target = target};
  // Locally administered, unicast.
  record.mac.bytes[0] = 2;
  for (int i = 1; i < 6; ++i) record.mac.bytes[i] = static_cast<std::uint8_t>(mac >> (40 - 8 * i));
  return record;
}

}  // namespace test
