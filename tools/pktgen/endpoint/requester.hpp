// SPDX-License-Identifier: Apache-2.0
// The asking half of a QP: cuts work into packets with PSNs, keeps what is not acknowledged, and
// goes back to it after NAKs and timeouts (go-back-N). Sends nothing by itself: it is asked for the
// next packet when its QP's turn comes.
#pragma once

#include "tools/pktgen/endpoint/config.hpp"
#include "tools/pktgen/endpoint/facts.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

namespace pktgen {

// A packet whose payload is the endpoint's to make.
struct Outgoing {
  RocePacket packet;
  std::uint32_t payload_bytes = 0;
  bool is_data = true;  // Counts for pacing and DCQCN; ACKs do not.
  bool is_repeated = false;
};

enum class QpState : std::uint8_t { connecting, ready, failed, closed };

class Requester {
 public:
  // Both outlive it.
  Requester(const QpConfig& config, SendFacts& facts) noexcept;

  void post(const Work& work) { queue_.push_back(work); }
  // Behind what was posted: works in turn from `first` on, again and again, `messages` in all.
  // Their repeat is not looked at; they outlive it.
  void post_in_turn(std::span<const Work> works, std::size_t first,
                    std::uint64_t messages) noexcept;
  bool is_idle() const noexcept { return next_work() == nullptr && messages_.empty(); }

  // When a packet may leave as far as acknowledgments allow; `never` when nothing is to be sent.
  Time ready_at() const noexcept;
  // Only when ready_at() has come.
  Outgoing take(Time now);

  void acknowledge(const RocePacket& packet, Time now);  // ACK or NAK.
  void read_response(const RocePacket& packet, Time now);
  void atomic_response(const RocePacket& packet, Time now);

  // When expire() is to be called; `never` without anything outstanding.
  Time deadline() const noexcept { return deadline_; }
  void expire(Time now);

  bool has_failed() const noexcept { return has_failed_; }
  std::uint32_t next_psn() const noexcept { return next_psn_; }
  std::uint32_t unacknowledged_psn() const noexcept { return una_psn_; }
  void start_at(std::uint32_t psn) noexcept;  // Before any work, when the peer said so.

 private:
  struct Message {
    Work work;
    std::uint32_t first_psn;
    std::uint32_t psns;
  };

  const Work* next_work() const noexcept;
  bool may_begin() const noexcept;
  void begin_message();
  Outgoing request_packet(const Message& message, std::uint32_t index);
  Outgoing data_packet(const Message& message, std::uint32_t index);
  Outgoing read_packet(const Message& message, std::uint32_t index);
  Outgoing atomic_packet(const Message& message);
  RocePacket base_packet(std::uint32_t psn) const noexcept;
  // Everything up to and with psn; false where a READ or atomic without its answer is in it.
  bool complete_to(std::uint32_t psn, Time now);
  void complete_front();
  void go_back(Time now);
  void retry(Time now);
  void made_progress(Time now);
  Time timeout() const noexcept;

  const QpConfig& config_;
  SendFacts& facts_;
  std::deque<Work> queue_;        // Not begun; the front's repeat counts down.
  std::span<const Work> turns_;   // When the queue is empty,
  std::size_t turn_ = 0;          // the next of them,
  std::uint64_t turns_left_ = 0;  // as often.
  std::deque<Message> messages_;  // Begun and not complete, oldest first.
  std::size_t sending_ = 0;       // Index in messages_ of the next packet's; its size: none.
  std::uint32_t next_psn_;        // Of the next message.
  std::uint32_t send_psn_;        // Of the next packet.
  std::uint32_t una_psn_;         // Oldest without acknowledgment.
  std::uint32_t highest_psn_;     // Below it all was sent once.
  std::uint32_t reads_ = 0;       // READs and atomics in messages_.
  std::optional<std::uint32_t> went_back_to_;  // Once per gap.
  Time deadline_ = never;
  Time held_until_ = 0;  // By an RNR NAK.
  unsigned retries_ = 0;
  unsigned rnr_retries_ = 0;
  bool has_failed_ = false;
};

// IBTA volume 1, table 46: the code of an RNR NAK as a time.
Time rnr_time(std::uint8_t code) noexcept;

}  // namespace pktgen
