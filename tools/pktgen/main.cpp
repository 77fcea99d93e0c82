// SPDX-License-Identifier: Apache-2.0
// weir-pktgen: profile, ports, run, result.
#include "dataplane/base/log.hpp"
#include "dataplane/start/process.hpp"
#include "tools/pktgen/port/ports.hpp"
#include "tools/pktgen/profile/messages.hpp"
#include "tools/pktgen/profile/read.hpp"
#include "tools/pktgen/report/json.hpp"
#include "tools/pktgen/report/table.hpp"
#include "tools/pktgen/run/bench.hpp"
#include "tools/pktgen/run/both_ends.hpp"
#include "tools/pktgen/run/endpoints.hpp"
#include "tools/pktgen/run/generate.hpp"
#include "tools/pktgen/run/link.hpp"
#include "tools/pktgen/run/run.hpp"
#include "tools/pktgen/start/options.hpp"

#include <cstdio>
#include <cstring>
#include <sched.h>
#include <unistd.h>

namespace {

using namespace pktgen;

constexpr std::uint64_t self_test_frames = 200'000;

// Frames as fast as they go, or messages that are about as many frames: until there is enough of
// everything.
void prepare_self_test(Profile& profile, const Options& options) {
  profile.rate.frames_per_second = profile.rate.bits_per_second = 0;
  if (profile.mode == Mode::generate) {
    if (profile.frames == 0) profile.frames = self_test_frames;
    return;
  }
  const std::uint64_t frames = options.frames.value_or(self_test_frames);
  std::uint64_t packets = 0;
  std::uint64_t shares = 0;
  for (const MixEntry& entry : profile.mix) {
    packets += entry.share * psns_of(profile, entry);
    shares += entry.share;
  }
  std::uint64_t& messages = profile.endpoints.messages;
  if (messages == 0 || options.frames) {
    messages = std::max<std::uint64_t>(1, frames * shares / (packets * profile.flows.count));
  }
  profile.frames = 0;
  if (!options.seconds) profile.seconds = 3600;  // Of simulated time.
}

// What the command line says goes before the file.
cp::Result<Profile> profile_for(const Options& options) {
  auto profile = load_profile(options.profile);
  if (!profile) return profile;
  if (options.seconds) profile->seconds = *options.seconds;
  if (options.frames) profile->frames = *options.frames;
  if (options.seed) profile->seed = *options.seed;
  if (options.frames_per_second) {
    profile->rate.frames_per_second = *options.frames_per_second;
    profile->rate.bits_per_second = 0;
  }
  if (options.bits_per_second) {
    profile->rate.bits_per_second = *options.bits_per_second;
    profile->rate.frames_per_second = 0;
  }
  if (options.self_test) prepare_self_test(*profile, options);
  return profile;
}

// What options say that endpoints cannot do; nullptr where it is nothing.
const char* wrong_for_endpoints(const Options& options) {
  if (options.ports.size() > 1) {
    return "mode endpoints has one port, and the other ends in another process (--side)";
  }
  if (options.bench) return "--bench is of mode generate";
  if (options.receive_only || options.send_only) {
    return "mode endpoints sends and listens: leave --receive-only and --send-only out";
  }
  if (options.frames_per_second || options.bits_per_second) {
    return "mode endpoints has its line's rate in the profile: line_bits_per_second";
  }
  return nullptr;
}

void pin_to(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    LOG(warning, "not_pinned", {"core", core}, {"system", std::strerror(errno)});
  }
}

base::Status check_sizes(const Ports& ports, std::uint16_t longest, const Options& options) {
  if (longest > options.mbuf_bytes) {
    return base::fail(base::Errc::invalid_argument,
                      "the profile's frames do not fit a buffer: raise --mbuf-bytes");
  }
  for (const PortFacts& port : ports.facts()) {
    if (port.mtu == 0 || longest <= port.mtu + sizeof(dp::EthernetHeader)) continue;
    LOG(error, "frames_too_long", {"device", port.device}, {"mtu", port.mtu},
        {"frame_bytes", longest});
    return base::fail(base::Errc::invalid_argument,
                      "the profile's frames are longer than the port's MTU allows: lower pmtu, or "
                      "raise the MTU (--mtu)");
  }
  return {};
}

int finish(const Result& result, const Options& options) {
  const std::string text = options.json ? to_json(result) : to_table(result);
  std::fputs(text.c_str(), stdout);
  const bool link_agrees = !result.link || result.link->disagreements.empty();
  if (!link_agrees || (options.check && !result.is_clean())) return exit_check;
  return exit_done;
}

Result start_of(const Profile& profile, const Ports& ports, const Clock& clock) {
  Result result;
  result.profile = profile.name;
  result.description = profile.description;
  result.seed = profile.seed;
  result.clock = clock.name();
  result.ports = ports.facts();
  return result;
}

RunConfig config_of(const Profile& profile, const Options& options, int stop) {
  RunConfig config{.seconds = profile.seconds,
                   .drain_ms = options.drain_ms,
                   .spin = options.spin,
                   .stop = stop,
                   .each_second = {},
                   .carry = {},
                   .sleep = {}};
  if (options.stream) {
    config.each_second = [](const Second& second) {
      std::fputs(to_json(second).c_str(), stdout);
      std::fflush(stdout);
    };
  } else if (options.progress || ::isatty(STDERR_FILENO) == 1) {
    config.each_second = [](const Second& second) {
      std::fprintf(stderr, "%s\n", progress_line(second).c_str());
    };
  }
  return config;
}

