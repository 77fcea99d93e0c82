// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/exchange.hpp"

#include "controlplane/link/as_result.hpp"
#include "dataplane/base/log.hpp"

#include <boost/asio/co_spawn.hpp>

namespace cp {

namespace asio = boost::asio;
using base::Errc;
using contract::EventType;
using contract::FrameView;
using std::chrono::steady_clock;

Exchange::Exchange(asio::any_io_executor executor, SeqpacketSocket socket, OnEvent on_event)
    : executor_(executor),
      socket_(std::move(socket)),
      on_event_(std::move(on_event)),
      arrived_(executor),
      hello_timer_(executor) {}

asio::awaitable<std::expected<Message, Error>> Exchange::hello(Frame frame,
                                                               std::chrono::milliseconds timeout) {
  if (auto error = co_await send(frame)) co_return std::unexpected(std::move(*error));
  // A peer that accepts and says nothing must not hold us for ever: closing ends the receive.
  hello_timer_.expires_after(timeout);
  hello_timer_.async_wait([this](boost::system::error_code cancelled) {
    if (!cancelled) close("the data plane does not answer the hello");
  });
  auto message = co_await socket_.receive();
  hello_timer_.cancel();
  if (!open_) co_return std::unexpected(make_error(Errc::timed_out, why_closed_));
  if (!message) co_return std::unexpected(to_error(message.error()));
  co_return std::move(*message);
}

void Exchange::start_reading(std::function<void()> on_end) {
  reading_ = true;
  asio::co_spawn(executor_, read_forever(), [this, on_end = std::move(on_end)](std::exception_ptr) {
    reading_ = false;
    close("reading from the data plane ended");
    on_end();
  });
}

asio::awaitable<void> Exchange::read_forever() {
  while (open_) {
    auto message = co_await socket_.receive();
    if (!message) {
      close(to_error(message.error()).message);
      break;
    }
    take(std::move(message->bytes));
  }
}

void Exchange::take(Frame bytes) {
  const auto frame = FrameView::parse(bytes);
  if (!frame) return close(frame.error().text);
  switch (static_cast<EventType>(frame->header().type)) {
    case EventType::reply:
    case EventType::commit_reply:
      replies_.push_back(std::move(bytes));
      arrived_.cancel();
      return;
    case EventType::hello_reply: return;  // A second one says nothing new.
    case EventType::link_change:
    case EventType::neighbour_change:
    case EventType::trace_packet: return on_event_(*frame);
  }
  // Of a later release: what cannot be ignored is negotiated in the hello.
  LOG(debug, "event_unknown", {"type", frame->header().type});
}

asio::awaitable<std::expected<Frame, Error>> Exchange::call(Frame frame,
                                                            std::chrono::milliseconds timeout) {
  replies_.clear();
  if (auto error = co_await send(frame)) co_return std::unexpected(std::move(*error));
  auto reply = co_await next_reply(steady_clock::now() + timeout);
  if (!reply) co_return std::unexpected(std::move(reply.error()));
  Answer answer = read_answer(*FrameView::parse(*reply));
  if (answer.error) co_return std::unexpected(std::move(*answer.error));
  co_return std::move(*reply);
}

asio::awaitable<std::expected<Frame, Exchange::Refusal>> Exchange::transact(
    std::vector<TransactionFrame> frames, std::chrono::milliseconds timeout) {
  replies_.clear();
  Frame last;
  std::size_t answered = 0;
  std::size_t outstanding = 0;  // Frames sent, each of which gets its reply.
  std::optional<Refusal> refusal;
  // Looks at one reply; the first refusal is the one that counts.
  const auto look = [&](Frame reply) {
    Answer answer = read_answer(*FrameView::parse(reply));
    if (answer.error && !refusal) {
      refusal.emplace(Refusal{
          .error = std::move(*answer.error), .record = std::nullopt, .port = answer.refused_port});
      if (answer.refused_record) {
        refusal->record = frames[answered].first_record + *answer.refused_record;
      }
    }
    ++answered;
    last = std::move(reply);
  };

  const auto deadline = steady_clock::now() + timeout;
  for (std::size_t sent = 0; sent < frames.size() && !refusal; ++sent) {
    // The commit waits until everything before it was taken; all else flows.
    const std::size_t wanted = sent + 1 == frames.size() ? sent : 0;
    while (!refusal && (answered < wanted || !replies_.empty())) {
      auto reply = co_await next_reply(deadline);
      if (!reply) co_return std::unexpected(Refusal{std::move(reply.error()), std::nullopt});
      look(std::move(*reply));
    }
    if (refusal) break;
    if (auto error = co_await send(frames[sent].bytes)) {
      co_return std::unexpected(Refusal{std::move(*error), std::nullopt});
    }
    outstanding = sent + 1;
  }
  while (answered < outstanding) {
    auto reply = co_await next_reply(deadline);
    if (!reply) co_return std::unexpected(Refusal{std::move(reply.error()), std::nullopt});
    look(std::move(*reply));
  }
  if (refusal) co_return std::unexpected(std::move(*refusal));
  co_return std::move(last);
}

asio::awaitable<std::optional<Error>> Exchange::send(const Frame& frame) {
  if (!open_) co_return make_error(Errc::closed, why_closed_);
  auto sent = co_await socket_.send(frame);
  if (sent) co_return std::nullopt;
  close(to_error(sent.error()).message);
  co_return make_error(Errc::closed, why_closed_);
}

asio::awaitable<Exchange::Replies> Exchange::next_reply(steady_clock::time_point deadline) {
  while (replies_.empty()) {
    if (!open_) co_return std::unexpected(make_error(Errc::closed, why_closed_));
    if (steady_clock::now() >= deadline) {
      // Its replies can no longer be told from those of later commands.
      close("the data plane did not answer a command in time");
      co_return std::unexpected(make_error(Errc::timed_out, why_closed_));
    }
    arrived_.expires_at(deadline);
    (void)co_await arrived_.async_wait(as_result);
  }
  Frame reply = std::move(replies_.front());
  replies_.pop_front();
  co_return reply;
}

void Exchange::close(std::string why) {
  if (!open_) return;
  open_ = false;
  why_closed_ = std::move(why);
  socket_.close();
  arrived_.cancel();
}

}  // namespace cp
