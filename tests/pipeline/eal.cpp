// SPDX-License-Identifier: Apache-2.0
// One EAL for a test program, without hugepages, devices or root.
#include <gtest/gtest.h>
#include <rte_eal.h>

#include <array>
#include <cstdio>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::array<const char*, 9> arguments{
      "pipeline-test",  "--no-huge",         "-m", "256", "--no-shconf", "--no-pci",
      "--no-telemetry", "--log-level=error", "-c1"};
  if (rte_eal_init(arguments.size(), const_cast<char**>(arguments.data())) < 0) {
    std::fputs("EAL did not start\n", stderr);
    return 1;
  }
  const int result = RUN_ALL_TESTS();
  rte_eal_cleanup();
  return result;
}
