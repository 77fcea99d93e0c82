// SPDX-License-Identifier: Apache-2.0
// Two endpoints are asked for what genuine ones were asked for, and have to send the same frames,
// to the last byte and in the same order. Given to them is what the captures say of it: addresses,
// QPs, PSNs, keys, and the work of each side. What cannot be given is taken from the captured frame
// before they are compared:
// - IP identification, which the kernel draws for each frame, and payload, which is the
//   application's; so is the word that an atomic finds;
// - of connections that RDMA-CM made: the UDP source port, a hash of the kernel's ports;
// - of RDMA-CM's messages: ids, transaction, PSN of QP 1, GUID and the asking port, which the
// kernel
//   counts or draws; what the device can do (resources, depths, response times, retries); private
//   data; where the path leads (flow label, rate, hop limit).
// What rdma_rxe does otherwise than IBTA volume 1 is left out: see `Case::left_out`.
#include "tests/unit/endpoint/channel.hpp"
#include "tests/unit/pktgen_pcap.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>

namespace {

using namespace test;

struct Case {
  std::string name;
  std::size_t compared;
  // Frames, counted from 1 as tshark does.
  // rnr: rxe answers what follows an RNR NAK by a sequence NAK, too (12), where IBTA wants silence;
  // after an RNR NAK of a message's last packet it goes back to the first one (37, 38, 41, 42), and
  // these duplicates are acknowledged one by one (39, 40, 44, 45).
  std::set<std::size_t> left_out = {};
  // On the wire before the frame of this number, and known to its receiver behind that one.
  std::map<std::size_t, std::size_t> late = {};
};

const Case cases[] = {
    {.name = "rc_send", .compared = 100},
    {.name = "write", .compared = 340},
    {.name = "read", .compared = 180},
    {.name = "atomic_cs", .compared = 40},
    {.name = "ud_send", .compared = 20},
    {.name = "rping", .compared = 65},
    {.name = "cm_ops", .compared = 79},
    {.name = "rnr",
     .compared = 55,
     .left_out = {12, 37, 38, 39, 40, 41, 42, 44, 45},
     .late = {{7, 11}}},
};

std::string hex(const Bytes& bytes) {
  std::string text;
  char two[3];
  for (const std::uint8_t byte : bytes) {
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

bool is_management(const RocePacket& packet) {
  return packet.destination_qp == general_services_qp;
}

bool is_request(const RocePacket& packet) {
  if (is_management(packet)) return false;
  const Operation operation = operation_of(packet.opcode);
  return operation < Operation::read_response_first || operation > Operation::atomic_acknowledge;
}

// What one side was asked to do, out of the requests that it sent.
class WorkReader {
 public:
  void read(const RocePacket& packet) {
    if (!psns_.insert(packet.psn).second) return;  // Sent again.
    using enum Operation;
    const Operation operation = operation_of(packet.opcode);
    const bool begins = operation == send_first || operation == send_only ||
                        operation == send_only_immediate || operation >= write_first;
    const bool continues =
        operation == write_middle || operation == write_last || operation == write_last_immediate;
    if (begins && !continues) works_.push_back(begun(packet, operation));
    Work& work = works_.back();
    if (work.kind == WorkKind::send) {
      work.bytes += static_cast<std::uint32_t>(packet.payload.size());
    }
    work.is_solicited = packet.is_solicited;
    if ((extensions_of(packet.opcode) & extension::immediate) != 0) {
      work.has_immediate = true;
      work.id = packet.immediate;
    }
  }
  const std::vector<Work>& works() const { return works_; }

 private:
  static Work begun(const RocePacket& packet, Operation operation) {
    using enum Operation;
    if (operation < write_first) return {.kind = WorkKind::send};
    if (operation == compare_swap || operation == fetch_add) {
      return {.kind = operation == fetch_add ? WorkKind::fetch_add : WorkKind::compare_swap,
              .bytes = 8,
              .remote_address = packet.atomic.address,
              .remote_key = packet.atomic.key,
              .swap_or_add = packet.atomic.swap_or_add,
              .compare = packet.atomic.compare};
    }
    return {.kind = operation == read_request ? WorkKind::read : WorkKind::write,
            .bytes = packet.reth.bytes,
            .remote_address = packet.reth.address,
            .remote_key = packet.reth.key};
  }

  std::set<std::uint32_t> psns_;
  std::vector<Work> works_;
};

// Side 0 is 10.9.0.1, side 1 is 10.9.0.2.
class Replay {
 public:
  explicit Replay(const std::vector<Bytes>& capture)
      : capture_(capture), ends_{Endpoint(patient(), 0), Endpoint(patient(), 0)} {
    for (const Bytes& frame : capture_) frames_.push_back(*parse_frame(frame));
    for (QpConfig& config : configs_) {
      config.window_packets = 65536;
      config.reads_max = 64;
      config.timeout_exponent = 0;
      config.rnr_timer = 0;
    }
    for (const ParsedFrame& frame : frames_) learn(frame);
    has_connection_ = is_management(frames_.front().packet);
    // The side that is asked may never ask itself; the REQ says what it would begin with.
    if (has_connection_) {
      const auto request = parse_cm(frames_.front().packet.payload);
      configs_[1].starting_psn = request->request.starting_psn;
    }
    configs_[0].expected_psn = configs_[1].starting_psn;
    configs_[1].expected_psn = configs_[0].starting_psn;
  }

  std::size_t side_of(std::size_t number) const {
    return frames_[number].path.source == *base::parse_ip("10.9.0.1") ? 0 : 1;
  }

  void start() {
    if (has_connection_) {
      const auto request = parse_cm(frames_.front().packet.payload);
      const auto port = static_cast<std::uint16_t>(request->request.service_id);
      ends_[1].listen(port, configs_[1], 1);
      ends_[0].connect(configs_[0], port, 0);
      post(0);
    } else {
      for (std::size_t side = 0; side < 2; ++side) {
        ends_[side].add_qp(configs_[side], 0);
        post(side);
      }
    }
  }

  // What the side sends next, with what it cannot know as it was captured.
  Bytes next(std::size_t number) {
    const std::size_t side = side_of(number);
    const ParsedFrame& captured = frames_[number];
    const bool is_cm = is_management(captured.packet);
    if (is_cm && parse_cm(captured.packet.payload)->attribute == CmAttribute::disconnect) {
      ends_[side].disconnect(0, now(number));
    }
    if (waiting_[side].empty()) take(side, number);
    if (waiting_[side].empty()) return {};
    sent_ = waiting_[side].front();
    waiting_[side].pop_front();
    return with_what_was_drawn(sent_, captured);
  }

  // The peer gets it; ours where ours have other ids.
  void deliver(std::size_t number) {
    const std::size_t to = 1 - side_of(number);
    const bool is_cm = is_management(frames_[number].packet);
    if (!is_cm) {
      ends_[to].receive(capture_[number], now(number));
    } else {
      ends_[to].receive(sent_, now(number));
      if (to == 1 && ends_[1].qp_count() == 1 && !has_posted_) post(1);
    }
    // Each answer was sent before what came next.
    while (ends_[to].qp_count() > 0 && ends_[to].responder(0).has_answer()) take(to, number);
  }

  void give_receive() { ends_[1].post_receives(0, 1); }
  void limit_receives() { configs_[1].receives = 1; }

 private:
  static EndpointConfig patient() { return {.cm_repeat_after = 1000 * ps_per_s}; }
  static Time now(std::size_t number) { return (number + 1) * ps_per_s; }

  void learn(const ParsedFrame& frame) {
    const std::size_t side = frame.path.source == *base::parse_ip("10.9.0.1") ? 0 : 1;
    QpConfig& config = configs_[side];
    const RocePacket& packet = frame.packet;
    if (is_management(packet)) return;
    config.path = frame.path;
    config.peer_qp = configs_[1 - side].qp = packet.destination_qp;
    config.transport = static_cast<Transport>(transport_bits(packet.opcode));
    config.queue_key = packet.deth.key;
    if (!is_request(packet)) return;
    if (readers_[side].works().empty()) config.starting_psn = packet.psn;
    readers_[side].read(packet);
  }

  void post(std::size_t side) {
    for (const Work& work : readers_[side].works()) ends_[side].post(0, work);
    has_posted_ = has_posted_ || side == 1;
  }

  void take(std::size_t side, std::size_t number) {
    OneFrame sink;
    if (ends_[side].poll(sink, now(number), 1) == 1) waiting_[side].push_back(sink.memory);
  }

  CmMessage drawn(CmMessage ours, const CmMessage& captured) const {
    ours.transaction = captured.transaction;
    ours.local_id = captured.local_id;
    ours.remote_id = captured.remote_id;
    ours.private_data = captured.private_data;
    ours.reply.adapter_guid = captured.reply.adapter_guid;
    ours.reply.responder_resources = captured.reply.responder_resources;
    ours.reply.initiator_depth = captured.reply.initiator_depth;
    ours.reply.ack_delay = captured.reply.ack_delay;
    ours.reply.rnr_retries = captured.reply.rnr_retries;
    CmRequest request = captured.request;
    request.service_id = ours.request.service_id;
    request.qp = ours.request.qp;
    request.transport = ours.request.transport;
    request.starting_psn = ours.request.starting_psn;
    request.partition_key = ours.request.partition_key;
    request.path_mtu = ours.request.path_mtu;
    request.local_gid = ours.request.local_gid;
    request.remote_gid = ours.request.remote_gid;
    ours.request = request;
    return ours;
  }

  Bytes with_what_was_drawn(const Bytes& frame, const ParsedFrame& captured) const {
    const auto ours = parse_frame(frame);
    if (!ours) return frame;
    Path path = ours->path;
    RocePacket packet = ours->packet;
    path.identification = captured.path.identification;
    if (has_connection_) path.source_port = captured.path.source_port;
    CmMessage::Mad mad{};
    if (is_management(packet) && is_management(captured.packet)) {
      packet.psn = captured.packet.psn;
      mad = write_cm(drawn(*parse_cm(packet.payload), *parse_cm(captured.packet.payload)));
      packet.payload = mad;
    } else if (packet.payload.size() == captured.packet.payload.size()) {
      packet.payload = captured.packet.payload;
      packet.atomic_original = captured.packet.atomic_original;
    }
    Bytes whole(frame_bytes(path, packet));
    write_frame(whole.data(), path, packet);
    return whole;
  }

  const std::vector<Bytes>& capture_;
  std::vector<ParsedFrame> frames_;
  std::array<QpConfig, 2> configs_{};
  std::array<WorkReader, 2> readers_{};
  std::array<Endpoint, 2> ends_;
  std::array<std::deque<Bytes>, 2> waiting_{};
  Bytes sent_;
  bool has_connection_ = false;
  bool has_posted_ = false;
};

class Capture : public testing::TestWithParam<Case> {};

TEST_P(Capture, is_sent_again_to_the_last_byte) {
  const Case& what = GetParam();
  const char* root = std::getenv("WEIR_SOURCE_ROOT");
  const auto capture = read_pcap(std::string(root == nullptr ? "." : root) + "/tests/captures/" +
                                 what.name + ".pcap");
  ASSERT_FALSE(capture.empty());
  Replay replay(capture);
  const bool lacks_receives = !what.left_out.empty();
  if (lacks_receives) replay.limit_receives();
  replay.start();
  std::map<std::size_t, std::size_t> late;  // What arrives behind a frame.
  std::size_t compared = 0;

  for (std::size_t i = 0; i < capture.size(); ++i) {
    const std::size_t number = i + 1;
    if (what.left_out.contains(number)) continue;
    ASSERT_EQ(hex(replay.next(i)), hex(capture[i])) << "frame " << number;
    ++compared;
    const auto packet = parse_frame(capture[i])->packet;
    if (lacks_receives && packet.opcode == 0x11 &&
        (packet.aeth.syndrome & syndrome::kind_mask) == syndrome::rnr) {
      replay.give_receive();
    }
    if (const auto found = what.late.find(number); found != what.late.end()) {
      late[found->second] = i;
    } else {
      replay.deliver(i);
    }
    if (late.contains(number)) replay.deliver(late[number]);
  }

  EXPECT_EQ(compared, what.compared);
  EXPECT_EQ(compared + what.left_out.size(), capture.size());
}

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

INSTANTIATE_TEST_SUITE_P(All, Capture, testing::ValuesIn(cases),
                         [](const auto& one) { return one.param.name; });

}  // namespace
