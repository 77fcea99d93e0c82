// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/endpoint/reaction_point.hpp"

#include <algorithm>
#include <cmath>

namespace pktgen {

namespace {

constexpr double mega = 1e6;
}  // namespace

// §5.3 of the paper, with 40 Gb/s links; R_HAI is not in it, and taken from Microsoft's simulator.
DcqcnParameters dcqcn_paper() {
  return {.name = "paper",
          .gain = 1.0 / 256,
          .initial_alpha = 1,
          .cnp_interval = 50 * ps_per_us,
          .alpha_period = 55 * ps_per_us,
          .decrease_period = 0,
          .increase_period = 55 * ps_per_us,
          .byte_counter = 10'000'000,
          .fast_recovery = 5,
          .additive_bps = 40 * mega,
          .hyper_bps = 200 * mega,
          .hyper_grows = true,
          .clamps_target = true,
          .rate_bps_min = 40 * mega};
}

// HPCC's simulator, run.py --cc dcqcn: the vendor's timers, and increases by link rate.
DcqcnParameters dcqcn_hpcc(double line_bps) {
  const double units = line_bps / 25e9;
  return {.name = "hpcc",
          .gain = 1.0 / 256,
          .initial_alpha = 1,
          .cnp_interval = 0,
          .alpha_period = 1 * ps_per_us,
          .decrease_period = 4 * ps_per_us,
          .increase_period = 300 * ps_per_us,
          .byte_counter = 0,
          .fast_recovery = 1,
          .additive_bps = 5 * mega * units,
          .hyper_bps = 50 * mega * units,
          .hyper_grows = false,
          .clamps_target = false,
          .rate_bps_min = 1000 * mega};
}

// DOCA's DCQCN parameters: dce_tcp_g 1019/1024, initial alpha 1023/1024.
DcqcnParameters dcqcn_nvidia() {
  return {.name = "nvidia",
          .gain = 1 - 1019.0 / 1024,
          .initial_alpha = 1023.0 / 1024,
          .cnp_interval = 4 * ps_per_us,
          .alpha_period = 1 * ps_per_us,
          .decrease_period = 4 * ps_per_us,
          .increase_period = 300 * ps_per_us,
          .byte_counter = 0,
          .fast_recovery = 1,
          .additive_bps = 5 * mega,
          .hyper_bps = 50 * mega,
          .hyper_grows = false,
          .clamps_target = false,
          .rate_bps_min = 1 * mega};
}

std::optional<DcqcnParameters> dcqcn_preset(std::string_view name, double line_bps) {
  if (name == "paper") return dcqcn_paper();
  if (name == "hpcc") return dcqcn_hpcc(line_bps);
  if (name == "nvidia") return dcqcn_nvidia();
  return std::nullopt;
}

DcqcnParameters scaled(DcqcnParameters parameters, double time_factor) {
  for (Time* time : {&parameters.cnp_interval, &parameters.alpha_period,
                     &parameters.decrease_period, &parameters.increase_period}) {
    *time = static_cast<Time>(std::llround(static_cast<double>(*time) * time_factor));
  }
  return parameters;
}

ReactionPoint::ReactionPoint(const DcqcnParameters& parameters, double line_bps, Time now)
    : parameters_(parameters),
      line_(line_bps),
      rate_(line_bps),
      target_(line_bps),
      alpha_(parameters.initial_alpha),
      next_alpha_(now),
      next_decrease_(never),
      next_increase_(never) {}

void ReactionPoint::see_cnp(Time now) {
  advance(now);
  if (!has_started_) {
    has_started_ = true;
    next_alpha_ = now + parameters_.alpha_period;
    if (parameters_.decrease_period != 0) next_decrease_ = now + parameters_.decrease_period;
  } else {
    alpha_sees_cnp_ = true;  // The first one only starts the timers: alpha is full.
  }
  if (parameters_.decrease_period != 0) {
    decrease_sees_cnp_ = true;
    return;
  }
  decrease(now);
  alpha_ = (1 - parameters_.gain) * alpha_ + parameters_.gain;
  alpha_sees_cnp_ = false;
  next_alpha_ = now + parameters_.alpha_period;  // K without a CNP begins anew.
}

void ReactionPoint::count_sent(std::uint64_t bytes, Time now) {
  advance(now);
  if (!has_started_ || parameters_.byte_counter == 0) return;
  bytes_ += bytes;
  for (; bytes_ >= parameters_.byte_counter; bytes_ -= parameters_.byte_counter) {
    ++byte_stage_;
    increase();
  }
}

void ReactionPoint::advance(Time now) {
  if (!has_started_) return;
  // In the order of their times; alpha first where they coincide, as the simulator has it.
  for (;;) {
    if (next_decrease_ <= now && !decrease_sees_cnp_) {
      // Nothing to do until a CNP comes: skips to the last look before now.
      next_decrease_ +=
          ((now - next_decrease_) / parameters_.decrease_period + 1) * parameters_.decrease_period;
    }
    const Time next = std::min(next_decrease_, next_increase_);
    if (next > now) break;
    run_alpha(next);
    if (next == next_decrease_) {
      next_decrease_ += parameters_.decrease_period;
      decrease(next);
      decrease_sees_cnp_ = false;
      continue;
    }
    next_increase_ += parameters_.increase_period;
    ++timer_stage_;
    increase();
    if (rate_ >= line_ && target_ >= line_ && next_increase_ <= now) {
      // At line rate more increases change nothing.
      next_increase_ +=
          ((now - next_increase_) / parameters_.increase_period + 1) * parameters_.increase_period;
    }
  }
  run_alpha(now);
}

// The alpha timer up to and with `until`.
void ReactionPoint::run_alpha(Time until) {
  if (next_alpha_ > until || parameters_.alpha_period == 0) return;
  if (alpha_sees_cnp_) {
    alpha_ = (1 - parameters_.gain) * alpha_ + parameters_.gain;
    alpha_sees_cnp_ = false;
    next_alpha_ += parameters_.alpha_period;
    if (next_alpha_ > until) return;
  }
  const Time steps = (until - next_alpha_) / parameters_.alpha_period + 1;
  alpha_ *= std::pow(1 - parameters_.gain, static_cast<double>(steps));
  next_alpha_ += steps * parameters_.alpha_period;
}

void ReactionPoint::decrease(Time now) {
  if (parameters_.clamps_target || timer_stage_ != 0) target_ = rate_;
  rate_ = std::max(parameters_.rate_bps_min, rate_ * (1 - alpha_ / 2));
  timer_stage_ = byte_stage_ = 0;
  bytes_ = 0;
  next_increase_ = now + parameters_.increase_period;
}

// The stages already count this increase.
void ReactionPoint::increase() {
  const unsigned most = std::max(timer_stage_, byte_stage_);
  const unsigned least =
      parameters_.byte_counter == 0 ? timer_stage_ : std::min(timer_stage_, byte_stage_);
  const unsigned threshold = parameters_.fast_recovery;
  // Of the paper's two counters the higher one ends fast recovery, the lower one begins hyper
  // increase; the NICs' single one is both, and hyper increase follows one additive step.
  const bool recovers = most <= threshold;
  const unsigned hyper_above = parameters_.byte_counter == 0 ? threshold + 1 : threshold;
  if (!recovers) {
    double step = parameters_.additive_bps;
    if (least > hyper_above) {
      step = parameters_.hyper_bps * (parameters_.hyper_grows ? least - hyper_above : 1);
    }
    target_ = std::min(line_, target_ + step);
  }
  rate_ = (rate_ + target_) / 2;
  // The mean approaches the target for ever; a thousandth of a percent off is there.
  if (target_ >= line_ && rate_ > line_ * 0.99999) rate_ = line_;
}

}  // namespace pktgen
