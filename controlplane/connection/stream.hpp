// SPDX-License-Identifier: Apache-2.0
// A connection of the API: a socket as it is, or TLS over it. One type for both and no template, so
// that what speaks HTTP over it is compiled once.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace cp {

// Beast's AsyncStream; stays where it is. One read and one write at a time, on one thread.
class Stream {
  using Done = void(boost::beast::error_code, std::size_t);

  struct ReadSome {
    Stream* stream;
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      if (stream->tls_) {
        stream->tls_->async_read_some(buffers, std::forward<Handler>(handler));
      } else {
        stream->plain_.async_read_some(buffers, std::forward<Handler>(handler));
      }
    }
  };
  struct WriteSome {
    Stream* stream;
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      if (stream->tls_) {
        stream->tls_->async_write_some(buffers, std::forward<Handler>(handler));
      } else {
        stream->plain_.async_write_some(buffers, std::forward<Handler>(handler));
      }
    }
  };

 public:
  using Plain = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
  using Tls = boost::asio::ssl::stream<Plain&>;
  using executor_type = Plain::executor_type;

  explicit Stream(Plain::socket_type socket) : plain_(std::move(socket)) {}
  explicit Stream(boost::asio::io_context& io) : plain_(io) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor() noexcept { return plain_.get_executor(); }

  // Whose time limits hold for TLS, too.
  Plain& plain() noexcept { return plain_; }

  // Everything goes through it from now on, and it begins with a handshake. Throws where there is
  // no memory.
  Tls& use_tls(boost::asio::ssl::context& context) { return tls_.emplace(plain_, context); }
  Tls* tls() noexcept { return tls_ ? &*tls_ : nullptr; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token)
      -> decltype(boost::asio::async_initiate<Token, Done>(std::declval<ReadSome>(), token,
                                                           buffers)) {
    return boost::asio::async_initiate<Token, Done>(ReadSome{this}, token, buffers);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token)
      -> decltype(boost::asio::async_initiate<Token, Done>(std::declval<WriteSome>(), token,
                                                           buffers)) {
    return boost::asio::async_initiate<Token, Done>(WriteSome{this}, token, buffers);
  }

 private:
  Plain plain_;
  std::optional<Tls> tls_;  // Over plain_.
};

}  // namespace cp
