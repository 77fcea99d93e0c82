// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/session.hpp"

#include "controlplane/api/answer.hpp"
#include "controlplane/connection/stream.hpp"
#include "controlplane/link/as_result.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/base/memory.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <new>

namespace cp {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Parser = http::request_parser<http::string_body>;

namespace {

constexpr std::chrono::seconds goodbye_timeout{1};  // For the client's own goodbye.

// One client's connection: requests one after the other.
class Session {
 public:
  Session(Stream& stream, Peer peer, const SessionShare& share)
      : stream_(stream),
        limits_(share.limits),
        handler_(share.handler),
        bodies_bytes_(share.bodies_bytes),
        rate_(share.rate),
        buffer_(limits_.header_bytes + (64u << 10)),
        peer_(std::move(peer)),
        who_(title_of(peer_)) {}

  asio::awaitable<void> run() {
    // Not `while (co_await …)`: where another co_await follows such a loop, g++ 12's code ends in
    // ud2 (SIGILL) at the first request.
    bool goes_on = true;
    while (goes_on) goes_on = co_await serve_one();
    co_await say_goodbye();
  }

  // So that the client need not guess whether that was all. It may be gone already.
  asio::awaitable<void> say_goodbye() {
    Stream::Tls* const tls = stream_.tls();
    if (tls != nullptr) {
      stream_.plain().expires_after(goodbye_timeout);
      (void)co_await tls->async_shutdown(as_result);
    }
    beast::error_code ignored;
    (void)stream_.plain().socket().shutdown(asio::socket_base::shutdown_send, ignored);
  }

  asio::awaitable<bool> refuse(HttpResponse response) {
    co_return co_await write(std::move(response), 11, false);
  }

 private:
  asio::awaitable<bool> serve_one() {
    Parser parser;
    parser.header_limit(limits_.header_bytes);
    parser.body_limit(limits_.body_bytes);
    stream_.plain().expires_after(limits_.header_timeout);
    auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, as_result);
    if (error) co_return co_await refuse_unread(error);
    if (peer_.known() && !rate_.take(who_, std::chrono::steady_clock::now())) {
      co_return co_await refuse_too_many();
    }

    const std::uint64_t body_bytes_before = body_bytes_;
    const auto body_error = co_await read_body(parser);
    const std::uint64_t taken = body_bytes_ - body_bytes_before;
    if (body_error) {
      bodies_bytes_ -= taken;
      co_return co_await refuse_unread(body_error);
    }
    const bool keep = parser.keep_alive();
    const unsigned version = parser.get().version();
    HttpResponse response = co_await answer(parser);
    bodies_bytes_ -= taken;
    co_return co_await write(std::move(response), version, keep);
  }

  asio::awaitable<beast::error_code> read_body(Parser& parser) {
    constexpr std::size_t read_bytes = 64u << 10;
    stream_.plain().expires_after(limits_.body_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      (void)co_await asio::async_write(stream_, asio::buffer(go_on), as_result);
    }
    // Beast fills the room that there is, and half a kilobyte at a time takes long.
    if (parser.content_length_remaining().value_or(0) > read_bytes) buffer_.reserve(read_bytes);
    while (!parser.is_done()) {
      auto [error, size] = co_await http::async_read_some(stream_, buffer_, parser, as_result);
      body_bytes_ += size;
      bodies_bytes_ += size;
      if (error) co_return error;
      if (bodies_bytes_ > limits_.bodies_bytes) co_return http::error::body_limit;
    }
    co_return beast::error_code();
  }

  asio::awaitable<HttpResponse> answer(Parser& parser) {
    http::request<http::string_body> message = parser.release();
    HttpRequest request;
    request.method = std::string(message.method_string());
    set_target(request, {message.target().data(), message.target().size()});
    request.content_type = std::string(message[http::field::content_type]);
    request.body = std::move(message.body());
    request.peer = peer_;
    try {
      co_return co_await handler_(std::move(request));
    } catch (const std::bad_alloc&) {
      base::out_of_memory();  // Whatever was under way is decided at the next start.
    } catch (const std::exception& bug) {
      LOG(error, "request_failed", {"target", std::string(message.target())}, {"what", bug.what()});
    }
    co_return error_answer(500, "internal",
                           "the control plane failed at this request; see its log");
  }

