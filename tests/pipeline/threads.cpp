// SPDX-License-Identifier: Apache-2.0
// Workers on threads of their own carry frames while another thread commits 10,000 changes.
// Each commit moves an endpoint between two VTEPs and gives its network another VNI: the VNI tells
// which commit a packet saw, the VTEP must fit it, and it must be none before the packet was
// offered and none after it was sent. No packet is lost, and every QP stays in order.
//
// Also what ThreadSanitizer judges: meson setup build-tsan -Db_sanitize=thread.
#include "dataplane/base/check.hpp"
#include "pipelines/catalog.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace {

using test::Bytes;

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t blue = 1;
constexpr std::uint32_t vni_first = 1000;
constexpr std::uint32_t commits = 10'000;
constexpr std::uint32_t in_flight = 24;  // Frames of each worker: not a whole burst, not one.
constexpr std::uint32_t qp_count = 8;
constexpr std::string_view target = "02:00:00:00:0b:01";

constexpr std::uint16_t vtep_after(std::uint32_t commit) {
  return static_cast<std::uint16_t>(2 + commit % 2);
}

struct Clock {
  std::atomic<std::uint32_t> begun{0};     // Commits that may be in force.
  std::atomic<std::uint32_t> finished{0};  // Commits that must be in force.
  std::atomic<bool> stop{false};
  std::atomic<std::uint16_t> running{0};  // Workers that have taken a burst.
};

// What lies in the payload of every frame.
struct Tag {
  std::uint32_t finished;  // Commits that had finished when it was offered.
  std::uint32_t sequence;  // Within its QP.
};
constexpr std::size_t tag_offset = 14 + 20 + 8 + 12;

struct Findings {
  std::uint64_t offered = 0;
  std::uint64_t arrived = 0;
  std::uint64_t mixed = 0;      // VTEP of one state, VNI of another.
  std::uint64_t stale = 0;      // A state from before the packet was offered.
  std::uint64_t premature = 0;  // A state from after it was sent.
  std::uint64_t reordered = 0;
  std::uint64_t changes_seen = 0;
};

// host_to_wire, and after each burst, on the worker's own thread, the host and the fabric: looks at
// what was sent and offers as many new frames. All mbufs stay with one thread.
class SelfFeeding final : public dp::AnyPipeline {
 public:
  SelfFeeding(std::unique_ptr<dp::AnyPipeline> inner, test::Gateway& gateway, std::uint16_t worker,
              Clock& clock)
      : inner_(std::move(inner)), gateway_(gateway), worker_(worker), clock_(clock) {
    const std::string name = "threads" + std::to_string(worker);
    pool_ = rte_pktmbuf_pool_create(name.c_str(), 255, 0, 0, 1024, SOCKET_ID_ANY);
    CHECK(pool_ != nullptr);
    frame_ = test::make({.destination_mac = target});
  }
  ~SelfFeeding() override { rte_mempool_free(pool_); }

  void run(dp::Batch& batch, dp::Exits& exits, dp::Mode mode) noexcept override {
    // Relaxed: nothing is read because of it.
    if (!std::exchange(running_, true)) clock_.running.fetch_add(1, std::memory_order_relaxed);
    inner_->run(batch, exits, mode);
    // Three threads that spin on two cores would wait for the scheduler, 10 ms for each commit.
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    for (rte_mbuf* mbuf : gateway_.memory_port(wire).take_sent(base::QueueId{worker_})) {
      judge(rte_pktmbuf_mtod(mbuf, const std::uint8_t*));
      rte_pktmbuf_free(mbuf);
      if (!clock_.stop.load(std::memory_order_relaxed)) offer();
    }
  }

  void send(dp::Batch& batch, dp::Exits& exits) noexcept override { inner_->send(batch, exits); }

