// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/seccomp.hpp"

#include <cerrno>
#include <memory>
#include <seccomp.h>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace base {
namespace {

// Of libseccomp: with the actions "log" and "kill the process", and with all threads at once.
constexpr unsigned api_wanted = 3;

struct Release {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

std::uint32_t action_of(CallRule::Answer answer) noexcept {
  switch (answer) {
    case CallRule::Answer::allowed: return SCMP_ACT_ALLOW;
    case CallRule::Answer::not_permitted: return SCMP_ACT_ERRNO(EPERM);
    case CallRule::Answer::not_there: return SCMP_ACT_ERRNO(ENOSYS);
  }
  return SCMP_ACT_KILL_PROCESS;
}

// Below zero: of another architecture, or unknown.
int number_of(const std::string& name) noexcept {
  return ::seccomp_syscall_resolve_name(name.c_str());
}

std::set<std::string> plain_names(std::span<const CallList> lists) {
  std::set<std::string> names;
  for (const CallList& list : lists) {
    std::istringstream words{std::string(list.plain)};
    for (std::string name; words >> name;) names.insert(name);
  }
  return names;
}

int add(void* filter, const CallRule& rule) {
  const int number = number_of(rule.name);
  if (number < 0) return 0;
  std::vector<scmp_arg_cmp> conditions;
  for (const CallRule::Argument& argument : rule.arguments) {
    if (argument.mask == 0) continue;
    conditions.push_back({.arg = argument.number,
                          .op = SCMP_CMP_MASKED_EQ,
                          .datum_a = argument.mask,
                          .datum_b = argument.value});
  }
  return ::seccomp_rule_add_array(filter, action_of(rule.answer), number,
                                  static_cast<unsigned>(conditions.size()), conditions.data());
}

int add(void* filter, std::span<const CallList> lists) {
  const std::set<std::string> plain = plain_names(lists);
  for (const std::string& name : plain) {
    const int error =
        add(filter, {.name = name.c_str(), .answer = CallRule::Answer::allowed, .arguments = {}});
    if (error != 0) return error;
  }
  for (const CallList& list : lists) {
    for (const CallRule& rule : list.rules) {
      if (plain.contains(rule.name)) continue;
      if (const int error = add(filter, rule); error != 0) return error;
    }
  }
  // Signals to its own threads: abort(), and the watch that asks for a stack.
  return add(filter, if_equal("tgkill", 0, static_cast<std::uint64_t>(::getpid())));
}

}  // namespace

Status seccomp_works(SeccompMode mode) noexcept {
  if (mode == SeccompMode::off || WEIR_INSTRUMENTED || ::seccomp_api_get() >= api_wanted) return {};
  return fail(Errc::unsupported, "this kernel cannot restrict system calls: give --seccomp=off");
}

Result<SeccompMode> allow_only(std::span<const CallList> lists, SeccompMode mode) {
  if (mode == SeccompMode::off || WEIR_INSTRUMENTED) return SeccompMode::off;
  constexpr const char* failed = "system calls cannot be restricted (--seccomp)";
  const std::uint32_t otherwise = mode == SeccompMode::log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS;
  const Filter filter(::seccomp_init(otherwise));
  if (!filter) return fail(Errc::out_of_memory, failed);
  int error = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, otherwise);
  if (error == 0) error = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  // A search in a tree, not along a list.
  if (error == 0) error = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (error == 0) error = add(filter.get(), lists);
  if (error == 0) error = ::seccomp_load(filter.get());
  if (error != 0) return fail(Errc::io, failed, -error);
  return mode;
}

}  // namespace base
