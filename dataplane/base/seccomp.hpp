// SPDX-License-Identifier: Apache-2.0
// The system calls that a process makes from some point on, by name; at any other the kernel ends
// it. Nothing here can be taken back.
#pragma once

#include "dataplane/base/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace base {

// What another call does: nothing special, a line of the kernel's log, or the process's end.
enum class SeccompMode : std::uint8_t { off, log, kill };
inline constexpr std::array<std::string_view, 3> seccomp_mode_names{"off", "log", "kill"};
constexpr std::string_view name(SeccompMode mode) noexcept {
  return seccomp_mode_names[static_cast<std::size_t>(mode)];
}

// One call, where its arguments are such. `not_permitted` and `not_there` (EPERM, ENOSYS) are for
// what libraries try and do without.
struct CallRule {
  enum class Answer : std::uint8_t { allowed, not_permitted, not_there };
  struct Argument {
    unsigned number;
    std::uint64_t mask;
    std::uint64_t value;
  };
  const char* name;
  Answer answer;
  std::array<Argument, 2> arguments{};  // Of which those with a mask count.
};

// Arguments are compared as the int that they are.
constexpr CallRule if_bits(CallRule::Answer answer, const char* name, unsigned argument,
                           std::uint64_t mask, std::uint64_t value) noexcept {
  return {.name = name, .answer = answer, .arguments = {{{argument, mask, value}}}};
}
constexpr CallRule if_equal(const char* name, unsigned argument, std::uint64_t value) noexcept {
  return if_bits(CallRule::Answer::allowed, name, argument, 0xffff'ffff, value);
}

// `plain` are names with whitespace between them; such a call is allowed whatever it is given, and
// no rule about it counts. Those that this architecture or libseccomp does not know are passed
// over.
struct CallList {
  std::string_view plain;
  std::span<const CallRule> rules;
};

// What the C library, the allocator, threads, files and local sockets need in both processes.
CallList calls_of_both() noexcept;

// Whether this kernel can do it at all: to be asked at start, while somebody looks.
Status seccomp_works(SeccompMode mode) noexcept;

// All threads of the process, for good, and no_new_privs with it. The answer is what is in force:
// builds with sanitizers, whose own calls are many, stay without.
Result<SeccompMode> allow_only(std::span<const CallList> lists, SeccompMode mode);

}  // namespace base
