// SPDX-License-Identifier: Apache-2.0
// DCQCN's sender (Zhu et al., SIGCOMM 2015): a rate that falls with CNPs and recovers by time and
// bytes. Two machines share this class: the paper's, which decreases at each CNP and increases by
// timer and byte counter; and that of the NICs as HPCC's simulator has it, which looks every
// alpha_period and decrease_period whether a CNP came, and increases by timer only.
#pragma once

#include "tools/pktgen/roce/stamp.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace pktgen {

struct DcqcnParameters {
  const char* name = "";
  double gain = 1.0 / 256;  // g: how fast alpha follows.
  double initial_alpha = 1;
  Time cnp_interval = 0;     // At most one CNP per QP within it; 0 is one for every marked frame.
  Time alpha_period = 0;     // Alpha falls once in it without CNP.
  Time decrease_period = 0;  // 0: at each CNP.
  Time increase_period = 0;
  std::uint64_t byte_counter = 0;  // Bytes of one increase; 0 counts none.
  unsigned fast_recovery = 1;      // F: increases before the target grows.
  double additive_bps = 0;
  double hyper_bps = 0;
  bool hyper_grows = false;   // i·R_HAI with i counting up, as the paper has it.
  bool clamps_target = true;  // False: two decreases in a row keep the target.
  double rate_bps_min = 0;
};

// `line_bps` is what HPCC's increases depend on.
DcqcnParameters dcqcn_paper();
DcqcnParameters dcqcn_hpcc(double line_bps);
DcqcnParameters dcqcn_nvidia();
std::optional<DcqcnParameters> dcqcn_preset(std::string_view name, double line_bps);
// For machines whose round trip is not microseconds: all times, not bytes and rates.
DcqcnParameters scaled(DcqcnParameters parameters, double time_factor);

class ReactionPoint {
 public:
  // Starts at line rate: there is no slow start.
  ReactionPoint(const DcqcnParameters& parameters, double line_bps, Time now);

  void see_cnp(Time now);
  void count_sent(std::uint64_t bytes, Time now);
  // What the timers do until now; the others begin with it.
  void advance(Time now);

  double rate_bps() const noexcept { return rate_; }
  double target_bps() const noexcept { return target_; }
  double alpha() const noexcept { return alpha_; }

 private:
  void decrease(Time now);
  void increase();
  void run_alpha(Time until);

  DcqcnParameters parameters_;
  double line_;
  double rate_;
  double target_;
  double alpha_;
  Time next_alpha_;
  Time next_decrease_;
  Time next_increase_;
  unsigned timer_stage_ = 0;
  unsigned byte_stage_ = 0;
  std::uint64_t bytes_ = 0;
  bool has_started_ = false;  // By the first CNP; nothing happens before.
  bool alpha_sees_cnp_ = false;
  bool decrease_sees_cnp_ = false;
};

}  // namespace pktgen
