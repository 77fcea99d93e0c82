// SPDX-License-Identifier: Apache-2.0
// The command decoder and all behind it: a real housekeeper with its socket, tables and model, on
// devices that are memory ports. An input is a session: frames of any verb with records of the
// fuzzer's bytes, some frames nothing but bytes. Every frame gets its reply, and whatever was
// refused, a fresh transaction is accepted at the end.
#include "dataplane/base/check.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/housekeeper/housekeeper.hpp"
#include "drivers/device.hpp"
#include "tests/fuzz/eal.hpp"

#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using contract::Verb;
using test::Bytes;

class MemoryDevice final : public dp::Device {
 public:
  explicit MemoryDevice(const dp::DeviceRequest& request)
      : port_(dp::MemoryPort(request.worker_count)) {
    facts_ = {.mac = test::mac("02:70:63:61:70:00"),
              .mtu = request.mtu == 0 ? std::uint16_t{1500} : request.mtu,
              .rx_queues = 1,
              .tx_queues = request.worker_count,
              .rx_descriptors = request.rx_descriptors,
              .tx_descriptors = request.tx_descriptors,
              .spreads_by_hash = true,
              .receives_segmented = false};
  }
  dp::Port& port() noexcept override { return port_; }
  const dp::DeviceFacts& facts() const noexcept override { return facts_; }
  base::Status adjust(const dp::DeviceRequest& request) override {
    const std::uint16_t mtu = request.mtu;
    if (mtu == 666) return base::fail(base::Errc::invalid_argument, "an MTU that fails");
    return {};
  }
  dp::Observation observe() noexcept override { return {}; }

 private:
  dp::Port port_;
  dp::DeviceFacts facts_;
};

class MemoryOpener final : public dp::DeviceOpener {
 public:
  base::Result<std::unique_ptr<dp::Device>> open(const dp::DeviceRequest& request) override {
    if (request.device.starts_with("x")) return base::fail(base::Errc::not_found, "no such device");
    return std::make_unique<MemoryDevice>(request);
  }
};

template <class T>
T must(base::Result<T> result) {
  CHECK(result.has_value());
  return std::move(*result);
}

dp::Tables make_tables() {
  const dp::HashSeed seed{1, 2};
  return {
      .ports = must(dp::VersionedArray<dp::PortRecord>::make(contract::port_count_max)),
      .networks = must(dp::VersionedArray<dp::NetworkRecord>::make(16)),
      .vteps = must(dp::VersionedArray<dp::VtepRecord>::make(16)),
      .network_by_vni = must(dp::ExactMatch::make(16, seed)),
      .vtep_by_address = must(dp::ExactMatch::make(16, seed)),
      .port_by_vlan = must(dp::ExactMatch::make(16, seed)),
      .endpoints = must(dp::ExactMatch::make(64, seed)),
      .next_hops = must(dp::NextHopWords::make(15)),
      .host_rules = must(dp::VersionedArray<dp::HostRuleRecord>::make(contract::host_class_count)),
      .queues = must(dp::VersionedArray<dp::QueueRecord>::make(contract::port_count_max))};
}

std::size_t record_bytes(Verb verb) {
  switch (verb) {
    case Verb::hello: return sizeof(contract::Hello);
    case Verb::begin: return sizeof(contract::Begin);
    case Verb::commit: return sizeof(contract::Commit);
    case Verb::abort: return sizeof(contract::Abort);
    case Verb::port_add: return sizeof(contract::PortAdd);
    case Verb::port_remove: return sizeof(contract::PortRemove);
    case Verb::port_set: return sizeof(contract::PortSet);
    case Verb::network_set: return sizeof(contract::NetworkSet);
    case Verb::network_remove: return sizeof(contract::NetworkRemove);
    case Verb::vtep_set: return sizeof(contract::VtepSet);
    case Verb::vtep_remove: return sizeof(contract::VtepRemove);
    case Verb::endpoint_set: return sizeof(contract::EndpointSet);
    case Verb::endpoint_remove: return sizeof(contract::EndpointRemove);
    case Verb::next_hop_set: return sizeof(contract::NextHopSet);
    case Verb::next_hop_remove: return sizeof(contract::NextHopRemove);
    case Verb::host_rule_set: return sizeof(contract::HostRuleSet);
    case Verb::host_rule_remove: return sizeof(contract::HostRuleRemove);
    case Verb::queue_set: return sizeof(contract::QueueSet);
    case Verb::queue_remove: return sizeof(contract::QueueRemove);
    case Verb::trace_add: return sizeof(contract::TraceAdd);
    case Verb::trace_remove: return sizeof(contract::TraceRemove);
  }
  return 4;
}

constexpr std::array verbs{
    Verb::hello,           Verb::begin,         Verb::commit,           Verb::abort,
    Verb::port_add,        Verb::port_remove,   Verb::port_set,         Verb::network_set,
    Verb::vtep_set,        Verb::vtep_remove,   Verb::network_remove,   Verb::endpoint_set,
    Verb::trace_add,       Verb::trace_remove,  Verb::endpoint_remove,  Verb::next_hop_set,
    Verb::next_hop_remove, Verb::host_rule_set, Verb::host_rule_remove, Verb::queue_set,
    Verb::queue_remove};

