// SPDX-License-Identifier: Apache-2.0
// Prints DROP_REASONS.md: the contract's table as a person reads it.
#include "dataplane/contract/drop_reason.hpp"

#include <cstdio>

namespace {

void print_table(bool before_rx) {
  std::puts("| value | name | what happened |\n|---:|---|---|");
  for (const contract::DropReasonText& text : contract::drop_reasons) {
    if (text.reason == contract::DropReason::none) continue;
    if (contract::before_rx(text.reason) != before_rx) continue;
    std::printf("| %u | `%s` | %s |\n", static_cast<unsigned>(text.reason), text.name.data(),
                text.help.data());
  }
}

}  // namespace

int main() {
  std::puts(
      "# Drop reasons\n\n"
      "Made from `drop_reason.hpp` by `tools/gen`; change that, then `meson compile -C build "
      "documents`.\nNames are the same in code, `weir drop show`, metrics and here.\n\n"
      "## In the program\n\nCounted per worker; part of the accounting identity.\n");
  print_table(false);
  std::puts(
      "\n## At the device or in the kernel\n\nCounted per port, outside the identity: no worker "
      "owned the frame.\n");
  print_table(true);
}
