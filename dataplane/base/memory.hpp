// SPDX-License-Identifier: Apache-2.0
// What a process does that gets no memory: it ends at once, with a sentence and status 1, wherever
// it is. No code of ours goes on after a failed allocation, so none leaves half of something; what
// must outlive the process is outside of it, as it must be for a kill.
#pragma once

namespace base {

// From now on so, of any thread, whatever throws std::bad_alloc; and so ends a std::system_error
// that nobody catches (a thread that cannot be started). Called once by the program, before it asks
// for any.
void end_without_resources() noexcept;

// For who has caught a std::bad_alloc, or was refused memory by a library in C.
[[noreturn]] void out_of_memory() noexcept;

// The same for another reason, a sentence without its full stop: for who can neither go on nor say
// so to anybody.
[[noreturn]] void end_at_once(const char* why) noexcept;

}  // namespace base
