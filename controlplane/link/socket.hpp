// SPDX-License-Identifier: Apache-2.0
// One SOCK_SEQPACKET connection to the data plane: whole frames in both directions, and the
// descriptor that may come with one. Asio has no such socket that passes descriptors, so the
// waiting is Asio's and the sending and receiving the kernel's.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace cp {

struct Message {
  std::vector<std::byte> bytes;
  base::Descriptor descriptor;  // Empty unless the sender passed one.
};

class SeqpacketSocket {
 public:
  static base::Result<SeqpacketSocket> connect(const boost::asio::any_io_executor& executor,
                                               const std::string& path);

  // One writer and one reader at a time.
  boost::asio::awaitable<base::Status> send(std::span<const std::byte> frame);
  boost::asio::awaitable<base::Result<Message>> receive();
  void close() noexcept;

 private:
  explicit SeqpacketSocket(boost::asio::posix::stream_descriptor socket)
      : socket_(std::move(socket)) {}

  boost::asio::posix::stream_descriptor socket_;
};

}  // namespace cp
