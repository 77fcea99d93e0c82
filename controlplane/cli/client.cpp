// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <grp.h>
#include <sys/stat.h>

namespace cp {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Stream = beast::basic_stream<asio::local::stream_protocol>;

namespace {

// One connection. Beast's timeouts work with asynchronous calls only, so each step starts one and
// runs the loop until it is done.
class Connection {
 public:
  explicit Connection(std::chrono::milliseconds timeout) : stream_(io_), timeout_(timeout) {
    buffer_.reserve(65536);  // What is read at once; by itself Beast begins with 512 bytes.
  }

  beast::error_code connect(const std::string& path) {
    return step([&](auto done) {
      stream_.async_connect(asio::local::stream_protocol::endpoint(path), done);
    });
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
    stream_.expires_never();
    return run([&](auto done) {
      http::async_read_some(stream_, buffer_, parser,
                            [done](beast::error_code e, std::size_t) { done(e); });
    });
  }

 private:
  template <class Start>
  beast::error_code step(Start start) {
    stream_.expires_after(timeout_);
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

// Whom it takes to use that socket: "membership in its group netops".
std::string whom_it_takes(const std::string& path) {
  struct stat socket{};
  if (::stat(path.c_str(), &socket) != 0) return "a folder that lets you pass";
  const group* found = ::getgrgid(socket.st_gid);
  return "membership in its group " +
         (found != nullptr ? std::string(found->gr_name) : std::to_string(socket.st_gid));
}

ClientError cannot_connect(const std::string& path, beast::error_code error) {
  std::string message = "cannot connect to " + path + ": " + error.message() + "; ";
  if (error == asio::error::access_denied) {
    message += "it takes " + whom_it_takes(path) + ", or root";
  } else {
    message += "start weir-controlplane, or name its socket with -s or WEIR_SOCKET";
  }
  return {ExitCode::cannot_connect, std::move(message)};
}

ClientError lost(beast::error_code error) {
  if (error == beast::error::timeout) {
    return {ExitCode::timed_out, "the control plane did not answer in time; see `weir status`"};
  }
  return {ExitCode::cannot_connect, "the control plane ended the connection: " + error.message()};
}

}  // namespace

std::expected<ClientAnswer, ClientError> Client::request(const std::string& method,
                                                         const std::string& target,
                                                         const std::string& body,
                                                         const std::string& content_type) const {
  Connection connection(timeout_);
  if (auto error = connection.connect(socket_path_)) {
    return std::unexpected(cannot_connect(socket_path_, error));
  }
  auto message = make_request(method, target, body, content_type);
  const beast::error_code send_error = connection.send(message);
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  // Whoever refuses a body early answers and closes: the answer counts, not the broken pipe.
  if (auto error = connection.read(parser)) {
    return std::unexpected(lost(send_error ? send_error : error));
  }
  return ClientAnswer{parser.get().result_int(), std::move(parser.get().body())};
}

std::expected<void, ClientError> Client::stream(
    const std::string& target, const std::function<bool(std::string_view)>& on_line) const {
  Connection connection(timeout_);
  if (auto error = connection.connect(socket_path_)) {
    return std::unexpected(cannot_connect(socket_path_, error));
  }
  auto message = make_request("GET", target, {}, {});
  if (auto error = connection.send(message)) return std::unexpected(lost(error));
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (auto error = connection.read_header(parser)) return std::unexpected(lost(error));

  std::string line;
  char piece[4096];
  while (!parser.is_done()) {
    parser.get().body().data = piece;
    parser.get().body().size = sizeof piece;
    const beast::error_code error = connection.read_some(parser);
    if (error && error != http::error::need_buffer) return std::unexpected(lost(error));
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
