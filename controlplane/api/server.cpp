// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/server.hpp"

#include "controlplane/api/answer.hpp"
#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <cerrno>
#include <charconv>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace cp {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using base::Descriptor;
using base::Errc;
using base::fail;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using Parser = http::request_parser<http::string_body>;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// What all sessions of a server share: the server's, which outlives their work.
struct Shared {
  const HttpLimits& limits;
  const HttpHandler& handler;
  std::uint64_t& bodies_bytes;
  RequestRate& rate;
};

// One client's connection: requests one after the other.
class Session {
 public:
  Session(Stream stream, Peer peer, const Shared& shared)
      : stream_(std::move(stream)),
        limits_(shared.limits),
        handler_(shared.handler),
        bodies_bytes_(shared.bodies_bytes),
        rate_(shared.rate),
        buffer_(limits_.header_bytes + (64u << 10)),
        peer_(std::move(peer)) {}

  asio::awaitable<void> run() {
    while (co_await serve_one()) {
    }
    beast::error_code ignored;  // The client may be gone already.
    (void)stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  }

  asio::awaitable<bool> refuse(HttpResponse response) {
    co_return co_await write(std::move(response), 11, false);
  }

 private:
  asio::awaitable<bool> serve_one() {
    Parser parser;
    parser.header_limit(limits_.header_bytes);
    parser.body_limit(limits_.body_bytes);
    stream_.expires_after(limits_.header_timeout);
    auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, as_result);
    if (error) co_return co_await refuse_unread(error);
    if (peer_.uid && !rate_.take(*peer_.uid, std::chrono::steady_clock::now())) {
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
    stream_.expires_after(limits_.body_timeout);
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
    stream_.expires_after(limits_.write_timeout);
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
    stream_.expires_after(limits_.write_timeout);
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
    stream_.expires_after(limits_.write_timeout);
    auto [error, size] = co_await http::async_write_header(stream_, serializer, as_result);
    if (error) co_return false;

    using namespace asio::experimental::awaitable_operators;
    // Whichever ends first: the answer, or the client's patience.
    co_await (write_pieces(*response.stream, version >= 11) || wait_for_close());
    co_return false;
  }

  asio::awaitable<void> write_pieces(HttpStream& pieces, bool chunked) {
    while (std::optional<std::string> piece = co_await pieces.next()) {
      stream_.expires_after(limits_.write_timeout);
      const auto bytes = asio::buffer(*piece);
      auto [error, size] =
          chunked ? co_await asio::async_write(stream_, http::make_chunk(bytes), as_result)
                  : co_await asio::async_write(stream_, bytes, as_result);
      if (error) co_return;
    }
    if (chunked) (void)co_await asio::async_write(stream_, http::make_chunk_last(), as_result);
  }

  asio::awaitable<void> wait_for_close() {
    stream_.expires_never();
    char ignored[256];
    for (;;) {
      // On the socket itself: the stream's timer belongs to the writer.
      auto [error, size] =
          co_await stream_.socket().async_read_some(asio::buffer(ignored), as_result);
      if (error) co_return;
    }
  }

  Stream stream_;
  const HttpLimits& limits_;
  const HttpHandler& handler_;
  std::uint64_t& bodies_bytes_;
  RequestRate& rate_;
  std::uint64_t body_bytes_ = 0;  // Read on this connection.
  beast::flat_buffer buffer_;
  Peer peer_;
};

}  // namespace

HttpServer::HttpServer(asio::any_io_executor executor, HttpLimits limits, HttpHandler handler)
    : executor_(std::move(executor)),
      limits_(limits),
      handler_(std::move(handler)),
      rate_(limits.requests_per_second) {}

