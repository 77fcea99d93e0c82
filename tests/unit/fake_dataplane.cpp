// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/fake_dataplane.hpp"

#include "dataplane/base/check.hpp"

#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

using contract::EventType;
using contract::FrameView;
using contract::Verb;

namespace {

// Where a record lies: its table and what it is called there.
template <class T>
std::string key_of(const T& record) {
  if constexpr (std::is_same_v<T, contract::PortAdd> || std::is_same_v<T, contract::PortRemove>) {
    return "port_add " + std::to_string(record.port.value);
  } else if constexpr (std::is_same_v<T, contract::PortSet>) {
    return "port_set " + std::to_string(record.port.value);
  } else if constexpr (std::is_same_v<T, contract::NetworkSet> ||
                       std::is_same_v<T, contract::NetworkRemove>) {
    return "network " + std::to_string(record.network.value);
  } else if constexpr (std::is_same_v<T, contract::VtepSet> ||
                       std::is_same_v<T, contract::VtepRemove>) {
    return "vtep " + std::to_string(record.vtep.value);
  } else if constexpr (std::is_same_v<T, contract::NextHopSet> ||
                       std::is_same_v<T, contract::NextHopRemove>) {
    return "vtep next_hop " + std::to_string(record.next_hop.value);
  } else if constexpr (std::is_same_v<T, contract::HostRuleSet> ||
                       std::is_same_v<T, contract::HostRuleRemove>) {
    return "port rule " + std::to_string(static_cast<int>(record.host_class));
  } else if constexpr (std::is_same_v<T, contract::QueueSet> ||
                       std::is_same_v<T, contract::QueueRemove>) {
    return "port queue " + std::to_string(record.port.value) + "/" +
           std::to_string(record.traffic_class);
  } else {
    return "endpoint " + std::to_string(record.network.value) + base::to_string(record.mac);
  }
}

template <class T>
void put(const FrameView& frame, std::map<std::string, std::uint64_t>& table) {
  for (std::size_t i = 0; i < frame.record_count(); ++i) {
    const T record = frame.record<T>(i);
    table[key_of(record)] = contract::record_digest(record);
  }
}

template <class T>
void erase(const FrameView& frame, std::map<std::string, std::uint64_t>& table) {
  for (std::size_t i = 0; i < frame.record_count(); ++i) table.erase(key_of(frame.record<T>(i)));
}

contract::Table table_of(const std::string& key) {
  if (key.starts_with("port")) return contract::Table::ports;
  if (key.starts_with("network")) return contract::Table::networks;
  return key.starts_with("vtep") ? contract::Table::vteps : contract::Table::endpoints;
}

contract::Digests sum(const std::map<std::string, std::uint64_t>& table) {
  contract::Digests digests{};
  for (const auto& [key, digest] : table) {
    switch (table_of(key)) {
      case contract::Table::ports: digests.ports += digest; break;
      case contract::Table::networks: digests.networks += digest; break;
      case contract::Table::vteps: digests.vteps += digest; break;
      case contract::Table::endpoints: digests.endpoints += digest; break;
    }
  }
  return digests;
}

template <contract::Record T>
std::vector<std::byte> event(EventType type, const FrameView& command, const T& record) {
  return contract::make_frame<T>(static_cast<std::uint16_t>(type), command.header().transaction,
                                 command.header().sequence, {&record, 1});
}

}  // namespace

FakeDataplane::FakeDataplane(std::string path, FakeFaults faults)
    : path_(std::move(path)), faults_(faults) {
  shape_ = {.worker_count = 1,
            .port_count = 64,
            .network_count = 4097,
            .vtep_count = 4097,
            .next_hop_count = 257,
            .neighbour_count = 64,
            .stages = {"host_to_wire/parse_frame", "host_to_wire/look_up", "wire_to_host/strip"}};
  refuse_commits = faults.refuse_commits;
  make_region();
}

FakeDataplane::~FakeDataplane() {
  stop();
  ::munmap(region_.data(), region_.size());
  ::close(region_file_);
  ::unlink(path_.c_str());
}

void FakeDataplane::make_region() {
  const std::uint64_t bytes = contract::lay_out(shape_).total_bytes;
  region_file_ = ::memfd_create("fake region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  (void)!::ftruncate(region_file_, static_cast<off_t>(bytes));
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, region_file_, 0);
  region_ = {static_cast<std::byte*>(memory), bytes};
  contract::describe_region(region_, shape_);
  if (faults_.sealed) ::fcntl(region_file_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
}

void FakeDataplane::start() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path_.c_str());
  listener_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  CHECK(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::listen(listener_, 4);
  stopping_ = false;
  thread_ = std::thread([this] { serve(); });
}

void FakeDataplane::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  if (const int fd = connection_; fd >= 0) ::shutdown(fd, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
  const std::lock_guard lock(mutex_);
  dead_ = std::exchange(in_force_, {});
  generation_ = 0;
}

void FakeDataplane::serve() {
  while (!stopping_) {
    pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    connection_ = fd;
    serve_connection();
    connection_ = -1;
    ::close(fd);
  }
}

