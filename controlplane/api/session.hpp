// SPDX-License-Identifier: Apache-2.0
// One client's connection: bounded requests, one after the other, and their answers.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/api/rate.hpp"
#include "controlplane/intent/limits.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cp {

class Stream;

struct HttpLimits {
  std::uint64_t body_bytes = document_bytes_max;
  std::uint64_t bodies_bytes = 256u << 20;  // Of all requests being read.
  std::uint32_t header_bytes = 16u << 10;
  std::chrono::seconds header_timeout{10};  // Also how long an idle connection is kept.
  std::chrono::seconds body_timeout{60};
  std::chrono::seconds write_timeout{60};  // For a client that does not read its answer.
  std::size_t connections = 1024;
  std::uint32_t requests_per_second = 0;  // Of one user; 0: as many as they like.
  std::chrono::seconds handshake_timeout{5};
  std::size_t handshakes = 64;  // At once; one more ends one of the largest crowd.
};

// What all sessions of a server share: the server's, which outlives their work.
struct SessionShare {
  const HttpLimits& limits;
  const HttpHandler& handler;
  std::uint64_t& bodies_bytes;
  RequestRate& rate;
};

// Until the client has had enough, or errs. The stream outlives it.
boost::asio::awaitable<void> serve_session(Stream& stream, Peer peer, SessionShare share);
// Says that there are too many.
boost::asio::awaitable<void> turn_away(Stream& stream, SessionShare share);

}  // namespace cp