  // Without its body, so that the connection ends.
  asio::awaitable<bool> refuse_too_many() {
    http::response<http::string_body> message(http::status::too_many_requests, 11);
    message.set(http::field::server, "weir-controlplane");
    message.set(http::field::content_type, "application/json");
    message.set(http::field::retry_after, "1");
    message.keep_alive(false);
    message.body() =
        error_answer(429, "too_many_requests",
                     "one user may ask " + std::to_string(limits_.requests_per_second) +
                         " times a second (--request-rate of weir-controlplane); try "
                         "again in a second")
            .body;
    message.prepare_payload();
    stream_.plain().expires_after(limits_.write_timeout);
    (void)co_await http::async_write(stream_, message, as_result);
    co_return false;
  }

  // What can still be said to a client whose request could not be read.
  asio::awaitable<bool> refuse_unread(beast::error_code error) {
    if (error == http::error::body_limit) {
      co_return co_await refuse(
          error_answer(413, "too_large",
                       "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes"));
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      co_return co_await refuse(error_answer(431, "too_large", "the header is too large"));
    }
    if (error.category() == make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      co_return co_await refuse(error_answer(400, "malformed", "not HTTP/1.1: " + error.message()));
    }
    co_return false;
  }

  asio::awaitable<bool> write(HttpResponse response, unsigned version, bool keep) {
    if (response.stream) co_return co_await write_stream(response, version);
    http::response<http::string_body> message(http::int_to_status(response.status), version);
    message.set(http::field::server, "weir-controlplane");
    message.set(http::field::content_type, response.content_type);
    if (!response.allow.empty()) message.set(http::field::allow, response.allow);
    message.keep_alive(keep);
    message.body() = std::move(response.body);
    message.prepare_payload();
    stream_.plain().expires_after(limits_.write_timeout);
    auto [error, size] = co_await http::async_write(stream_, message, as_result);
    co_return !error && keep;
  }

  asio::awaitable<bool> write_stream(HttpResponse& response, unsigned version) {
    http::response<http::empty_body> message(http::status::ok, version);
    message.set(http::field::server, "weir-controlplane");
    message.set(http::field::content_type, response.content_type);
    message.keep_alive(false);
    message.chunked(version >= 11);
    http::response_serializer<http::empty_body> serializer(message);
    stream_.plain().expires_after(limits_.write_timeout);
    auto [error, size] = co_await http::async_write_header(stream_, serializer, as_result);
    if (error) co_return false;

    using namespace asio::experimental::awaitable_operators;
    // Whichever ends first: the answer, or the client's patience.
    co_await (write_pieces(*response.stream, version >= 11) || wait_for_close());
    co_return false;
  }

  asio::awaitable<void> write_pieces(HttpStream& pieces, bool chunked) {
    while (std::optional<std::string> piece = co_await pieces.next()) {
      stream_.plain().expires_after(limits_.write_timeout);
      const auto bytes = asio::buffer(*piece);
      auto [error, size] =
          chunked ? co_await asio::async_write(stream_, http::make_chunk(bytes), as_result)
                  : co_await asio::async_write(stream_, bytes, as_result);
      if (error) co_return;
    }
    if (chunked) (void)co_await asio::async_write(stream_, http::make_chunk_last(), as_result);
  }

  asio::awaitable<void> wait_for_close() {
    // On the socket itself: the stream's timer belongs to the writer, and TLS must not be read from
    // under it. A client has nothing to say here; whoever says something has had enough, too.
    (void)co_await stream_.plain().socket().async_wait(asio::socket_base::wait_read, as_result);
  }

  Stream& stream_;
  const HttpLimits& limits_;
  const HttpHandler& handler_;
  std::uint64_t& bodies_bytes_;
  RequestRate& rate_;
  std::uint64_t body_bytes_ = 0;  // Read on this connection.
  beast::flat_buffer buffer_;
  Peer peer_;
  std::string who_;  // peer_'s title, for the limit of its requests.
};

}  // namespace

asio::awaitable<void> serve_session(Stream& stream, Peer peer, SessionShare share) {
  Session session(stream, std::move(peer), share);
  co_await session.run();
}

asio::awaitable<void> turn_away(Stream& stream, SessionShare share) {
  Session session(stream, Peer(), share);
  (void)co_await session.refuse(
      error_answer(503, "busy", "too many connections; try again in a moment"));
  co_await session.say_goodbye();
}

}  // namespace cp
