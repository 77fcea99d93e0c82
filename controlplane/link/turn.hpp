// SPDX-License-Identifier: Apache-2.0
// One at a time, in the order of asking: a lock for coroutines of one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <utility>

namespace cp {

class Turns {
 public:
  // Holding it is having the turn; letting it go wakes the next.
  class Turn {
   public:
    explicit Turn(Turns* turns) noexcept : turns_(turns) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->release();
    }

   private:
    Turns* turns_;
  };

  boost::asio::awaitable<Turn> take() {
    if (!std::exchange(taken_, true)) co_return Turn(this);
    boost::asio::steady_timer called(co_await boost::asio::this_coro::executor,
                                     boost::asio::steady_timer::time_point::max());
    waiting_.push_back(&called);
    boost::system::error_code ignored;  // Cancelled is how we are called.
    co_await called.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    co_return Turn(this);
  }

 private:
  // The turn passes straight to the first who waits: taken_ stays true.
  void release() noexcept {
    if (waiting_.empty()) {
      taken_ = false;
      return;
    }
    boost::asio::steady_timer* next = waiting_.front();
    waiting_.pop_front();
    next->cancel();
  }

  std::deque<boost::asio::steady_timer*> waiting_;  // In the waiters' frames.
  bool taken_ = false;
};

}  // namespace cp
