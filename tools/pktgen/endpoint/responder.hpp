// SPDX-License-Identifier: Apache-2.0
// The answering half of a QP: keeps order, answers with ACKs, NAKs, READ data and atomic results.
// Answers leave in the order of their requests; plain ACKs that wait are one ACK.
#pragma once

#include "tools/pktgen/endpoint/requester.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>

namespace pktgen {

class Responder {
 public:
  // Both outlive it.
  Responder(const QpConfig& config, ReceiveFacts& facts) noexcept;

  void receive(const RocePacket& request);

  bool has_answer() const noexcept { return !answers_.empty(); }
  // Whether the next answer is READ data, which is paced; only with an answer.
  bool answers_data() const noexcept { return answers_.front().kind == Kind::read; }
  Outgoing take();

  void add_receives(std::uint64_t count) noexcept { receives_ += count; }
  std::uint64_t receives() const noexcept { return receives_; }
  void start_at(std::uint32_t psn) noexcept { expected_psn_ = psn & mask_24; }
  std::uint32_t expected_psn() const noexcept { return expected_psn_; }
  // Of atomics; a word that was never written is 0.
  std::uint64_t word_at(std::uint64_t address) const;

 private:
  enum class Kind : std::uint8_t { ack, nak, read, atomic };
  struct Answer {
    Kind kind;
    std::uint32_t psn;
    std::uint32_t msn;
    std::uint8_t syndrome = syndrome::ack_without_credits;
    std::uint32_t bytes = 0;     // READ: left.
    bool has_begun = false;      // READ: its first packet left.
    std::uint64_t original = 0;  // Atomic.
  };
  struct AtomicResult {
    std::uint32_t psn;
    std::uint64_t original;
  };

  void receive_reliable(const RocePacket& request);
  void receive_unreliable(const RocePacket& request);
  void repeat_answer(const RocePacket& request);
  bool is_in_order(const RocePacket& request) const noexcept;
  void accept(const RocePacket& request);
  void accept_atomic(const RocePacket& request);
  void finish_message(std::uint64_t bytes);
  void push_ack(std::uint32_t psn);
  void push_nak(std::uint8_t syndrome);
  Outgoing take_read(Answer& answer);

  const QpConfig& config_;
  ReceiveFacts& facts_;
  std::deque<Answer> answers_;
  std::uint32_t expected_psn_;
  std::uint32_t message_number_ = 0;  // MSN: messages completed.
  std::uint32_t unacknowledged_ = 0;  // Packets since the last ACK.
  std::uint64_t message_bytes_ = 0;   // Of the message that is coming in.
  std::uint64_t receives_;
  bool in_message_ = false;
  bool is_write_ = false;  // That message.
  bool waits_ = false;     // A NAK was sent; silent until the expected PSN comes.
  std::unordered_map<std::uint64_t, std::uint64_t> words_;
  // As many as a requester may have outstanding, for those it repeats.
  std::array<AtomicResult, 16> atomic_results_{};
  std::size_t next_result_ = 0;
  std::size_t results_ = 0;
};

}  // namespace pktgen
