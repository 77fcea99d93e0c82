// SPDX-License-Identifier: Apache-2.0
// HTTP as the rest of the control plane sees it: a request and an answer as plain values, so that
// routes and their tests know neither sockets nor Beast.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

namespace cp {

// What a client may do, and what a route takes.
enum class Right : std::uint8_t { read, change };

// Who asks: the kernel's word or a CA's, not the client's (access.hpp). Nobody over bare TCP.
struct Peer {
  std::optional<uid_t> uid;
  pid_t pid = 0;
  std::string certificate;  // The name in it, of who comes with one.
  Right right = Right::read;
  std::string change_takes;  // Whom it would have to be to change something: "the group adm".

  bool known() const noexcept { return uid.has_value() || !certificate.empty(); }
};

// What the client is called in the log, in history and to its face: "uid 1000", "certificate:ann".
std::string title_of(const Peer& peer);

struct HttpRequest {
  std::string method;
  std::string path;                          // Decoded, without the query.
  std::map<std::string, std::string> query;  // Decoded.
  std::string content_type;
  std::string body;
  Peer peer;
};

// An answer without end, sent piece by piece.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  // Waits for the next piece; nullopt ends the answer.
  virtual boost::asio::awaitable<std::optional<std::string>> next() = 0;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;                   // Methods, with status 405.
  std::unique_ptr<HttpStream> stream;  // Instead of the body.
};

using HttpHandler = std::function<boost::asio::awaitable<HttpResponse>(HttpRequest)>;

// "a%20b" → "a b"; a broken escape stays as it is.
std::string decode_percent(std::string_view text);
// Splits "/v1/ports?dry_run=true" into path and query of `request`.
void set_target(HttpRequest& request, std::string_view target);

}  // namespace cp