base::Status HttpServer::bind(const Endpoint& endpoint) {
  auto acceptor = std::make_unique<Acceptor>(executor_);
  beast::error_code error;
  // Each returns `error` once more.
  (void)acceptor->open(endpoint.protocol(), error);
  if (!error) (void)acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) (void)acceptor->bind(endpoint, error);
  if (error) return fail(Errc::io, "the address cannot be listened on", error.value());
  acceptors_.push_back(std::move(acceptor));
  return {};
}

// At the address that was bound last.
base::Status HttpServer::listen() {
  Acceptor& acceptor = *acceptors_.back();
  beast::error_code error;
  (void)acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Errc::io, "the address cannot be listened on", error.value());
  asio::co_spawn(executor_, accept_forever(acceptor), asio::detached);
  return {};
}

// Members of the group may use it, others not, from the first moment on.
base::Status HttpServer::bind_unix(const std::string& path, const Endpoint& endpoint) {
  const mode_t before = ::umask(access_.socket_group ? 0177 : 0117);
  auto status = bind(endpoint);
  ::umask(before);
  if (!status || !access_.socket_group) return status;
  const gid_t group = access_.socket_group->id;
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group) == 0 &&
      ::chmod(path.c_str(), 0660) == 0) {
    return {};
  }
  const int error = errno;
  ::unlink(path.c_str());
  return fail(Errc::io,
              "the socket cannot be given to that group: be a member of it, or start as root",
              error);
}

base::Status HttpServer::listen_unix(const std::string& path, Access access) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Errc::invalid_argument, "the runtime directory's path is too long for a socket");
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0) {
    return fail(Errc::already_exists,
                "another weir-controlplane serves this runtime directory; stop it first");
  }
  ::unlink(path.c_str());
  access_ = std::move(access);
  if (auto bound = bind_unix(path, Endpoint(endpoint)); !bound) return bound;
  unix_path_ = path;
  return listen();
}

base::Status HttpServer::listen_tcp(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return fail(Errc::invalid_argument, "--metrics-listen wants ADDRESS:PORT");
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  beast::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  if (error) return fail(Errc::invalid_argument, "--metrics-listen wants a numeric address");
  const std::string port_text = address.substr(colon + 1);
  unsigned port = 0;
  const char* end = port_text.data() + port_text.size();
  if (std::from_chars(port_text.data(), end, port).ptr != end || port == 0 || port > 65535) {
    return fail(Errc::invalid_argument, "--metrics-listen wants a port of 1..65535");
  }
  const asio::ip::tcp::endpoint endpoint(ip, static_cast<std::uint16_t>(port));
  if (auto bound = bind(Endpoint(endpoint)); !bound) return bound;
  return listen();
}

void HttpServer::close() {
  // While we still listen: nobody else's socket can stand there yet.
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
  unix_path_.clear();
  for (auto& acceptor : acceptors_) {
    beast::error_code ignored;  // It is going away.
    (void)acceptor->close(ignored);
  }
}

asio::awaitable<void> HttpServer::accept_forever(Acceptor& acceptor) {
  asio::steady_timer pause(executor_);
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, most likely: some client has to leave first.
      LOG(warning, "accept_failed", {"reason", error.message()});
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(as_result);
      continue;
    }
    asio::co_spawn(executor_, serve(Socket(std::move(socket))), asio::detached);
  }
}

asio::awaitable<void> HttpServer::serve(Socket socket) {
  // Counted by hand, not by a guard: frames that never finish are destroyed after the server.
  ++connections_;
  Peer peer = access_.peer_of(socket.native_handle());
  Session session(
      Stream(std::move(socket)), std::move(peer),
      {.limits = limits_, .handler = handler_, .bodies_bytes = bodies_bytes_, .rate = rate_});
  try {
    if (connections_ > limits_.connections) {
      (void)co_await session.refuse(
          error_answer(503, "busy", "too many connections; try again in a moment"));
    } else {
      co_await session.run();
    }
  } catch (const std::exception& bug) {
    LOG(error, "session_failed", {"what", bug.what()});
  }
  --connections_;
}

}  // namespace cp
