// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 server: listens, reads bounded requests, hands them to one handler, writes answers.
// The only code of the server side that includes Beast.
#pragma once

#include "controlplane/api/access.hpp"
#include "controlplane/api/http.hpp"
#include "controlplane/api/rate.hpp"
#include "controlplane/intent/limits.hpp"
#include "dataplane/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace cp {

struct HttpLimits {
  std::uint64_t body_bytes = document_bytes_max;
  std::uint64_t bodies_bytes = 256u << 20;  // Of all requests being read.
  std::uint32_t header_bytes = 16u << 10;
  std::chrono::seconds header_timeout{10};  // Also how long an idle connection is kept.
  std::chrono::seconds body_timeout{60};
  std::chrono::seconds write_timeout{60};  // For a client that does not read its answer.
  std::size_t connections = 1024;
  std::uint32_t requests_per_second = 0;  // Of one user; 0: as many as they like.
};

class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, HttpLimits limits, HttpHandler handler);

  // Removes a socket that nobody listens on any more; refuses where somebody does. `access` says
  // whose the socket is, and what its clients may do.
  base::Status listen_unix(const std::string& path, Access access = {});
  // "127.0.0.1:9111" or "[::1]:9111".
  base::Status listen_tcp(const std::string& address);
  void close();
  // Since the start, as they were too many of one user.
  std::uint64_t requests_refused() const noexcept { return rate_.refused(); }

 private:
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

  base::Status bind(const Endpoint& endpoint);
  base::Status bind_unix(const std::string& path, const Endpoint& endpoint);
  base::Status listen();
  boost::asio::awaitable<void> accept_forever(Acceptor& acceptor);
  boost::asio::awaitable<void> serve(Socket socket);

  boost::asio::any_io_executor executor_;
  HttpLimits limits_;
  HttpHandler handler_;
  RequestRate rate_;
  Access access_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::string unix_path_;  // Of the socket file that goes with the server.
  std::size_t connections_ = 0;
  std::uint64_t bodies_bytes_ = 0;
};

}  // namespace cp
