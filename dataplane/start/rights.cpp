// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/rights.hpp"

#include "dataplane/base/log.hpp"

#include <cerrno>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;

base::Result<Rights> Rights::of_user(const std::string& name) {
  if (name.empty()) return Rights(std::nullopt);
  auto user = base::find_user(name);
  if (!user) return std::unexpected(user.error());
  if (::geteuid() != 0) return fail(Errc::invalid_argument, "--user takes a start as root");
  Rights rights(std::move(*user));
  (void)::prctl(PR_GET_PDEATHSIG, &rights.death_signal_);
  return rights;
}

base::Status Rights::hand_over(const std::string& directory) const {
  if (!user_) return {};
  // What others put there (the control plane's socket) stays theirs.
  for (const std::string& path :
       {directory, directory + "/dataplane.sock", directory + "/handover.sock"}) {
    if (::lchown(path.c_str(), user_->uid, user_->gid) != 0 && errno != ENOENT) {
      return fail(Errc::io, "the runtime directory cannot be handed over to --user", errno);
    }
  }
  // What ports make until the rights go (sockets, files) is the user's, too, by its group.
  ::umask(S_IRWXO);
  if (::setegid(user_->gid) != 0) {
    return fail(Errc::io, "the group of --user cannot be taken", errno);
  }
  return {};
}

base::Status Rights::bound() const noexcept {
  return user_ ? base::empty_bounding_set() : base::Status();
}

base::Status Rights::give_up() const {
  if (!user_) return {};
  if (auto status = base::become(*user_); !status) return status;
  // Another user is no longer killed with its supervisor, unless one of its threads asks for it.
  (void)::prctl(PR_SET_PDEATHSIG, death_signal_);
  LOG(info, "rights_given_up", {"user", user_->name}, {"uid", user_->uid}, {"gid", user_->gid});
  return {};
}

}  // namespace dp
