// SPDX-License-Identifier: Apache-2.0
// A fake data plane: listens on a socket, speaks the contract's frames, keeps the digests of what
// it is told, forwards nothing. On a thread of its own, so that the link under test is served
// while its loop runs.
#pragma once

#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/contract/region.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

// What it is told to do wrong; set before start().
struct FakeFaults {
  std::uint16_t version = contract::version_now;
  bool silent = false;  // Accepts and never answers.
  bool sealed = true;
  std::uint32_t refuse_endpoint = 0;  // The Nth endpoint_set of its life; 0: none.
  bool refuse_commits = false;
  bool dies_at_commit = false;
  bool replaces_tables = true;  // False: it knows nothing but all or nothing.
};

class FakeDataplane {
 public:
  explicit FakeDataplane(std::string path, FakeFaults faults = {});
  ~FakeDataplane();

  void start();
  // As kill -9 would: the connection ends, what it knew is lost.
  void stop();
  // The next start() finds the endpoints of the last as they were, or one of them less.
  void adopt(bool all);

  std::vector<contract::Verb> verbs() const;  // Of all frames since the first start.
  std::uint32_t records(contract::Verb verb) const;
  std::uint64_t generation() const { return generation_; }
  contract::Digests digests() const;
  // Values of its region, for who counts.
  contract::WorkerBlock worker() { return contract::worker_block(region_, shape_, 0); }
  contract::GlobalState& global() { return contract::global_state(region_, shape_); }
  void send_trace(const contract::TracePacket& packet);

  std::atomic<bool> refuse_commits = false;
  std::atomic<std::uint16_t> refused_port = 0;  // As its reply to a refused commit has it.

 private:
  void begin(std::uint32_t replace);
  void serve();
  void serve_connection();
  bool answer(const contract::FrameView& frame);
  void take_records(const contract::FrameView& frame, contract::Reply& reply);
  void send_hello();
  void send(const std::vector<std::byte>& frame, int descriptor = -1);
  void make_region();

  std::string path_;
  FakeFaults faults_;
  contract::RegionShape shape_;
  std::span<std::byte> region_;
  int region_file_ = -1;
  int listener_ = -1;
  std::atomic<int> connection_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;  // Of what follows.
  std::vector<contract::Verb> verbs_;
  std::map<contract::Verb, std::uint32_t> records_;
  std::map<std::string, std::uint64_t> in_force_;  // Key of a record → its digest.
  std::map<std::string, std::uint64_t> next_;      // The open transaction's.
  std::map<std::string, std::uint64_t> dead_;      // In force when it was stopped.
  std::atomic<std::uint64_t> generation_ = 0;
};
