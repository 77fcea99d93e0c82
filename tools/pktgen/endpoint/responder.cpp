// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/endpoint/responder.hpp"

#include <algorithm>

namespace pktgen {

namespace {

// Where in a message a packet of SEND or WRITE stands.
struct Part {
  bool is_data;
  bool is_write;
  bool is_first;
  bool is_last;
};

Part part_of(Operation operation) noexcept {
  using enum Operation;
  switch (operation) {
    case send_first: return {true, false, true, false};
    case send_middle: return {true, false, false, false};
    case send_last:
    case send_last_immediate:
    case send_last_invalidate: return {true, false, false, true};
    case send_only:
    case send_only_immediate:
    case send_only_invalidate: return {true, false, true, true};
    case write_first: return {true, true, true, false};
    case write_middle: return {true, true, false, false};
    case write_last:
    case write_last_immediate: return {true, true, false, true};
    case write_only:
    case write_only_immediate: return {true, true, true, true};
    default: return {false, false, true, true};
  }
}

bool consumes_receive(Operation operation, const Part& part) noexcept {
  if (!part.is_write) return part.is_data && part.is_first;
  return operation == Operation::write_last_immediate ||
         operation == Operation::write_only_immediate;
}

}  // namespace

Responder::Responder(const QpConfig& config, ReceiveFacts& facts) noexcept
    : config_(config),
      facts_(facts),
      expected_psn_(config.expected_psn & mask_24),
      receives_(config.receives) {}

std::uint64_t Responder::word_at(std::uint64_t address) const {
  const auto found = words_.find(address);
  return found == words_.end() ? 0 : found->second;
}

void Responder::receive(const RocePacket& request) {
  if (config_.transport == Transport::rc) {
    receive_reliable(request);
  } else {
    receive_unreliable(request);
  }
}

void Responder::push_ack(std::uint32_t psn) {
  unacknowledged_ = 0;
  if (!answers_.empty() && answers_.back().kind == Kind::ack) {
    answers_.back().psn = psn;
    answers_.back().msn = message_number_;
    return;
  }
  answers_.push_back({.kind = Kind::ack, .psn = psn, .msn = message_number_});
}

void Responder::push_nak(std::uint8_t nak) {
  answers_.push_back(
      {.kind = Kind::nak, .psn = expected_psn_, .msn = message_number_, .syndrome = nak});
  waits_ = true;
}

void Responder::receive_reliable(const RocePacket& request) {
  const std::int32_t ahead = psn_distance(expected_psn_, request.psn);
  if (ahead < 0) {
    ++facts_.psn_duplicates;
    repeat_answer(request);
    return;
  }
  if (ahead > 0) {
    if (waits_) return;  // One NAK for a gap.
    ++facts_.psn_gaps;
    push_nak(syndrome::sequence_error);
    return;
  }
  const Operation operation = operation_of(request.opcode);
  if (!is_in_order(request)) {
    ++facts_.invalid_requests;
    push_nak(syndrome::invalid_request);
    return;
  }
  if (consumes_receive(operation, part_of(operation))) {
    if (receives_ == 0) {
      ++facts_.rnr_naks_sent;
      push_nak(syndrome::rnr | (config_.rnr_timer & syndrome::value_mask));
      return;
    }
    if (receives_ != std::numeric_limits<std::uint64_t>::max()) --receives_;
  }
  waits_ = false;
  accept(request);
}

// First and Middle are full, Last and Only follow what they continue (IBTA volume 1, §9.7.4.1).
bool Responder::is_in_order(const RocePacket& request) const noexcept {
  const Part part = part_of(operation_of(request.opcode));
  if (part.is_first == in_message_) return false;
  if (!part.is_data) return true;
  if (in_message_ && part.is_write != is_write_) return false;
  const std::size_t bytes = request.payload.size();
  return part.is_last ? bytes <= config_.path_mtu : bytes == config_.path_mtu;
}

void Responder::accept(const RocePacket& request) {
  const Operation operation = operation_of(request.opcode);
  if (operation == Operation::read_request) {
    const std::uint32_t bytes = request.reth.bytes;
    const std::uint32_t packets = bytes == 0 ? 1 : (bytes - 1) / config_.path_mtu + 1;
    ++message_number_;
    answers_.push_back(
        {.kind = Kind::read, .psn = request.psn, .msn = message_number_, .bytes = bytes});
    expected_psn_ = psn_after(expected_psn_, packets);
    unacknowledged_ = 0;
    return;
  }
  expected_psn_ = psn_after(expected_psn_, 1);
  if (operation == Operation::compare_swap || operation == Operation::fetch_add) {
    accept_atomic(request);
    return;
  }
  const Part part = part_of(operation);
  in_message_ = !part.is_last;
  is_write_ = part.is_write;
  message_bytes_ += request.payload.size();
  if (part.is_last) finish_message(message_bytes_);
  if (request.wants_ack || ++unacknowledged_ >= config_.ack_every_packets) push_ack(request.psn);
}

void Responder::accept_atomic(const RocePacket& request) {
  std::uint64_t& word = words_[request.atomic.address];
  const std::uint64_t original = word;
  if (operation_of(request.opcode) == Operation::fetch_add) {
    word += request.atomic.swap_or_add;
  } else if (word == request.atomic.compare) {
    word = request.atomic.swap_or_add;
  }
  atomic_results_[next_result_] = {.psn = request.psn, .original = original};
  next_result_ = (next_result_ + 1) % atomic_results_.size();
  results_ = std::min(results_ + 1, atomic_results_.size());
  finish_message(sizeof word);
  unacknowledged_ = 0;
  answers_.push_back(
      {.kind = Kind::atomic, .psn = request.psn, .msn = message_number_, .original = original});
}

void Responder::finish_message(std::uint64_t bytes) {
  ++facts_.messages;
  facts_.message_bytes += bytes;
  message_bytes_ = 0;
  message_number_ = (message_number_ + 1) & mask_24;
}

// READs are answered anew, atomics with what they found the first time.
void Responder::repeat_answer(const RocePacket& request) {
  const Operation operation = operation_of(request.opcode);
  if (operation == Operation::read_request) {
    answers_.push_back({.kind = Kind::read,
                        .psn = request.psn,
                        .msn = message_number_,
                        .bytes = request.reth.bytes});
    return;
  }
  if (operation == Operation::compare_swap || operation == Operation::fetch_add) {
    for (std::size_t i = 0; i < results_; ++i) {
      if (atomic_results_[i].psn != request.psn) continue;
      answers_.push_back({.kind = Kind::atomic,
                          .psn = request.psn,
                          .msn = message_number_,
                          .original = atomic_results_[i].original});
    }
    return;
  }
  push_ack(psn_after(expected_psn_, mask_24));
}

void Responder::receive_unreliable(const RocePacket& request) {
  const Part part = part_of(operation_of(request.opcode));
  if (config_.transport == Transport::ud) {
    finish_message(request.payload.size());
    return;
  }
  const std::int32_t ahead = psn_distance(expected_psn_, request.psn);
  if (ahead < 0) {
    ++facts_.psn_duplicates;
    return;
  }
  if (ahead > 0) {
    ++facts_.psn_gaps;
    in_message_ = false;  // What was coming in is lost; the next First or Only begins anew.
  }
  expected_psn_ = psn_after(request.psn, 1);
  if (part.is_first) {
    in_message_ = true;
    message_bytes_ = 0;
  }
  if (!in_message_) return;
  message_bytes_ += request.payload.size();
  if (part.is_last) {
    in_message_ = false;
    finish_message(message_bytes_);
  }
}

Outgoing Responder::take() {
  Answer& answer = answers_.front();
  if (answer.kind == Kind::read) return take_read(answer);
  Outgoing out{.is_data = false};
  out.packet.opcode =
      opcode_of(Transport::rc, answer.kind == Kind::atomic ? Operation::atomic_acknowledge
                                                           : Operation::acknowledge);
  out.packet.partition_key = config_.partition_key;
  out.packet.destination_qp = config_.peer_qp;
  out.packet.psn = answer.psn;
  out.packet.aeth = {.syndrome = answer.syndrome, .msn = answer.msn};
  out.packet.atomic_original = answer.original;
  answers_.pop_front();
  return out;
}

Outgoing Responder::take_read(Answer& answer) {
  using enum Operation;
  const bool is_last = answer.bytes <= config_.path_mtu;
  Outgoing out;
  out.payload_bytes = std::min(answer.bytes, std::uint32_t{config_.path_mtu});
  out.packet.opcode = opcode_of(
      Transport::rc, answer.has_begun ? (is_last ? read_response_last : read_response_middle)
                                      : (is_last ? read_response_only : read_response_first));
  out.packet.partition_key = config_.partition_key;
  out.packet.destination_qp = config_.peer_qp;
  out.packet.psn = answer.psn;
  out.packet.aeth = {.syndrome = syndrome::ack_without_credits, .msn = answer.msn};
  answer.has_begun = true;
  answer.bytes -= out.payload_bytes;
  answer.psn = psn_after(answer.psn, 1);
  if (is_last) answers_.pop_front();
  return out;
}

}  // namespace pktgen
