// SPDX-License-Identifier: Apache-2.0
// The system calls of the control plane once it answers on its sockets.
#pragma once

#include "dataplane/base/seccomp.hpp"

namespace cp {

// Restricts all threads to them. The answer is what is in force.
base::Result<base::SeccompMode> restrict_system_calls(base::SeccompMode mode);

}  // namespace cp
