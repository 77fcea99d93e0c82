// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/table.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <limits>

namespace cp {

namespace json = boost::json;

namespace {

// A line for each change up to `lines_max`, then one that sums them up.
void print_lines(const json::value& answer, std::size_t lines_max) {
  std::string text;
  std::size_t told = 0;
  if (const json::value* list = find_at(answer, "text"); list != nullptr && list->is_array()) {
    told = std::min(list->get_array().size(), lines_max);
    for (std::size_t i = 0; i < told; ++i) {
      text += std::string(list->get_array()[i].as_string()) + "\n";
    }
  }
  std::uint64_t total = 0;
  for (const char* what : {"counts.added", "counts.changed", "counts.removed"}) {
    total += number_at(answer, what);
  }
  if (total > told) text += "… and " + with_commas(total - told) + " more\n";
  print(text + text_at(answer, "message") + "\n");
}

}  // namespace

void print_plan(const json::value& answer) {
  print_lines(answer, std::numeric_limits<std::size_t>::max());
}

void print_change(const json::value& answer) {
  print_lines(answer, 20);
}

std::string change_target(std::string_view path, const Invocation& invocation) {
  std::string target(path);
  const auto add = [&target](std::string_view member, std::string_view value) {
    target += target.find('?') == target.npos ? '?' : '&';
    target.append(member).append("=").append(encode_percent(value));
  };
  if (invocation.dry_run) add("dry_run", "true");
  if (invocation.takeover) add("takeover", "true");
  if (!invocation.confirm_within.empty()) add("confirm_within", invocation.confirm_within);
  return target;
}

std::string unconfirmed_text(const json::value& document, std::string_view path) {
  const json::value* unconfirmed = find_at(document, path);
  if (unconfirmed == nullptr) return {};
  return "change " + std::to_string(number_at(*unconfirmed, "number")) + " is undone in " +
         std::to_string(static_cast<std::uint64_t>(real_at(*unconfirmed, "seconds_left"))) +
         " s unless `weir confirm` keeps it\n";
}

}  // namespace cp
