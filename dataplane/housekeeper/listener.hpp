// SPDX-License-Identifier: Apache-2.0
// A listening socket in the runtime directory. Its name goes with the process that has it: one that
// lent it to its successor removes it no more, one that borrowed it not yet.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <string>
#include <sys/stat.h>

namespace dp {

class Listener {
 public:
  // Whoever listens there is asked first: a live one is an error, the socket of a dead one is
  // removed. Others may connect as `mode` says.
  static base::Result<Listener> listen(std::string path, mode_t mode);
  // Borrows the socket of another process, which still has it.
  static base::Result<Listener> borrow(std::string path, base::Descriptor socket);
  ~Listener();
  Listener(Listener&& other) noexcept = default;
  Listener& operator=(Listener&&) = delete;

  // -1: it is lent.
  int get() const noexcept { return lent_ ? -1 : socket_.get(); }
  // Whoever connects: empty where nobody does.
  base::Descriptor accept() noexcept;

  // For another process. Connections wait there from here on, until it is taken back.
  int lend() noexcept;
  void take_back() noexcept { lent_ = false; }
  // What was borrowed is this process's alone from here on.
  void keep() noexcept { borrowed_ = false; }

 private:
  Listener(base::Descriptor socket, std::string path, bool borrowed)
      : socket_(std::move(socket)), path_(std::move(path)), borrowed_(borrowed) {}

  base::Descriptor socket_;
  std::string path_;
  bool borrowed_;
  bool lent_ = false;
};

}  // namespace dp
