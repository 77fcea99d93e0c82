// SPDX-License-Identifier: Apache-2.0
// One connection to the data plane while it lasts: command frames out, their replies in order,
// events handed on as they come. Replies come in the order of commands, one each.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/link/frames.hpp"
#include "controlplane/link/socket.hpp"
#include "dataplane/contract/event.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cp {

class Exchange {
 public:
  using OnEvent = std::function<void(const contract::FrameView&)>;

  Exchange(boost::asio::any_io_executor executor, SeqpacketSocket socket, OnEvent on_event);

  // The first exchange, before start_reading(): sends the hello and returns what came back.
  boost::asio::awaitable<std::expected<Message, Error>> hello(Frame frame,
                                                              std::chrono::milliseconds timeout);
  // Reads until the connection ends, then calls `on_end`; not to be destroyed while reading().
  void start_reading(std::function<void()> on_end);

  // One command and its reply. One caller at a time, of this and of transact().
  boost::asio::awaitable<std::expected<Frame, Error>> call(Frame frame,
                                                           std::chrono::milliseconds timeout);

  struct Refusal {
    Error error;
    std::optional<std::size_t> record;   // Of the transaction; absent where it is none's fault.
    std::optional<base::PortId> port{};  // Whose device refused the commit.
  };
  // All frames of a transaction with their replies, the last of which is returned. After a refusal
  // no more is sent; aborting is the caller's business.
  boost::asio::awaitable<std::expected<Frame, Refusal>> transact(
      std::vector<TransactionFrame> frames, std::chrono::milliseconds timeout);

  bool open() const noexcept { return open_; }
  bool reading() const noexcept { return reading_; }
  // Empty while open.
  const std::string& why_closed() const noexcept { return why_closed_; }
  void close(std::string why);

 private:
  using Replies = std::expected<Frame, Error>;

  boost::asio::awaitable<void> read_forever();
  void take(Frame bytes);
  boost::asio::awaitable<std::optional<Error>> send(const Frame& frame);
  boost::asio::awaitable<Replies> next_reply(std::chrono::steady_clock::time_point deadline);

  boost::asio::any_io_executor executor_;
  SeqpacketSocket socket_;
  OnEvent on_event_;
  boost::asio::steady_timer arrived_;  // Cancelled when a reply came, or none can come any more.
  boost::asio::steady_timer hello_timer_;
  std::deque<Frame> replies_;  // Not yet looked at.
  std::string why_closed_;
  bool open_ = true;
  bool reading_ = false;
};

}  // namespace cp
