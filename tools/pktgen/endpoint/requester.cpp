// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/endpoint/requester.hpp"

#include "dataplane/base/check.hpp"

#include <algorithm>
#include <array>

namespace pktgen {

namespace {

std::uint32_t packets_of(std::uint32_t bytes, std::uint16_t path_mtu) noexcept {
  return bytes == 0 ? 1 : (bytes - 1) / path_mtu + 1;
}

bool is_atomic(WorkKind kind) noexcept {
  return kind == WorkKind::compare_swap || kind == WorkKind::fetch_add;
}
bool has_answer(WorkKind kind) noexcept {
  return kind == WorkKind::read || is_atomic(kind);
}

std::uint32_t psns_of(const Work& work, std::uint16_t path_mtu) noexcept {
  return is_atomic(work.kind) ? 1 : packets_of(work.bytes, path_mtu);
}

Operation operation_of_packet(const Work& work, bool is_first, bool is_last) noexcept {
  using enum Operation;
  const bool immediate = work.has_immediate;
  if (work.kind == WorkKind::send) {
    if (is_first) return !is_last ? send_first : immediate ? send_only_immediate : send_only;
    return !is_last ? send_middle : immediate ? send_last_immediate : send_last;
  }
  if (is_first) return !is_last ? write_first : immediate ? write_only_immediate : write_only;
  return !is_last ? write_middle : immediate ? write_last_immediate : write_last;
}

}  // namespace

Time rnr_time(std::uint8_t code) noexcept {
  // In units of 10 µs.
  static constexpr std::array<std::uint32_t, 32> times{
      65536, 1,    2,    3,    4,    6,     8,     12,    16,    24,   32,
      48,    64,   96,   128,  192,  256,   384,   512,   768,   1024, 1536,
      2048,  3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152};
  return times[code & syndrome::value_mask] * 10 * ps_per_us;
}

Requester::Requester(const QpConfig& config, SendFacts& facts) noexcept
    : config_(config),
      facts_(facts),
      next_psn_(config.starting_psn & mask_24),
      send_psn_(next_psn_),
      una_psn_(next_psn_),
      highest_psn_(next_psn_) {}

void Requester::start_at(std::uint32_t psn) noexcept {
  next_psn_ = send_psn_ = una_psn_ = highest_psn_ = psn & mask_24;
}

Time Requester::timeout() const noexcept {
  if (config_.timeout_exponent == 0 || config_.transport != Transport::rc) return never;
  return Time{4'096'000} << config_.timeout_exponent;  // 4.096 µs.
}

void Requester::post_in_turn(std::span<const Work> works, std::size_t first,
                             std::uint64_t messages) noexcept {
  CHECK(first < works.size());
  turns_ = works;
  turn_ = first;
  turns_left_ = messages;
}

const Work* Requester::next_work() const noexcept {
  if (!queue_.empty()) return &queue_.front();
  return turns_left_ > 0 ? &turns_[turn_] : nullptr;
}

bool Requester::may_begin() const noexcept {
  const Work* const work = next_work();
  return work != nullptr && (!has_answer(work->kind) || reads_ < config_.reads_max);
}

Time Requester::ready_at() const noexcept {
  if (has_failed_) return never;
  if (sending_ == messages_.size() && !may_begin()) return never;
  const auto outstanding = static_cast<std::uint32_t>(psn_distance(una_psn_, send_psn_));
  if (outstanding >= config_.window_packets) return never;
  return held_until_;
}

void Requester::begin_message() {
  const Work& next = *next_work();
  const std::uint32_t psns = psns_of(next, config_.path_mtu);
  messages_.push_back({.work = next, .first_psn = next_psn_, .psns = psns});
  next_psn_ = psn_after(next_psn_, psns);
  if (has_answer(next.kind)) ++reads_;
  if (queue_.empty()) {
    turn_ = turn_ + 1 == turns_.size() ? 0 : turn_ + 1;
    if (turns_left_ != Work::for_ever) --turns_left_;
  } else if (queue_.front().repeat != Work::for_ever && --queue_.front().repeat == 0) {
    queue_.pop_front();
  }
}

RocePacket Requester::base_packet(std::uint32_t psn) const noexcept {
  RocePacket packet;
  packet.partition_key = config_.partition_key;
  packet.destination_qp = config_.peer_qp;
  packet.psn = psn;
  return packet;
}

Outgoing Requester::data_packet(const Message& message, std::uint32_t index) {
  const bool is_last = index + 1 == message.psns;
  const Work& work = message.work;
  Outgoing out{.packet = base_packet(send_psn_)};
  out.packet.opcode = opcode_of(config_.transport, operation_of_packet(work, index == 0, is_last));
  out.packet.reth = {.address = work.remote_address, .key = work.remote_key, .bytes = work.bytes};
  out.packet.deth = {.key = config_.queue_key, .source_qp = config_.qp};
  out.packet.immediate = static_cast<std::uint32_t>(work.id);
  out.packet.is_solicited = is_last && work.is_solicited;
  out.payload_bytes =
      is_last ? work.bytes - index * config_.path_mtu : std::uint32_t{config_.path_mtu};
  const auto outstanding = static_cast<std::uint32_t>(psn_distance(una_psn_, send_psn_));
  out.packet.wants_ack = config_.transport == Transport::rc &&
                         (is_last || (index + 1) % config_.ack_request_packets == 0 ||
                          outstanding + 1 >= config_.window_packets);
  return out;
}

// What is left of it: a READ that lost some of its answer asks for the rest only.
Outgoing Requester::read_packet(const Message& message, std::uint32_t index) {
  const std::uint32_t done = index * config_.path_mtu;
  Outgoing out{.packet = base_packet(send_psn_)};
  out.packet.opcode = opcode_of(config_.transport, Operation::read_request);
  out.packet.wants_ack = true;
  out.packet.reth = {.address = message.work.remote_address + done,
                     .key = message.work.remote_key,
                     .bytes = message.work.bytes - done};
  return out;
}

Outgoing Requester::atomic_packet(const Message& message) {
  Outgoing out{.packet = base_packet(send_psn_)};
  out.packet.opcode = opcode_of(config_.transport, message.work.kind == WorkKind::compare_swap
                                                       ? Operation::compare_swap
                                                       : Operation::fetch_add);
  out.packet.wants_ack = true;
  out.packet.atomic = {.address = message.work.remote_address,
                       .key = message.work.remote_key,
                       .swap_or_add = message.work.swap_or_add,
                       .compare = message.work.compare};
  return out;
}

Outgoing Requester::request_packet(const Message& message, std::uint32_t index) {
  if (message.work.kind == WorkKind::read) return read_packet(message, index);
  if (is_atomic(message.work.kind)) return atomic_packet(message);
  return data_packet(message, index);
}

Outgoing Requester::take(Time now) {
  if (sending_ == messages_.size()) begin_message();
  const Message& message = messages_[sending_];
  const auto index = static_cast<std::uint32_t>(psn_distance(message.first_psn, send_psn_));
  Outgoing out = request_packet(message, index);
  out.is_repeated = psn_distance(send_psn_, highest_psn_) > 0;
  // A READ takes all PSNs of its answer.
  const std::uint32_t taken = message.work.kind == WorkKind::read ? message.psns - index : 1;
  send_psn_ = psn_after(send_psn_, taken);
  if (psn_distance(highest_psn_, send_psn_) > 0) highest_psn_ = send_psn_;
  if (index + taken == message.psns) ++sending_;

  if (config_.transport != Transport::rc) {
    // Nobody will answer: sent is done.
    una_psn_ = send_psn_;
    if (sending_ > 0) complete_front();
  } else if (deadline_ == never && timeout() != never) {
    deadline_ = now + timeout();
  }
  return out;
}

void Requester::complete_front() {
  const Message& message = messages_.front();
  ++facts_.messages_completed;
  facts_.bytes_completed += message.work.bytes;
  if (has_answer(message.work.kind)) --reads_;
  messages_.pop_front();
  if (sending_ > 0) --sending_;
}

bool Requester::complete_to(std::uint32_t psn, Time now) {
  const std::uint32_t una_before = una_psn_;
  bool all = true;
  while (!messages_.empty() && psn_distance(una_psn_, psn) >= 0) {
    const Message& front = messages_.front();
    if (has_answer(front.work.kind)) {
      all = false;
      break;
    }
    const std::uint32_t end = psn_after(front.first_psn, front.psns);
    if (psn_distance(end, psn) < -1) {  // Its middle.
      una_psn_ = psn_after(psn, 1);
      break;
    }
    una_psn_ = end;
    complete_front();
  }
  // What was to be sent again has arrived meanwhile.
  if (psn_distance(send_psn_, una_psn_) > 0) {
    send_psn_ = una_psn_;
    sending_ = 0;
  }
  if (una_psn_ != una_before) made_progress(now);
  return all;
}

void Requester::made_progress(Time now) {
  retries_ = rnr_retries_ = 0;
  went_back_to_.reset();
  const bool outstanding = una_psn_ != highest_psn_;
  deadline_ = outstanding && timeout() != never ? now + timeout() : never;
}

void Requester::go_back(Time now) {
  send_psn_ = una_psn_;
  sending_ = 0;
  if (timeout() != never) deadline_ = now + timeout();
}

void Requester::retry(Time now) {
  if (++retries_ > config_.retries) {
    has_failed_ = true;
    deadline_ = never;
    return;
  }
  go_back(now);
}

void Requester::expire(Time now) {
  ++facts_.timeouts;
  went_back_to_ = una_psn_;
  retry(now);
}

void Requester::acknowledge(const RocePacket& packet, Time now) {
  if (has_failed_) return;
  // Of what was never sent, or was answered long ago.
  if (psn_distance(packet.psn, highest_psn_) <= 0) return;
  const std::uint8_t kind = packet.aeth.syndrome & syndrome::kind_mask;
  if (kind == syndrome::ack) {
    ++facts_.acks_received;
    if (psn_distance(una_psn_, packet.psn) < 0) return;
    if (!complete_to(packet.psn, now) && went_back_to_ != una_psn_) {
      // An acknowledgment behind a READ whose answer did not come: it is lost.
      went_back_to_ = una_psn_;
      go_back(now);
    }
    return;
  }
  // A NAK acknowledges all before it.
  if (psn_distance(una_psn_, packet.psn) < 0) return;
  if (psn_distance(una_psn_, packet.psn) > 0) complete_to(psn_after(packet.psn, mask_24), now);
  if (kind == syndrome::rnr) {
    ++facts_.rnr_naks_received;
    if (config_.rnr_retries != 7 && ++rnr_retries_ > config_.rnr_retries) {
      has_failed_ = true;
      deadline_ = never;
      return;
    }
    go_back(now);
    held_until_ = now + rnr_time(packet.aeth.syndrome);
    if (timeout() != never) deadline_ = held_until_ + timeout();
    return;
  }
  if (packet.aeth.syndrome == syndrome::sequence_error) {
    ++facts_.sequence_naks_received;
    retry(now);
    return;
  }
  has_failed_ = true;  // The other NAKs end a QP.
  deadline_ = never;
}

void Requester::read_response(const RocePacket& packet, Time now) {
  if (has_failed_ || psn_distance(packet.psn, highest_psn_) <= 0) return;
  if (psn_distance(una_psn_, packet.psn) < 0) return;  // Had it.
  if (packet.psn != una_psn_) complete_to(psn_after(packet.psn, mask_24), now);
  const bool is_awaited =
      packet.psn == una_psn_ && !messages_.empty() && messages_.front().work.kind == WorkKind::read;
  if (!is_awaited) {
    if (went_back_to_ == una_psn_) return;
    went_back_to_ = una_psn_;
    go_back(now);
    return;
  }
  const Message& front = messages_.front();
  una_psn_ = psn_after(una_psn_, 1);
  const bool is_complete = una_psn_ == psn_after(front.first_psn, front.psns);
  if (psn_distance(send_psn_, una_psn_) > 0) {
    send_psn_ = una_psn_;
    sending_ = is_complete ? 1 : 0;
  }
  if (is_complete) complete_front();
  made_progress(now);
}

void Requester::atomic_response(const RocePacket& packet, Time now) {
  if (has_failed_ || psn_distance(packet.psn, highest_psn_) <= 0) return;
  if (psn_distance(una_psn_, packet.psn) < 0) return;
  if (packet.psn != una_psn_) complete_to(psn_after(packet.psn, mask_24), now);
  const bool is_awaited =
      packet.psn == una_psn_ && !messages_.empty() && is_atomic(messages_.front().work.kind);
  if (!is_awaited) {
    if (went_back_to_ == una_psn_) return;
    went_back_to_ = una_psn_;
    go_back(now);
    return;
  }
  una_psn_ = psn_after(una_psn_, 1);
  if (psn_distance(send_psn_, una_psn_) > 0) {
    send_psn_ = una_psn_;
    sending_ = 1;
  }
  complete_front();
  made_progress(now);
}

}  // namespace pktgen
