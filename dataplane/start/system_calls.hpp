// SPDX-License-Identifier: Apache-2.0
// The system calls of the data plane once its first ports are open: those for frames, and those for
// ports that come later. `dataplane/start/README.md` says what is not among them.
#pragma once

#include "dataplane/base/seccomp.hpp"

#include <vector>

namespace dp {

// `with_rights`: of a process that has kept those of root, and opens any device with them.
std::vector<base::CallList> system_calls(bool with_rights);

}  // namespace dp
