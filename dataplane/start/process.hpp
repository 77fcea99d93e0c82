// SPDX-License-Identifier: Apache-2.0
// What the process needs of the system: signals as a descriptor, the runtime directory, an
// identity.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"

#include <cstdint>
#include <string>

namespace dp {

// Blocks all signals in this thread and those that it starts; the descriptor is readable when the
// process shall end (SIGTERM, SIGINT).
base::Result<int> signals_as_descriptor();

// Makes the directory where it does not exist.
base::Status make_directory(const std::string& path);

// From here on this is another process, in the background; the one that was started waits and ends
// with 0 when a byte is written to the descriptor, with 1 when it is closed before. To be called
// before any thread is started.
base::Result<base::Descriptor> go_to_background();

// Replaces the process by a fresh one with one option more. Returns only where that fails.
void start_again(char** arguments, const char* option) noexcept;

// Different at each start.
std::uint64_t make_boot_id() noexcept;

}  // namespace dp
