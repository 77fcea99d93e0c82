// SPDX-License-Identifier: Apache-2.0
// --seccomp, the same for both programs.
#pragma once

#include "dataplane/base/log_options.hpp"
#include "dataplane/base/seccomp.hpp"

namespace base {

inline void add_seccomp_option(CLI::App& app, SeccompMode& mode) {
  add_choice(app, "--seccomp", mode, seccomp_mode_names,
             "What a system call outside the list of those needed does, from the end of the start "
             "on: it ends the process by SIGSYS (kill), it is only logged by the kernel (log), or "
             "nothing (off). The kernel's log names it: type=1326 … syscall=NUMBER");
}

}  // namespace base
