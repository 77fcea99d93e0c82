// SPDX-License-Identifier: Apache-2.0
// The queue at which DCQCN's fluid model is at rest: every frame is marked with one probability,
// and each sender's mean rate is its share of the line. No delay, no oscillation: what a simulated
// queue is compared with, not what it must be.
#pragma once

#include "tests/bench/loop/world.hpp"

namespace bench {

double queue_at_rest_bytes(const Scenario& scenario);

}  // namespace bench
