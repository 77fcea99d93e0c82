// SPDX-License-Identifier: Apache-2.0
// Where another thread of this process is: it is sent a signal, and its handler looks.
#pragma once

#include <chrono>
#include <pthread.h>
#include <string>
#include <vector>

namespace dp {

// Once, before other threads start: what the handler needs is loaded, so that it allocates nothing.
// The calling thread may be asked from here on.
void prepare_stacks() noexcept;
// In each other thread that may be asked.
void answer_stack_signal() noexcept;

// Its frames, innermost first: "function+0x12 (weir-dataplane+0x3456)". Empty: it does not answer,
// as one that the kernel holds does. One caller at a time; may wait for `patience`.
std::vector<std::string> stack_of(pthread_t thread, std::chrono::milliseconds patience);

}  // namespace dp
