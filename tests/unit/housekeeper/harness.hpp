// SPDX-License-Identifier: Apache-2.0
// A whole housekeeper on memory ports, and a controller that speaks frames to it: for tests without
// root, devices or workers of their own thread, unless they ask for one.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/housekeeper/housekeeper.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace test {

using contract::Verb;

// What a controller got for a frame.
struct Answer {
  contract::EventType type{};
  std::uint16_t status = 0xffff;
  std::uint32_t refused_record = 0xffff'ffff;
  std::uint32_t sequence = 0;
  std::string text;
  contract::CommitReply commit{};
  contract::HelloReply hello{};

  bool ok() const noexcept { return status == 0; }
  base::Errc code() const noexcept { return static_cast<base::Errc>(status); }
};

class Controller {
 public:
  explicit Controller(const std::string& path);

  bool connected() const noexcept { return static_cast<bool>(socket_); }
  Answer hello();
  // `replace` as in contract::Begin.
  Answer begin(std::uint32_t transaction, std::uint32_t replace = contract::replace_nothing);
  Answer commit(std::uint32_t transaction);
  Answer abort(std::uint32_t transaction);

  template <contract::Record T>
  Answer send(Verb verb, std::uint32_t transaction, const std::vector<T>& records) {
    return exchange(contract::make_frame<T>(static_cast<std::uint16_t>(verb), transaction,
                                            ++sequence_, records));
  }
  template <contract::Record T>
  Answer send(Verb verb, std::uint32_t transaction, const T& record) {
    return send(verb, transaction, std::vector<T>{record});
  }
  // The bytes as they are, and the answer to them; other events go to `events`.
  Answer exchange(const std::vector<std::byte>& frame);
  bool post(const std::vector<std::byte>& frame);
  // False where the data plane does not take it now.
  bool try_post(const std::vector<std::byte>& frame);
  // nullopt where the data plane has closed the session, or says nothing for 10 s.
  std::optional<Answer> wait();
  void close() { socket_.reset(); }

  std::vector<contract::LinkChange> link_changes;
  std::vector<contract::NeighbourChange> neighbour_changes;
  int region = -1;  // The descriptor that came with the hello; owned.
  ~Controller();

 private:
  dp::Descriptor socket_;
  std::uint32_t sequence_ = 0;
};

// Opens memory ports; device names say how: "fail" refuses, "slow" takes 50 ms, "early" opens only
// before rights are given up, "shared" is an interface of the kernel's too.
class MemoryOpener final : public dp::DeviceOpener {
 public:
  base::Result<std::unique_ptr<dp::Device>> open(const dp::DeviceRequest& request) override;
  base::Status may_open(const dp::DeviceRequest& request) const override;
  void before_traffic() override;

  std::atomic<int> given_up{0};  // How often.
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<bool> link_up{true};
  std::atomic<bool> absent{false};  // Nothing that is gone can be opened anew.
  std::atomic<int> vanishing{0};    // So many devices that are asked say that they are gone.
  std::atomic<char> down{0};        // Number of a device without a link.
  std::atomic<std::uint64_t> twin_returned_as{0};  // The MAC that the last one should have.
};

struct HousekeeperOptions {
  std::uint32_t networks = 100;
  std::uint32_t vteps = 100;
  std::uint32_t next_hops = 8;
  std::uint32_t endpoints = 1000;
  std::uint16_t workers = 1;
  dp::IdlePolicy idle{};
  std::string table_file{};  // Its path; empty: none.
};

// A number in the region, which the housekeeper's thread may be writing. Relaxed: it stands for
// itself.
inline std::uint64_t shown(std::uint64_t& number) noexcept {
  return std::atomic_ref(number).load(std::memory_order_relaxed);
}

// The same of a record with texts, of which a reader may see a part (dataplane/contract): what
// ThreadSanitizer would rightly call a race is meant.
template <class Record>
[[gnu::no_sanitize_thread, gnu::noinline]] Record snapshot(const Record& record) noexcept {
  Record copy;
  const auto* from = reinterpret_cast<const volatile unsigned char*>(&record);
  auto* to = reinterpret_cast<volatile unsigned char*>(&copy);
  for (std::size_t i = 0; i < sizeof record; ++i) to[i] = from[i];
  return copy;
}

class HousekeeperTest : public testing::Test {
 protected:
  explicit HousekeeperTest(const HousekeeperOptions& options = {});
  ~HousekeeperTest() override;

  // What `record`s of a small working configuration are: a tenant port 0, an underlay port 1, local
  // VTEP 1, remote VTEP 2, network 1 with VNI 100.
  void configure(Controller& controller, std::uint32_t transaction);
  std::string path() const { return directory_ + "/dataplane.sock"; }
  // Before what only its thread may look at is looked at.
  void stop_housekeeper();

  std::string directory_;
  std::unique_ptr<rte_mempool, void (*)(rte_mempool*)> pool_;
  dp::Tables tables_;
  dp::Epoch epoch_;
  dp::CounterRegion region_;
  dp::TraceBoard board_;
  std::vector<std::unique_ptr<dp::TraceRing>> rings_;
  std::vector<std::unique_ptr<dp::FrameRings>> frame_rings_;
  std::vector<std::unique_ptr<dp::Worker>> workers_;
  std::vector<dp::Worker*> worker_list_;
  std::vector<dp::TraceRing*> ring_list_;
  std::vector<dp::FrameRings*> frame_ring_list_;
  std::optional<dp::TableFile> table_file_;
  dp::Successor successor_;
  MemoryOpener opener_;
  std::vector<std::thread> worker_threads_;
  int stop_;
  std::unique_ptr<dp::Housekeeper> housekeeper_;  // Used by its thread until the test ends.
  base::Status ended_;                            // Of its thread.
  std::thread thread_;
};

contract::PortAdd port_add(std::uint16_t id, const std::string& device);
contract::PortSet port_set(std::uint16_t id, contract::PortRole role, std::uint16_t network = 0);
contract::NetworkSet network(std::uint16_t id, std::uint32_t vni,
                             const std::vector<std::uint16_t>& flood = {});
contract::VtepSet local_vtep(std::uint16_t id, const std::string& address, std::uint16_t port);
contract::VtepSet remote_vtep(std::uint16_t id, const std::string& address, std::uint16_t port,
                              std::uint16_t source);
contract::EndpointSet endpoint(std::uint16_t network, std::uint64_t mac,
                               contract::EndpointPlace place, std::uint16_t target);

}  // namespace test
