// SPDX-License-Identifier: Apache-2.0
// The rights that the process was started with, and how it gives them up (--user).
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/base/privilege.hpp"

#include <optional>
#include <string>

namespace dp {

class Rights {
 public:
  // Empty: all are kept.
  static base::Result<Rights> of_user(const std::string& name);

  // Memory from here on needs no right to know where it physically is.
  bool will_go() const noexcept { return user_.has_value(); }

  // The user's, with what lies in it: it removes them at the end. From here on what this process
  // makes is the user's group's.
  base::Status hand_over(const std::string& directory) const;
  // Threads that are started from here on gain nothing by starting programs.
  base::Status bound() const noexcept;
  // The rest, of all threads; nothing where all are kept.
  base::Status give_up() const;

 private:
  explicit Rights(std::optional<base::User> user) : user_(std::move(user)) {}

  std::optional<base::User> user_;
  int death_signal_ = 0;  // That the parent's death sends; 0: none.
};

}  // namespace dp
