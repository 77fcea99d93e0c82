// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/events.hpp"

#include "controlplane/api/answer.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <optional>

namespace cp {

namespace asio = boost::asio;
namespace json = boost::json;

class Events::Listener : public HttpStream {
 public:
  explicit Listener(Events& events) : events_(events) { events_.listeners_.push_back(this); }
  ~Listener() override { std::erase(events_.listeners_, this); }

  void push(const std::string& line) {
    if (ended_) return;
    if (lines_.size() >= lines_max) {
      lines_.push_back(R"({"event":"gap","reason":"this listener read too slowly"})"
                       "\n");
      ended_ = true;
    } else {
      lines_.push_back(line);
    }
    if (arrived_) arrived_->cancel();
  }

  void end() {
    ended_ = true;
    if (arrived_) arrived_->cancel();
  }

  asio::awaitable<std::optional<std::string>> next() override {
    while (lines_.empty()) {
      if (ended_) co_return std::nullopt;
      arrived_.emplace(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      boost::system::error_code ignored;  // Cancelled is how a line announces itself.
      co_await arrived_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      arrived_.reset();
    }
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    co_return line;
  }

 private:
  Events& events_;
  std::deque<std::string> lines_;
  std::optional<asio::steady_timer> arrived_;  // While somebody waits.
  bool ended_ = false;
};

void Events::publish(std::string_view what, json::object members) {
  if (listeners_.empty()) return;
  json::object event{{"time", time_text(std::chrono::system_clock::now())}, {"event", what}};
  for (auto& [key, value] : members) event[key] = std::move(value);
  const std::string line = json::serialize(event) + "\n";
  for (Listener* listener : listeners_) listener->push(line);
}

std::unique_ptr<HttpStream> Events::listen() {
  return std::make_unique<Listener>(*this);
}

void Events::close() {
  for (Listener* listener : listeners_) listener->end();
}

}  // namespace cp