void FakeDataplane::serve_connection() {
  std::vector<std::byte> buffer(contract::frame_bytes_max);
  while (!stopping_) {
    const ssize_t size = ::recv(connection_, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    const auto frame = FrameView::parse({buffer.data(), static_cast<std::size_t>(size)});
    if (!frame || !answer(*frame)) return;
  }
}

// False: the connection ends here.
bool FakeDataplane::answer(const FrameView& frame) {
  const auto verb = static_cast<Verb>(frame.header().type);
  contract::Reply reply{};
  reply.verb = frame.header().type;
  reply.refused_record = 0xffff'ffff;
  {
    const std::lock_guard lock(mutex_);
    verbs_.push_back(verb);
    records_[verb] += frame.header().record_count;
    if (verb == Verb::begin) {
      begin(frame.record<contract::Begin>(0).replace);
    }
  }
  if (faults_.silent) return true;
  if (verb == Verb::hello) {
    send_hello();
    return true;
  }
  if (verb != Verb::commit) {
    take_records(frame, reply);
    send(event(EventType::reply, frame, reply));
    return true;
  }
  if (faults_.dies_at_commit) return false;
  contract::CommitReply commit{};
  {
    const std::lock_guard lock(mutex_);
    if (refuse_commits) {
      commit.status = static_cast<std::uint16_t>(base::Errc::device_failed);
      commit.refused_port = refused_port;
      commit.text = contract::to_text<184>("no such device");
    } else {
      in_force_ = next_;
      ++generation_;
    }
    commit.generation = generation_;
    commit.digests = sum(in_force_);
  }
  send(event(EventType::commit_reply, frame, commit));
  return true;
}

void FakeDataplane::begin(std::uint32_t replace) {
  CHECK(replace <= contract::replace_all || faults_.replaces_tables);
  const contract::TableSet tables =
      replace == contract::replace_all ? contract::all_tables : replace;
  next_ = in_force_;
  std::erase_if(next_, [tables](const auto& record) {
    return contract::has(tables, table_of(record.first));
  });
}

void FakeDataplane::adopt(bool all) {
  const std::lock_guard lock(mutex_);
  for (const auto& record : dead_) {
    if (table_of(record.first) == contract::Table::endpoints) in_force_.insert(record);
  }
  if (!all) in_force_.erase(in_force_.begin());
}

void FakeDataplane::take_records(const FrameView& frame, contract::Reply& reply) {
  const std::lock_guard lock(mutex_);
  switch (static_cast<Verb>(frame.header().type)) {
    case Verb::port_add: return put<contract::PortAdd>(frame, next_);
    case Verb::port_set: return put<contract::PortSet>(frame, next_);
    case Verb::network_set: return put<contract::NetworkSet>(frame, next_);
    case Verb::vtep_set: return put<contract::VtepSet>(frame, next_);
    case Verb::next_hop_set: return put<contract::NextHopSet>(frame, next_);
    case Verb::next_hop_remove: return erase<contract::NextHopRemove>(frame, next_);
    case Verb::endpoint_set: break;
    case Verb::port_remove: return erase<contract::PortRemove>(frame, next_);
    case Verb::network_remove: return erase<contract::NetworkRemove>(frame, next_);
    case Verb::vtep_remove: return erase<contract::VtepRemove>(frame, next_);
    case Verb::endpoint_remove: return erase<contract::EndpointRemove>(frame, next_);
    case Verb::host_rule_set: return put<contract::HostRuleSet>(frame, next_);
    case Verb::host_rule_remove: return erase<contract::HostRuleRemove>(frame, next_);
    case Verb::queue_set: return put<contract::QueueSet>(frame, next_);
    case Verb::queue_remove: return erase<contract::QueueRemove>(frame, next_);
    case Verb::hello:
    case Verb::begin:
    case Verb::commit:
    case Verb::abort:
    case Verb::trace_add:
    case Verb::trace_remove: return;
  }
  put<contract::EndpointSet>(frame, next_);
  const std::uint32_t seen = records_[Verb::endpoint_set];
  const std::uint32_t before = seen - frame.header().record_count;
  if (faults_.refuse_endpoint > before && faults_.refuse_endpoint <= seen) {
    reply.status = static_cast<std::uint16_t>(base::Errc::table_full);
    reply.refused_record = faults_.refuse_endpoint - before - 1;
    reply.text = contract::to_text<180>("the endpoint table is full; raise --endpoints");
  }
}

void FakeDataplane::send_hello() {
  contract::HelloReply hello{};
  hello.version = faults_.version;
  hello.worker_count = 1;
  hello.pid = static_cast<std::uint32_t>(::getpid());
  hello.boot_id = 42;
  hello.generation = generation_;
  hello.digests = digests();
  hello.features = faults_.replaces_tables ? contract::feature_replace_tables : 0;
  hello.region_bytes = region_.size();
  hello.network_capacity = hello.vtep_capacity = 4096;
  hello.endpoint_capacity = 1'000'000;
  hello.port_capacity = 64;
  hello.next_hop_capacity = 256;
  hello.release = contract::to_text<contract::name_bytes>("9.9.9");
  send(contract::make_frame<contract::HelloReply>(
           static_cast<std::uint16_t>(EventType::hello_reply), 0, 1, {&hello, 1}),
       region_file_);
}

void FakeDataplane::send(const std::vector<std::byte>& frame, int descriptor) {
  iovec part{.iov_base = const_cast<std::byte*>(frame.data()), .iov_len = frame.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  (void)!::sendmsg(connection_, &message, MSG_NOSIGNAL);
}

void FakeDataplane::send_trace(const contract::TracePacket& packet) {
  send(contract::make_frame<contract::TracePacket>(
      static_cast<std::uint16_t>(EventType::trace_packet), 0, 0, {&packet, 1}));
}

std::vector<Verb> FakeDataplane::verbs() const {
  const std::lock_guard lock(mutex_);
  return verbs_;
}

std::uint32_t FakeDataplane::records(Verb verb) const {
  const std::lock_guard lock(mutex_);
  const auto at = records_.find(verb);
  return at == records_.end() ? 0 : at->second;
}

contract::Digests FakeDataplane::digests() const {
  const std::lock_guard lock(mutex_);
  return sum(in_force_);
}
