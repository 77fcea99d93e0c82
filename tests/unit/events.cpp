// SPDX-License-Identifier: Apache-2.0
// Who listens to events and does not read is cut off: it costs neither memory without end nor the
// other listeners a line.
#include "controlplane/api/events.hpp"

#include "controlplane/api/server.hpp"
#include "tests/unit/http_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto lines_max = static_cast<std::int64_t>(cp::Events::lines_max);

void publish(cp::Events& events, std::int64_t first, std::int64_t count, std::size_t padding = 0) {
  for (std::int64_t number = first; number < first + count; ++number) {
    events.publish("test", {{"padding", std::string(padding, 'x')}, {"number", number}});
  }
}

struct Heard {
  std::int64_t numbers = 0;  // They came in order, from 0 to this one less.
  bool gap = false;          // The last line says that this listener was too slow.
};

// Of whole lines; a line that was not the next in order, or one after the gap, is a failure.
Heard understand(std::string_view text) {
  Heard heard;
  while (!text.empty()) {
    EXPECT_FALSE(heard.gap) << "a line follows the last";
    const std::size_t end = text.find('\n');
    if (end == text.npos) {
      ADD_FAILURE() << "half a line: " << text;
      break;
    }
    const json::value event = json::parse(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (event.at("event").as_string() == "gap") {
      heard.gap = true;
    } else {
      if (event.at("number").as_int64() != heard.numbers) {
        ADD_FAILURE() << "not line " << heard.numbers << ": " << json::serialize(event);
        break;
      }
      ++heard.numbers;
    }
  }
  return heard;
}

TEST(Events, keeps_as_many_lines_as_it_says_and_not_one_more) {
  for (const std::int64_t beyond : {0, 1, 100'000}) {
    SCOPED_TRACE(beyond);
    std::string kept;
    bool ended = false;
    cp::Events events;
    asio::io_context io;
    const auto listener = events.listen();

    publish(events, 0, lines_max + beyond);
    const auto take_all = [&]() -> asio::awaitable<void> {
      while (const auto line = co_await listener->next()) kept += *line;
      ended = true;
    };
    asio::co_spawn(io, take_all(), asio::detached);
    io.poll();  // Not run(): who is not cut off waits for the next line.

    const Heard heard = understand(kept);
    EXPECT_EQ(heard.numbers, lines_max);
    EXPECT_EQ(heard.gap, beyond > 0);
    EXPECT_EQ(ended, beyond > 0);
  }
}

// The stream as clients get it, from a real server.
class EventStream : public testing::Test {
 protected:
  static constexpr std::size_t padding = 1024;
  static constexpr std::int64_t per_round = 200;  // A reader has to keep up with no more.
  static constexpr std::int64_t rounds = 30;      // 6 MB: more than a socket and lines_max hold.

  EventStream()
      : path_(std::filesystem::temp_directory_path() /
              ("weir-events-" + std::to_string(::getpid()) + ".sock")) {}
  ~EventStream() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove(path_);
  }

  void start(std::chrono::seconds write_timeout) {
    cp::HttpLimits limits;
    limits.write_timeout = write_timeout;
    server_ = std::make_unique<cp::HttpServer>(
        io_.get_executor(), limits, [this](cp::HttpRequest) -> asio::awaitable<cp::HttpResponse> {
          cp::HttpResponse response;
          response.stream = events_.listen();
          co_return response;
        });
    ASSERT_TRUE(server_->listen_unix(path_));
    thread_ = std::thread([this] { io_.run(); });
  }

  // Listens once the answer has begun; 1.0, so that lines come without chunks around them.
  std::unique_ptr<HttpConnection> listen() {
    auto connection = std::make_unique<HttpConnection>(path_);
    connection->send("GET /v1/events HTTP/1.0\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(connection->waits_for("\r\n\r\n"));
    return connection;
  }

  template <class F>
  auto on_server(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto result = task.get_future();
    asio::post(io_, [&task] { task(); });
    return result.get();
  }
  std::size_t listeners() {
    return on_server([this] { return events_.listeners(); });
  }

  // Publishes everything, a round at a time, while `reader` reads; what that heard.
  Heard publish_to(const HttpConnection& reader) {
    std::string text;
    for (std::int64_t first = 0; first < rounds * per_round; first += per_round) {
      on_server([&] { publish(events_, first, per_round, padding); });
      std::string round;
      const std::string last = "\"number\":" + std::to_string(first + per_round - 1) + "}\n";
      EXPECT_TRUE(reader.reads_until(round, last));
      text += round;
    }
    return understand(text);
  }

  std::string path_;
  cp::Events events_;
  asio::io_context io_;  // Goes first: unfinished answers take themselves off the events' list.
  std::unique_ptr<cp::HttpServer> server_;
  std::thread thread_;
};

TEST_F(EventStream, cuts_off_who_never_reads_and_serves_the_others) {
  start(1s);
  const auto stuck = listen();
  const auto reader = listen();
  ASSERT_EQ(listeners(), 2u);

  const Heard heard = publish_to(*reader);
  for (int i = 0; i < 500 && listeners() > 1; ++i) std::this_thread::sleep_for(10ms);

  EXPECT_EQ(heard.numbers, rounds * per_round);
  EXPECT_FALSE(heard.gap);
  EXPECT_EQ(listeners(), 1u) << "the connection is kept for ever";
  std::string left;
  EXPECT_TRUE(stuck->reads_to_end(left));
  EXPECT_LT(left.size(), rounds * per_round * padding / 2);
}

TEST_F(EventStream, tells_who_reads_too_late_that_lines_are_missing) {
  start(60s);
  const auto late = listen();
  const auto reader = listen();

  EXPECT_EQ(publish_to(*reader).numbers, rounds * per_round);
  std::string text;
  ASSERT_TRUE(late->reads_to_end(text));
  const Heard heard = understand(text);

  EXPECT_TRUE(heard.gap);
  // What it gets now is all that was kept for it: the socket's buffer, and the lines.
  EXPECT_GE(heard.numbers, lines_max);
  EXPECT_LT(heard.numbers, 2 * lines_max);
  EXPECT_EQ(listeners(), 1u);
}

}  // namespace
