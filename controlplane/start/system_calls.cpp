// SPDX-License-Identifier: Apache-2.0
#include "controlplane/start/system_calls.hpp"

#include <array>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cp {
namespace {

using base::CallRule;
using base::if_bits;
using base::if_equal;
using enum CallRule::Answer;

// Files of SQLite and local sockets are all that it works with. TCP listens already; what looks up
// users may try other families, and does without.
constexpr std::array rules{
    // A descriptor that does not block, what there is to read, whether this is a terminal.
    if_equal("ioctl", 1, FIONBIO),
    if_equal("ioctl", 1, FIONREAD),
    if_equal("ioctl", 1, TCGETS),
    if_equal("ioctl", 1, 0x802c'542a),  // TCGETS2, of newer C libraries.
    if_bits(not_permitted, "socket", 0, 0xffff'ffff, AF_INET),
    if_bits(not_permitted, "socket", 0, 0xffff'ffff, AF_INET6),
    if_bits(not_permitted, "socket", 0, 0xffff'ffff, AF_NETLINK)};

// Who changes what is known by name: what the system's list of users takes (nsswitch.conf) is
// loaded by asking for one whom no source has.
void load_user_lookup() noexcept {
  constexpr uid_t nobody_has = 0xffff'fff0;
  (void)::getpwuid(nobody_has);
}

}  // namespace

base::Result<base::SeccompMode> restrict_system_calls(base::SeccompMode mode) {
  if (auto works = base::seccomp_works(mode); !works) return std::unexpected(works.error());
  load_user_lookup();
  const std::array lists{base::calls_of_both(), base::CallList{.plain = {}, .rules = rules}};
  return base::allow_only(lists, mode);
}

}  // namespace cp
