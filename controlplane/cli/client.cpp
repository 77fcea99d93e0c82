// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/client.hpp"

#include "controlplane/cli/refusal.hpp"
#include "controlplane/connection/address.hpp"
#include "controlplane/connection/stream.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace cp {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Opened = std::expected<void, ClientError>;

namespace {

// One connection. Beast's timeouts work with asynchronous calls only, so each step starts one and
// runs the loop until it is done.
class Connection {
 public:
  // `target` is borrowed.
  Connection(const Target& target, std::chrono::milliseconds timeout)
      : target_(target), stream_(io_), timeout_(timeout) {
    buffer_.reserve(65536);  // What is read at once; by itself Beast begins with 512 bytes.
  }

  Opened open() {
    if (!target_.server.empty()) return open_remote();
    if (auto error = connect(asio::local::stream_protocol::endpoint(target_.socket))) {
      return std::unexpected(cannot_connect(target_.socket, error));
    }
    return {};
  }

  ClientError lost(beast::error_code error) {
    if (error == beast::error::timeout) {
      return {ExitCode::timed_out, "the control plane did not answer in time; see `weir status`"};
    }
    if (stream_.tls() != nullptr) return refused(target_, stream_.tls()->native_handle(), error);
    return {ExitCode::cannot_connect, "the control plane ended the connection: " + error.message()};
  }

  beast::error_code send(http::request<http::string_body>& request) {
    return step([&](auto done) {
      http::async_write(stream_, request, [done](beast::error_code e, std::size_t) { done(e); });
    });
  }

  template <class Parser>
  beast::error_code read_header(Parser& parser) {
    return step([&](auto done) {
      http::async_read_header(stream_, buffer_, parser,
                              [done](beast::error_code e, std::size_t) { done(e); });
    });
  }

  template <class Parser>
  beast::error_code read(Parser& parser) {
    return step([&](auto done) {
      http::async_read(stream_, buffer_, parser,
                       [done](beast::error_code e, std::size_t) { done(e); });
    });
  }

  // Without a deadline: the next event may be hours away.
  template <class Parser>
  beast::error_code read_some(Parser& parser) {
    stream_.plain().expires_never();
    return run([&](auto done) {
      http::async_read_some(stream_, buffer_, parser,
                            [done](beast::error_code e, std::size_t) { done(e); });
    });
  }

 private:
  beast::error_code connect(const Stream::Plain::endpoint_type& endpoint) {
    return step([&](auto done) { stream_.plain().async_connect(endpoint, done); });
  }

  // The addresses of a name, one after the other.
  Opened open_remote() {
    auto context = make_tls_context(TlsSide::client, target_.files);
    if (!context) return std::unexpected(ClientError{ExitCode::usage, context.error()});
    const auto server = parse_host_port(target_.server).value_or(HostPort());
    asio::ip::tcp::resolver resolver(io_);
    beast::error_code error;
    const auto found = resolver.resolve(server.host, std::to_string(server.port),
                                        asio::ip::resolver_base::numeric_service, error);
    if (error) return std::unexpected(cannot_reach(target_.server, error));
    for (const auto& entry : found) {
      stream_.plain().close();
      error = connect(entry.endpoint());
      if (!error) break;
    }
    if (error) return std::unexpected(cannot_reach(target_.server, error));
    return begin_tls(*context, server.host);
  }

  // Has a share in the context afterwards.
  Opened begin_tls(asio::ssl::context& context, const std::string& host) {
    prepare_tcp(stream_.plain().socket().native_handle());
    Stream::Tls& tls = stream_.use_tls(context);
    expect_server(tls.native_handle(), host);
    const auto error =
        step([&](auto done) { tls.async_handshake(asio::ssl::stream_base::client, done); });
    if (error) return std::unexpected(lost(error));
    return {};
  }

  template <class Start>
  beast::error_code step(Start start) {
    stream_.plain().expires_after(timeout_);
    return run(start);
  }

  template <class Start>
  beast::error_code run(Start start) {
    beast::error_code result;
    start([&result](beast::error_code error) { result = error; });
    io_.restart();
    io_.run();
    return result;
  }

  const Target& target_;
  asio::io_context io_;
  Stream stream_;
  std::chrono::milliseconds timeout_;
  beast::flat_buffer buffer_;
};

http::request<http::string_body> make_request(const std::string& method, const std::string& target,
                                              const std::string& body,
                                              const std::string& content_type) {
  http::request<http::string_body> request(http::string_to_verb(method), target, 11);
  request.set(http::field::host, "weir");
  request.set(http::field::user_agent, "weir/" WEIR_VERSION);
  if (!content_type.empty()) request.set(http::field::content_type, content_type);
  request.keep_alive(false);
  request.body() = body;
  request.prepare_payload();
  return request;
}

// A server that refuses our certificate says so by an alert, which may come after a broken pipe.
beast::error_code cause_of(beast::error_code send_error, beast::error_code read_error) {
  const bool alerted = read_error.category() == asio::error::get_ssl_category();
  return send_error && !alerted ? send_error : read_error;
}

}  // namespace

std::expected<ClientAnswer, ClientError> Client::request(const std::string& method,
                                                         const std::string& target,
                                                         const std::string& body,
                                                         const std::string& content_type) const {
  Connection connection(target_, timeout_);
  if (auto opened = connection.open(); !opened) return std::unexpected(opened.error());
  auto message = make_request(method, target, body, content_type);
  const beast::error_code send_error = connection.send(message);
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  // Whoever refuses a body early answers and closes: the answer counts, not the broken pipe.
  if (auto error = connection.read(parser)) {
    return std::unexpected(connection.lost(cause_of(send_error, error)));
  }
  return ClientAnswer{parser.get().result_int(), std::move(parser.get().body())};
}

std::expected<void, ClientError> Client::stream(
    const std::string& target, const std::function<bool(std::string_view)>& on_line) const {
  Connection connection(target_, timeout_);
  if (auto opened = connection.open(); !opened) return std::unexpected(opened.error());
  auto message = make_request("GET", target, {}, {});
  const beast::error_code send_error = connection.send(message);
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (auto error = connection.read_header(parser)) {
    return std::unexpected(connection.lost(cause_of(send_error, error)));
  }

  std::string line;
  char piece[4096];
  while (!parser.is_done()) {
    parser.get().body().data = piece;
    parser.get().body().size = sizeof piece;
    const beast::error_code error = connection.read_some(parser);
    if (error && error != http::error::need_buffer) return std::unexpected(connection.lost(error));
    const std::size_t size = sizeof piece - parser.get().body().size;
    for (const char c : std::string_view(piece, size)) {
      if (c != '\n') {
        line.push_back(c);
        continue;
      }
      if (!on_line(line)) return {};
      line.clear();
    }
  }
  return {};
}

std::string encode_percent(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == ':';
    if (plain) {
      result.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result.push_back('%');
      result.push_back(digits[byte >> 4]);
      result.push_back(digits[byte & 15]);
    }
  }
  return result;
}

}  // namespace cp
