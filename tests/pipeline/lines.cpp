// SPDX-License-Identifier: Apache-2.0
// No two workers write to one cache line while they carry frames between ports without rate or
// marker: what each turn changed is found by comparing all memory that workers are known to write
// (dataplane/worker/README.md has it as a table). And what lies at a worker's own socket.
#include "dataplane/start/on_socket.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/gateway.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>

namespace {

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
constexpr std::uint16_t blue = 1;
constexpr std::uint16_t worker_count = 2;
constexpr std::string_view near_mac = "02:00:00:00:0a:01";
constexpr std::string_view far_mac = "02:00:00:00:0b:01";

using Memory = test::Gateway::Memory;
using Line = std::uintptr_t;  // Its address over 64.

class Snapshot {
 public:
  explicit Snapshot(const std::vector<Memory>& memory) {
    for (const Memory& one : memory) copies_.push_back({one.bytes.begin(), one.bytes.end()});
  }
  // The lines that are different now, and whose they are.
  std::map<Line, std::string> changed(const std::vector<Memory>& memory) const {
    std::map<Line, std::string> lines;
    for (std::size_t i = 0; i < memory.size(); ++i) {
      for (std::size_t at = 0; at < memory[i].bytes.size(); ++at) {
        if (memory[i].bytes[at] == copies_[i][at]) continue;
        lines.emplace(reinterpret_cast<Line>(&memory[i].bytes[at]) / 64, memory[i].name);
      }
    }
    return lines;
  }

 private:
  std::vector<std::vector<std::byte>> copies_;
};

class Lines : public testing::Test {
 protected:
  Lines() : gateway_({.workers = worker_count, .queues = worker_count}) {
    gateway_.add_port(host, test::tenant_port(blue));
    gateway_.add_port(wire, test::underlay_port("02:70:63:61:70:00"));
    gateway_.set_local_vtep(1, "198.18.0.1");
    gateway_.set_remote_vtep(2, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
    gateway_.set_network(blue, 100, true, {});
    gateway_.set_endpoint(blue, far_mac, test::at_vtep(2));
    gateway_.set_endpoint(blue, near_mac, test::at_port(host));
    gateway_.commit();
  }

  // Frames in both directions for one worker, and its turn; what that changed.
  std::map<Line, std::string> turn(std::uint16_t worker) {
    for (int i = 0; i < 40; ++i) {
      gateway_.offer(host, test::make({.destination_mac = far_mac}), worker);
      gateway_.offer(wire, test::wrap(test::make({.destination_mac = near_mac})), worker);
    }
    // One that dies.
    gateway_.offer(host, test::make({.destination_mac = "02:00:00:00:0c:01"}), worker);
    const std::vector<Memory> memory = gateway_.memory_of_workers();
    const Snapshot before(memory);
    EXPECT_EQ(gateway_.worker(worker).turn(), 81U);
    return before.changed(memory);
  }

  test::Gateway gateway_;
};

TEST_F(Lines, no_line_is_written_by_two_workers) {
  std::array<std::map<Line, std::string>, worker_count> written;
  for (int round = 0; round < 4; ++round) {
    for (std::uint16_t worker = 0; worker < worker_count; ++worker) {
      written[worker].merge(turn(worker));
    }
  }

  EXPECT_EQ(gateway_.totals().tx, 2U * 4 * 80);
  for (std::uint16_t worker = 0; worker < worker_count; ++worker) {
    // Its counters and itself, at least.
    std::set<std::string> names;
    for (const auto& [line, name] : written[worker]) names.insert(name);
    EXPECT_TRUE(names.contains("region")) << worker;
    EXPECT_TRUE(names.contains("worker " + std::to_string(worker))) << worker;
    EXPECT_FALSE(names.contains("worker " + std::to_string(1 - worker))) << worker;
  }
  for (const auto& [line, name] : written[0]) {
    EXPECT_FALSE(written[1].contains(line)) << "both write " << name << " at line " << line;
  }
}

TEST_F(Lines, a_shared_line_would_be_seen) {
  alignas(64) std::array<std::byte, 128> bytes{};
  const std::vector<Memory> memory{{.name = "shared", .bytes = bytes}};
  const Snapshot before(memory);
  bytes[1] = std::byte{1};
  bytes[63] = std::byte{1};
  bytes[64] = std::byte{1};

  EXPECT_EQ(before.changed(memory).size(), 2U);
}

struct alignas(64) Counted {
  explicit Counted(int& count) : alive(count) { ++alive; }
  ~Counted() { --alive; }
  int& alive;
};

TEST(OnSocket, makes_what_it_is_told_wherever_there_is_memory) {
  int alive = 0;
  {
    // This machine has no socket 7: the heap takes its place.
    for (const int socket : {-1, 0, 7}) {
      const auto object = dp::make_on_socket<Counted>(socket, alive);
      ASSERT_NE(object, nullptr) << socket;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object.get()) % alignof(Counted), 0U);
      EXPECT_EQ(alive, 1);
    }
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
