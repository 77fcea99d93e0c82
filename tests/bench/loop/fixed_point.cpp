// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/loop/fixed_point.hpp"

#include <cmath>
#include <random>

namespace bench {

namespace {

constexpr double frame_bits = 1136 * 8;  // Of a WRITE Middle of 1 KiB in its tunnel.
constexpr double step_seconds = 1e-6;

// A sender alone that learns of marks of this probability at once.
double mean_rate(const Scenario& scenario, double probability) {
  constexpr int steps = 400'000, settling = 100'000;
  std::mt19937_64 random(scenario.seed);
  std::uniform_real_distribution<> chance(0, 1);
  pktgen::ReactionPoint point(scenario.dcqcn, scenario.line_bps, 0);
  double sum = 0;
  Time last_cnp = 0;
  for (int i = 0; i < steps; ++i) {
    const Time now = static_cast<Time>(i) * pktgen::ps_per_us;
    const double frames = point.rate_bps() * step_seconds / frame_bits;
    point.count_sent(static_cast<std::uint64_t>(frames * frame_bits / 8), now);
    const bool may = i == 0 || now - last_cnp >= scenario.dcqcn.cnp_interval;
    if (may && chance(random) < 1 - std::pow(1 - probability, frames)) {
      point.see_cnp(now);
      last_cnp = now;
    }
    if (i >= settling) sum += point.rate_bps();
  }
  return sum / (steps - settling);
}

}  // namespace

double queue_at_rest_bytes(const Scenario& scenario) {
  const Curve& curve = scenario.curve;
  const double share = curve.bps / scenario.senders;
  double low = 0, high = curve.pmax;
  for (int i = 0; i < 12; ++i) {
    const double middle = (low + high) / 2;
    (mean_rate(scenario, middle) > share ? low : high) = middle;
  }
  return curve.kmin + high / curve.pmax * (curve.kmax - curve.kmin);
}

}  // namespace bench
