// SPDX-License-Identifier: Apache-2.0
// What is left where the data plane died again and again: a socket that tells why. No device is
// taken and no frame carried, so that nothing of what killed it happens again.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/housekeeper/socket.hpp"

#include <string>

namespace dp {

// Refuses every hello, with `reason`, until `stop` is readable.
base::Status run_safe_mode(CommandSocket socket, const std::string& reason, int stop);

}  // namespace dp