  void offer() noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    CHECK(mbuf != nullptr);
    const std::uint32_t qp = next_qp_++ % qp_count;
    // Acquire pairs with the housekeeper's release: what has finished is in force for the batch
    // that takes this frame.
    const Tag tag{.finished = clock_.finished.load(std::memory_order_acquire),
                  .sequence = sequence_offered_[qp]++};
    frame_[49] = static_cast<std::uint8_t>(qp);
    std::memcpy(frame_.data() + tag_offset, &tag, sizeof tag);
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame_.size())), frame_.data(),
                frame_.size());
    gateway_.memory_port(host).offer(base::QueueId{worker_}, mbuf);
    ++findings.offered;
  }

  Findings findings;  // The worker's thread writes; the test reads after it has ended.

 private:
  void judge(const std::uint8_t* packet) noexcept {
    Tag tag;
    std::memcpy(&tag, packet + test::tunnel_bytes + tag_offset, sizeof tag);
    const std::uint32_t qp = packet[test::tunnel_bytes + 49];
    const std::uint32_t state = test::vni_of(packet) - vni_first;
    const auto vtep = static_cast<std::uint16_t>(test::outer_destination(packet) & 0xff);
    ++findings.arrived;
    findings.mixed += vtep != vtep_after(state);
    findings.stale += state < tag.finished;
    findings.premature += state > clock_.begun.load(std::memory_order_acquire);
    findings.reordered += tag.sequence != sequence_arrived_[qp]++;
    findings.changes_seen += state != last_state_;
    last_state_ = state;
  }

  std::unique_ptr<dp::AnyPipeline> inner_;
  test::Gateway& gateway_;
  std::uint16_t worker_;
  Clock& clock_;
  rte_mempool* pool_;
  bool running_ = false;
  Bytes frame_;
  std::uint32_t next_qp_ = 0;
  std::uint32_t last_state_ = 0;
  std::array<std::uint32_t, qp_count> sequence_offered_{};
  std::array<std::uint32_t, qp_count> sequence_arrived_{};
};

void set_state(test::Gateway& gateway, std::uint32_t commit) {
  if (commit > 0) gateway.remove_network(blue, vni_first + commit - 1);
  gateway.set_network(blue, vni_first + commit);
  gateway.set_endpoint(blue, target, test::at_vtep(vtep_after(commit)));
  gateway.commit();
}

void program(test::Gateway& gateway) {
  gateway.add_port(host, test::tenant_port(blue));
  gateway.add_port(wire, test::underlay_port("02:70:63:61:70:00"));
  for (const std::uint16_t vtep : {2, 3}) {
    const std::string address = "198.18.0." + std::to_string(vtep);
    gateway.set_remote_vtep(vtep, {.address = address, .port = wire, .source = "198.18.0.1"});
  }
}

class Threads : public test::OnWorkers {};

INSTANTIATE_TEST_SUITE_P(Workers, Threads, test::one_and_two_workers);

TEST_P(Threads, ten_thousand_commits_under_load_show_old_or_new_and_lose_nothing) {
  test::Gateway gateway(on_workers());
  program(gateway);
  set_state(gateway, 0);
  Clock clock;
  std::vector<SelfFeeding*> feeding;
  for (std::uint16_t worker = 0; worker < workers(); ++worker) {
    dp::Pipelines pipelines = dp::make_pipelines(gateway.worker(worker).environment());
    auto& tenant = pipelines.by_role[static_cast<std::size_t>(contract::PortRole::tenant)];
    auto feeder = std::make_unique<SelfFeeding>(std::move(tenant), gateway, worker, clock);
    feeding.push_back(feeder.get());
    for (std::uint32_t i = 0; i < in_flight; ++i) feeder->offer();
    tenant = std::move(feeder);
    gateway.worker(worker).set_pipelines(std::move(pipelines));
  }

  gateway.start_threads();
  // Commits do not wait for a thread that has not begun: all would be over before its first frame.
  while (clock.running.load(std::memory_order_relaxed) < workers()) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  for (std::uint32_t commit = 1; commit <= commits; ++commit) {
    clock.begun.store(commit, std::memory_order_release);
    set_state(gateway, commit);
    clock.finished.store(commit, std::memory_order_release);
  }
  clock.stop.store(true, std::memory_order_relaxed);
  gateway.stop_threads();
  gateway.run();  // What a worker had not taken when it was told to stop.

  for (const SelfFeeding* worker : feeding) {
    const Findings& found = worker->findings;
    EXPECT_EQ(found.arrived, found.offered);
    EXPECT_EQ(found.mixed, 0u);
    EXPECT_EQ(found.stale, 0u);
    EXPECT_EQ(found.premature, 0u);
    EXPECT_EQ(found.reordered, 0u);
    EXPECT_GT(found.changes_seen, 100u);
  }
  EXPECT_EQ(gateway.totals().dropped, 0u);
  EXPECT_EQ(gateway.mismatch(), 0);
}

}  // namespace
