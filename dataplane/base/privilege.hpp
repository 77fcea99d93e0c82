// SPDX-License-Identifier: Apache-2.0
// Giving up what a process may do. Nothing here can be taken back.
#pragma once

#include "dataplane/base/error.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <sys/types.h>
#include <vector>

namespace base {

struct User {
  std::string name;
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

// Of the system's users, but for root.
Result<User> find_user(const std::string& name);

// The process has no capability beyond those of `kept` (CAP_…) that it had, for good; no other
// program can be started.
Status keep_capabilities(std::initializer_list<int> kept) noexcept;

// The bounding and inheritable sets of this thread, and of those that it starts.
Status empty_bounding_set() noexcept;

// The whole process, all threads: another user without a capability, for good; no other program can
// be started.
Status become(const User& user);

}  // namespace base
