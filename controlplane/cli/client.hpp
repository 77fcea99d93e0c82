// SPDX-License-Identifier: Apache-2.0
// The control plane's API as the command sees it: a request, its answer, and why there is none.
#pragma once

#include "controlplane/connection/tls.hpp"

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace cp {

// What `weir` returns to its caller; the manual page lists them.
enum class ExitCode : int {
  ok = 0,
  refused = 1,
  usage = 2,
  cannot_connect = 3,
  timed_out = 4,
  not_printed = 5,
  alarm = 6,
};

struct ClientError {
  ExitCode code;
  std::string message;  // What to do stands in it.
};

struct ClientAnswer {
  unsigned status;
  std::string body;

  bool good() const noexcept { return status < 300; }
};

// Where a control plane is.
struct Target {
  std::string socket;  // Of this machine; empty: `server`.
  std::string server;  // HOST:PORT
  TlsFiles files;      // For that.
};

class Client {
 public:
  Client(Target target, std::chrono::milliseconds timeout)
      : target_(std::move(target)), timeout_(timeout) {}

  // One request on a connection of its own.
  std::expected<ClientAnswer, ClientError> request(const std::string& method,
                                                   const std::string& target,
                                                   const std::string& body = {},
                                                   const std::string& content_type = {}) const;

  // An answer without end, line by line, until `on_line` says false or the server ends it.
  std::expected<void, ClientError> stream(
      const std::string& target, const std::function<bool(std::string_view)>& on_line) const;

 private:
  Target target_;
  std::chrono::milliseconds timeout_;
};

// "a b/c" → "a%20b%2Fc", for one part of a path or a value of a query.
std::string encode_percent(std::string_view text);

}  // namespace cp
