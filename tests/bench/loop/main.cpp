// SPDX-License-Identifier: Apache-2.0
// loop [--senders N]… [--ms N] [--seed N] [--dcqcn NAME] [--svg FOLDER]: runs incasts and judges
// windows of 10 ms after the first 20 ms; exits with 1 where one fails.
#include "tests/bench/loop/fixed_point.hpp"
#include "tests/bench/loop/picture.hpp"

#include <rte_eal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace {

using namespace bench;

constexpr unsigned window_ms = 10;
constexpr unsigned converged_after_ms = 20;

struct Options {
  std::vector<unsigned> senders;
  unsigned ms = 60;
  std::uint64_t seed = 1;
  std::string_view dcqcn = "hpcc";
  std::string svg;
};

struct Window {
  double jain;
  double busy;
  double mean_bytes;
  std::uint64_t p99_bytes;
};

bool start_eal() {
  std::array<const char*, 9> arguments{"loop",           "--no-huge",         "-m",
                                       "1024",           "--no-shconf",       "--no-pci",
                                       "--no-telemetry", "--log-level=error", "-c1"};
  return rte_eal_init(arguments.size(), const_cast<char**>(arguments.data())) >= 0;
}

double jain_of(const std::vector<double>& shares) {
  double sum = 0, squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

// What arrived of each sender, and what the queue sent, since the last window.
class Windows {
 public:
  Windows(const World& world, const Scenario& scenario)
      : world_(world), scenario_(scenario), before_(scenario.senders, 0) {}

  Window close(std::span<const Sample> samples) {
    std::vector<double> shares;
    for (unsigned i = 0; i < scenario_.senders; ++i) {
      const std::uint64_t now = world_.received_bytes(i);
      shares.push_back(static_cast<double>(now - std::exchange(before_[i], now)));
    }
    std::vector<std::uint64_t> depths;
    double sum = 0;
    for (const Sample& one : samples) {
      depths.push_back(one.depth_bytes);
      sum += static_cast<double>(one.depth_bytes);
    }
    std::ranges::sort(depths);
    const std::uint64_t sent = world_.bottleneck().sent_bytes();
    const double bits = static_cast<double>(sent - std::exchange(sent_before_, sent)) * 8;
    return {.jain = jain_of(shares),
            .busy = bits / (scenario_.curve.bps * window_ms / 1e3),
            .mean_bytes = sum / static_cast<double>(depths.size()),
            .p99_bytes = depths[depths.size() * 99 / 100]};
  }

 private:
  const World& world_;
  const Scenario& scenario_;
  std::vector<std::uint64_t> before_;
  std::uint64_t sent_before_ = 0;
};

Scenario scenario_of(const Options& options, unsigned senders) {
  Scenario scenario{.senders = senders, .seed = options.seed};
  scenario.dcqcn = *pktgen::dcqcn_preset(options.dcqcn, scenario.line_bps);
  return scenario;
}

// Two worlds of one seed are the same world, one of another seed is not.
bool repeats_exactly(const Options& options, unsigned senders) {
  const auto samples_of = [&](std::uint64_t seed) {
    Scenario scenario = scenario_of(options, senders);
    scenario.seed = seed;
    World world(scenario);
    std::vector<Sample> samples;
    world.run(5 * pktgen::ps_per_ms, 10 * pktgen::ps_per_us, samples);
    return samples;
  };
  const auto first = samples_of(options.seed);
  const bool same = first == samples_of(options.seed);
  const bool other = first != samples_of(options.seed + 1);
  std::printf("5 ms again with the same seed: %s, with another: %s\n\n",
              same ? "the same" : "DIFFERS", other ? "differs" : "THE SAME");
  return same && other;
}

// RC repairs losses, so no repair says that there was none anywhere.
bool nothing_was_repaired(const World& world, unsigned senders) {
  for (unsigned i = 0; i < senders; ++i) {
    if (world.sent(i).repeated != 0 || world.sent(i).timeouts != 0) return false;
  }
  return true;
}

bool run(const Options& options, unsigned senders) {
  const Scenario scenario = scenario_of(options, senders);
  std::printf("%u:1, %s, 100 Gb/s, round trip 10 us, fluid model at rest: %.0f bytes\n", senders,
              scenario.dcqcn.name, queue_at_rest_bytes(scenario));
  World world(scenario);
  Windows windows(world, scenario);
  std::vector<Sample> samples;
  bool good = true;
  for (unsigned ms = window_ms; ms <= options.ms; ms += window_ms) {
    const std::size_t first = samples.size();
    world.run(ms * pktgen::ps_per_ms, 10 * pktgen::ps_per_us, samples);
    const Window window = windows.close(std::span(samples).subspan(first));
    const bool passed =
        window.jain >= 0.95 && window.busy >= 0.95 && window.p99_bytes <= scenario.curve.kmax;
    const bool judged = ms > converged_after_ms;
    good = good && (passed || !judged);
    std::printf("%4u ms  jain %.4f  busy %.4f  queue mean %8.0f  p99 %8lu  %s\n", ms, window.jain,
                window.busy, window.mean_bytes, window.p99_bytes,
                !judged  ? "converging"
                : passed ? "ok"
                         : "FAILED");
  }
  const std::uint64_t lost = world.bottleneck().lost();
  std::printf("lost %lu  marked %lu\n", lost, world.bottleneck().marked());
  if (!options.svg.empty()) {
    std::ofstream(options.svg + "/incast-" + std::to_string(senders) + ".svg")
        << picture(scenario, samples);
  }
  return good && lost == 0 && nothing_was_repaired(world, senders) &&
         world.bottleneck().marked() > 0;
}

bool read(int count, char** words, Options& options) {
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = words[i];
    const char* const value = words[i + 1];
    if (name == "--senders") {
      options.senders.push_back(static_cast<unsigned>(std::strtoul(value, nullptr, 10)));
    } else if (name == "--ms") {
      options.ms = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    } else if (name == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (name == "--dcqcn") {
      options.dcqcn = value;
    } else if (name == "--svg") {
      options.svg = value;
    } else {
      return false;
    }
  }
  if (options.senders.empty()) options.senders = {2, 8, 16};
  return count % 2 == 1 && pktgen::dcqcn_preset(options.dcqcn, 1).has_value() &&
         std::ranges::all_of(options.senders, [](unsigned n) { return n > 0 && n < 200; });
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!read(count, words, options)) {
    std::fputs(
        "loop [--senders 1..199]... [--ms N] [--seed N] [--dcqcn paper|hpcc|nvidia] "
        "[--svg FOLDER]\n",
        stderr);
    return 2;
  }
  if (!start_eal()) return 2;
  bool good = repeats_exactly(options, options.senders.front());
  for (const unsigned senders : options.senders) good = run(options, senders) && good;
  return good ? 0 : 1;
}
