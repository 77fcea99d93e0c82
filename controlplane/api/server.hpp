// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server: listens, finds out who comes, and lets sessions serve them (session.hpp).
#pragma once

#include "controlplane/api/access.hpp"
#include "controlplane/api/http.hpp"
#include "controlplane/api/rate.hpp"
#include "controlplane/api/session.hpp"
#include "controlplane/connection/tls.hpp"
#include "dataplane/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cp {

class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, HttpLimits limits, HttpHandler handler);
  // Removes the socket's file.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Removes a socket that nobody listens on any more; refuses where somebody does. `access` says
  // whose the socket is, and what its clients may do.
  base::Status listen_unix(const std::string& path, Access access = {});
  // "127.0.0.1:9111" or "[::1]:9111".
  base::Status listen_tcp(const std::string& address);
  // Before it listens: whoever comes shows a certificate, and `access` says what it may do. The
  // error names the file.
  std::expected<void, std::string> use_tls(TlsFiles files, Access access);
  // Reads the files again, for connections to come. Where one is wrong the former ones stay; the
  // log says so.
  void reload_certificates();
  // Since the start, as they were too many of one user.
  std::uint64_t requests_refused() const noexcept { return rate_.refused(); }

 private:
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

  struct Stranger {
    Stream* stream;  // Its coroutine's own.
    std::uint64_t source;
  };

  base::Status bind(const Endpoint& endpoint);
  base::Status bind_unix(const std::string& path, const Endpoint& endpoint);
  base::Status listen();
  std::expected<void, std::string> load_certificates();
  boost::asio::awaitable<void> accept_forever(Acceptor& acceptor);
  boost::asio::awaitable<void> serve(Socket socket);
  void make_room();
  boost::asio::awaitable<std::optional<Peer>> shake_hands(Stream& stream);

  boost::asio::any_io_executor executor_;
  HttpLimits limits_;
  HttpHandler handler_;
  RequestRate rate_;
  Access access_;
  TlsFiles tls_files_;
  std::optional<boost::asio::ssl::context> tls_;
  std::vector<Stranger> strangers_;  // In their handshakes, the oldest first.
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::string unix_path_;  // Of the socket file that goes with the server.
  std::size_t connections_ = 0;
  std::uint64_t bodies_bytes_ = 0;
};

}  // namespace cp
