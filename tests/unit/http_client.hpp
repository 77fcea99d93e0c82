// SPDX-License-Identifier: Apache-2.0
// As much of HTTP as the tests need, on a blocking Unix socket, so that they can also say what a
// proper client would not.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct HttpReply {
  unsigned status = 0;  // 0: the connection ended without an answer.
  std::string body;
};

class HttpConnection {
 public:
  explicit HttpConnection(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection() { ::close(fd_); }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // One answer with a Content-Length, or what there is when the server closes.
  HttpReply receive() const {
    std::string text;
    while (!is_whole(text) && read_more(text, 10'000)) {
    }
    HttpReply reply;
    if (text.size() < 12) return reply;
    reply.status = static_cast<unsigned>(std::atoi(text.c_str() + 9));
    const std::size_t end = text.find("\r\n\r\n");
    if (end != text.npos) reply.body = text.substr(end + 4);
    return reply;
  }

  // True once the bytes received so far hold `words`.
  bool waits_for(std::string_view words) const {
    std::string text;
    return reads_until(text, words);
  }
  // Appends what comes until `text` holds `words`; false where that does not happen.
  bool reads_until(std::string& text, std::string_view words) const {
    while (text.find(words) == text.npos) {
      if (!read_more(text, 5'000)) return false;
    }
    return true;
  }
  // Appends what comes until the server closes; false where it does not.
  bool reads_to_end(std::string& text) const {
    while (read_more(text, 5'000)) {
    }
    pollfd closed{.fd = fd_, .events = POLLIN, .revents = 0};
    char byte;
    return ::poll(&closed, 1, 0) > 0 && ::recv(fd_, &byte, 1, MSG_PEEK) <= 0;
  }

 private:
  bool read_more(std::string& text, int timeout_ms) const {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, timeout_ms) <= 0) return false;
    char piece[65536];
    const ssize_t size = ::recv(fd_, piece, sizeof piece, 0);
    if (size <= 0) return false;
    text.append(piece, static_cast<std::size_t>(size));
    return true;
  }

  static bool is_whole(const std::string& text) {
    const std::size_t end = text.find("\r\n\r\n");
    const std::size_t at = text.find("Content-Length: ");
    if (end == text.npos || at == text.npos || at > end) return false;
    return text.size() >= end + 4 + std::strtoul(text.c_str() + at + 16, nullptr, 10);
  }

  int fd_;
};

inline HttpReply http_raw(const std::string& path, const std::string& bytes) {
  const HttpConnection connection(path);
  connection.send(bytes);
  return connection.receive();
}

inline HttpReply http_request(const std::string& path, const std::string& method,
                              const std::string& target, const std::string& body) {
  return http_raw(path, method + " " + target + " HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n" +
                            "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}