base::Result<int> run_generator(const Profile& profile, Ports& ports, const Options& options,
                                int stop) {
  const Clock clock(options.clock);
  GeneratedTraffic traffic(profile, {.out = options.receive_only ? nullptr : &ports.first(),
                                     .pool = ports.pool(),
                                     .clock = clock,
                                     .listens = !options.send_only});
  if (auto fits = check_sizes(ports, traffic.longest_frame(), options); !fits) {
    return std::unexpected(fits.error());
  }
  RunConfig config = config_of(profile, options, stop);
  std::optional<LossyLink> link;
  if (options.self_test) {
    auto& port = std::get<dp::MemoryPort>(ports.first());
    link.emplace(LossyLink::Parts{.from = port,
                                  .to = port,
                                  .chances = options.chances,
                                  .seed = profile.seed,
                                  .pmtu = profile.pmtu,
                                  .judge = carried_by_generator});
    config.carry = [&link](bool all_sent) {
      link->carry(0);
      if (all_sent) link->flush();
    };
  }
  Result result = start_of(profile, ports, clock);
  const auto listened_to = options.send_only   ? std::span<const ListenedPort>{}
                           : options.self_test ? ports.all().first(1)
                                               : ports.all();
  run(traffic, listened_to, clock, config, result);
  result.port_drops = ports.drops();
  if (link) {
    const LossyLink* const links[] = {&*link};
    result.link = report_of(links);
    compare(*link, result.sums, *result.link);
  }
  return finish(result, options);
}

base::Result<int> run_endpoints(const Profile& profile, Ports& ports, const Options& options,
                                int stop) {
  const Clock clock(options.clock);
  if (auto fits = check_sizes(ports, longest_frame(profile), options); !fits) {
    return std::unexpected(fits.error());
  }
  EndpointTraffic traffic(
      profile, {.port = ports.first(), .pool = ports.pool(), .clock = clock, .side = options.side});
  RunConfig config = config_of(profile, options, stop);
  config.drain_ms = 0;  // Nobody would answer any more.
  Result result = start_of(profile, ports, clock);
  run(traffic, ports.all().first(1), clock, config, result);
  result.port_drops = ports.drops();
  return finish(result, options);
}

base::Result<int> test_endpoints(const Profile& profile, Ports& ports, const Options& options,
                                 int stop) {
  Clock clock(ClockSource::simulated);
  if (auto fits = check_sizes(ports, longest_frame(profile), options); !fits) {
    return std::unexpected(fits.error());
  }
  const auto both = ports.all();
  BothEnds traffic(profile, {.ports = {both[0].port, both[1].port},
                             .pool = ports.pool(),
                             .clock = clock,
                             .chances = options.chances});
  RunConfig config = config_of(profile, options, stop);
  config.drain_ms = 0;
  config.sleep = [&clock](Time time) {
    clock.advance(time);
  };
  Result result = start_of(profile, ports, clock);
  run(traffic, both, clock, config, result);
  return finish(result, options);
}

base::Result<int> run_bench(const Profile& profile, Ports& ports, const Options& options) {
  const BenchResult result = bench(profile, ports.first(), ports.pool());
  const double mpps = result.hz / result.cycles_per_frame / 1e6;
  std::printf(options.json ? "{\"cycles_per_frame\": %.1f, \"best\": %.1f, \"frame_bytes\": %.1f, "
                             "\"hugepages\": %s, \"mpps\": %.2f}\n"
                           : "%.1f cycles per frame (best round %.1f), %.1f bytes, hugepages %s, "
                             "%.2f Mpps\n",
              result.cycles_per_frame, result.least, result.frame_bytes,
              ports.hugepages() ? "true" : "false", mpps);
  return exit_done;
}

base::Result<int> start(Options options, const Profile& profile) {
  const auto stop = dp::signals_as_descriptor();
  if (!stop) return std::unexpected(stop.error());
  if (options.core) pin_to(*options.core);
  if (options.self_test) options.no_hugepages = true;  // No NIC looks at these frames.
  if (options.bench && options.ports.empty())
    options.ports.emplace_back("net_null0,size=64,copy=0");
  auto ports = Ports::open(options);
  if (!ports) return std::unexpected(ports.error());
  if (options.bench) return run_bench(profile, **ports, options);
  if (profile.mode == Mode::endpoints) {
    return options.self_test ? test_endpoints(profile, **ports, options, *stop)
                             : run_endpoints(profile, **ports, options, *stop);
  }
  return run_generator(profile, **ports, options, *stop);
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse_options(argc, argv);
  base::set_log(options.log_level, options.log_format, "weir-pktgen");
  if (options.profile.empty()) options.profile = "small-128";  // Of --bench.
  const auto profile = profile_for(options);
  if (profile && profile->mode == Mode::endpoints) {
    if (const char* const wrong = wrong_for_endpoints(options)) {
      std::fprintf(stderr, "%s\n", wrong);
      return exit_usage;
    }
  }
  if (!profile) {
    for (const cp::Error& error : profile.error()) {
      std::fprintf(stderr, "%s\n", to_string(error).c_str());
    }
    return exit_usage;
  }
  const auto status = start(options, *profile);
  if (status) return *status;
  const base::Error& error = status.error();
  if (error.code == base::Errc::out_of_memory && !options.no_hugepages) {
    LOG(warning, "hugepages_taken_meanwhile", {"reason", error.text});
    dp::start_again(argv, "--no-hugepages");
  }
  LOG(error, "not_run", {"reason", error.text},
      {"system", error.error_number != 0 ? std::strerror(error.error_number) : ""});
  return exit_failed;
}
