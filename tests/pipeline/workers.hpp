// SPDX-License-Identifier: Apache-2.0
// Both forms in which every pipeline test runs: 1 worker, and 2 workers with 2 queues a port.
//
//   class Flood : public test::OnWorkers {};
//   INSTANTIATE_TEST_SUITE_P(Workers, Flood, test::one_and_two_workers);
#pragma once

#include "tests/pipeline/gateway.hpp"

#include <gtest/gtest.h>

namespace test {

class OnWorkers : public testing::TestWithParam<std::uint16_t> {
 protected:
  static std::uint16_t workers() { return GetParam(); }
  static GatewayOptions on_workers(GatewayOptions options = {}) {
    options.workers = options.queues = GetParam();
    return options;
  }
};

inline const auto one_and_two_workers = testing::Values<std::uint16_t>(1, 2);

}  // namespace test