class Session {
 public:
  Session()
      : path_("/tmp/weir-fuzz-" + std::to_string(::getpid()) + ".sock"),
        tables_(make_tables()),
        epoch_(must(dp::Epoch::make(1))),
        region_(must(dp::CounterRegion::make({.worker_count = 1,
                                              .port_count = contract::port_count_max,
                                              .network_count = 16,
                                              .vtep_count = 16,
                                              .next_hop_count = 16,
                                              .neighbour_count = 16,
                                              .stages = {"transit/transmit"}}))),
        stop_(::eventfd(0, EFD_NONBLOCK)),
        gateway_({.mbufs = 15, .copies = 15}),
        housekeeper_(must(dp::CommandSocket::listen(path_)),
                     {.tables = tables_,
                      .epoch = epoch_,
                      .region = region_,
                      .opener = opener_,
                      .workers = workers_,
                      .trace_board = board_,
                      .trace_rings = {},
                      .frame_rings = {},
                      .pool = gateway_.pool()},
                     {.boot_id = 1, .tsc_hz = 1'000'000'000, .hugepages = false}, {}) {
    client_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    CHECK(::connect(client_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    housekeeper_.turn(stop_);
  }
  ~Session() {
    ::close(client_);
    ::close(stop_);
  }

  // Sends one frame and turns until its reply has come; the reply's status.
  std::uint16_t ask(const void* frame, std::size_t bytes) {
    CHECK(::send(client_, frame, bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes));
    // A commit that opens 64 devices takes some hundred turns.
    for (int turn = 0; turn < 20'000; ++turn) {
      housekeeper_.turn(stop_);
      std::array<std::byte, 4096> answer;
      for (;;) {
        const ssize_t got = ::recv(client_, answer.data(), answer.size(), MSG_DONTWAIT);
        CHECK(got != 0);
        if (got < 0) break;
        const auto view = contract::FrameView::parse(
            std::span<const std::byte>(answer).first(static_cast<std::size_t>(got)));
        CHECK(view.has_value());
        const auto type = static_cast<contract::EventType>(view->header().type);
        if (type == contract::EventType::hello_reply) return 0;
        if (type == contract::EventType::reply) return view->record<contract::Reply>(0).status;
        if (type == contract::EventType::commit_reply) {
          return view->record<contract::CommitReply>(0).status;
        }
      }
    }
    CHECK(!"every frame gets a reply");
    return 0;
  }

  std::uint16_t ask(Verb verb, std::uint32_t transaction, const Bytes& records,
                    std::size_t record_size) {
    const std::size_t count = records.size() / record_size;
    const auto frame = contract::make_frame(static_cast<std::uint16_t>(verb), transaction, 1,
                                            records.data(), record_size, count);
    return ask(frame.data(), frame.size());
  }

 private:
  std::string path_;
  dp::Tables tables_;
  dp::Epoch epoch_;
  dp::CounterRegion region_;
  int stop_;
  test::Gateway gateway_;  // For its pool, and a worker that never takes a turn.
  std::array<dp::Worker*, 1> workers_{&gateway_.worker(0)};
  dp::TraceBoard board_;
  MemoryOpener opener_;
  dp::Housekeeper housekeeper_;
  int client_;
};

// Ids that exist are small numbers, which a fuzzer would guess once in 4,000 times.
void make_likely(Bytes& records, std::size_t record_size) {
  for (std::size_t at = 0; at + record_size <= records.size(); at += record_size) {
    if (record_size < 2) return;
    records[at] &= 7;
    records[at + 1] = 0;
    if (record_size == sizeof(contract::NetworkSet)) records[at + 3] = 0;
    if (record_size == sizeof(contract::EndpointSet)) records[at + 11] = 0;
  }
}

void ask_anything(Session& session, fuzz::Input& input) {
  const std::uint8_t choice = input.byte();
  if (choice == 0xff) {
    Bytes raw = input.take(1 + input.number() % 2048);
    raw.resize(std::max<std::size_t>(raw.size(), 1));  // An empty message would be a goodbye.
    (void)session.ask(raw.data(), raw.size());
    return;
  }
  const Verb verb = verbs[choice % verbs.size()];
  const std::uint8_t shape = input.byte();
  std::size_t record_size = record_bytes(verb);
  if ((shape & 0xc0) == 0x40) record_size += 4;  // Of a newer release.
  if ((shape & 0xc0) == 0x80) record_size = std::max<std::size_t>(record_size / 2, 1);
  Bytes records = input.take(record_size * (shape & 3));
  records.resize(record_size * (shape & 3));
  if ((shape & 0x20) == 0) make_likely(records, record_size);
  (void)session.ask(verb, (shape & 0x10) != 0 ? 2 : 1, records, record_size);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::start_eal();
  base::set_log(base::LogLevel::error, base::LogFormat::text, "fuzz");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Session session;
  const contract::Hello hello{
      .version_min = 1, .version_max = 1, .pid = 1, .features = 0, .program = {}, .release = {}};
  const auto greeting = contract::make_frame<contract::Hello>(
      static_cast<std::uint16_t>(Verb::hello), 0, 1, std::span(&hello, 1));
  CHECK(session.ask(greeting.data(), greeting.size()) == 0);
  for (int frames = 0; frames < 64 && !input.empty(); ++frames) ask_anything(session, input);

  const Bytes replace_all{1, 0, 0, 0};
  const Bytes nothing(4);
  (void)session.ask(Verb::abort, 1, nothing, 4);
  CHECK(session.ask(Verb::begin, 3, replace_all, 4) == 0);
  CHECK(session.ask(Verb::commit, 3, nothing, 4) == 0);
  return 0;
}
