// SPDX-License-Identifier: Apache-2.0
#include "dataplane/start/options.hpp"

#include "dataplane/base/log_options.hpp"
#include "dataplane/base/manual.hpp"
#include "dataplane/base/roff.hpp"
#include "dataplane/base/seccomp_option.hpp"
#include "dataplane/contract/limits.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace dp {
namespace {

constexpr const char* about =
    "weir-dataplane carries the packets. It forwards nothing until weir-controlplane tells it what "
    "to do, over RUNTIME_DIR/dataplane.sock, and keeps forwarding when that goes away.";

base::Manual manual() {
  using base::roff_row;
  return {
      .program = "weir-dataplane",
      .summary = "carry the packets of a Weir gateway",
      .synopsis = "[\\fIOPTIONS\\fR]",
      .more = {{.title = "EXIT STATUS",
                .text = roff_row("0", "It was told to end (SIGTERM, SIGINT).") +
                        roff_row("1", "It could not start or had no memory left, and said so.") +
                        roff_row("2", "The command line makes no sense.")},
               {.title = "FILES",
                .text = roff_row("/run/weir/dataplane.sock", "Where weir-controlplane connects.") +
                        roff_row("/etc/default/weir-dataplane",
                                 "WEIR_DATAPLANE_OPTIONS, which the service takes.") +
                        roff_row("/run/weir/handover.sock",
                                 "Where another weir-dataplane with --take-over comes.")},
               {.title = "SEE ALSO",
                .text = "weir(1), weir\\-controlplane(8), weir\\-porthelper(8), "
                        "weir\\-supervisor(8)\n"}}};
}

void add_sizes(CLI::App& app, Options& options) {
  app.add_option("--mbufs", options.mbufs, "Packet buffers in the pool")
      ->check(CLI::Range(1024u, 16u * 1024 * 1024));
  app.add_option("--mbuf-bytes", options.mbuf_bytes, "Bytes of packet data per buffer")
      ->check(CLI::Range(1024u, 32u * 1024));
  app.add_option("--endpoints", options.endpoints, "Room for endpoints")
      ->check(CLI::Range(1u, 16u * 1024 * 1024));
  app.add_option("--networks", options.networks, "Room for networks")
      ->check(CLI::Range(1u, static_cast<unsigned>(contract::network_count_max)));
  app.add_option("--vteps", options.vteps, "Room for VTEPs, local and remote")
      ->check(CLI::Range(1u, static_cast<unsigned>(contract::vtep_count_max)));
  app.add_option("--next-hops", options.next_hops, "Room for next hops")
      ->check(CLI::Range(1u, static_cast<unsigned>(contract::next_hop_count_max)));
  app.add_option("--rx-descriptors", options.rx_descriptors, "Per rx queue, where a port says none")
      ->check(CLI::Range(32, 32768));
  app.add_option("--tx-descriptors", options.tx_descriptors, "Per tx queue, where a port says none")
      ->check(CLI::Range(32, 32768));
}

void add_replacement(CLI::App& app, Options& options) {
  app.add_flag(
      "--take-over", options.take_over,
      "Replace the weir-dataplane that runs in the runtime directory: it goes on forwarding "
      "until this one has started and been told what is wanted, then gives up its ports "
      "and ends; where this one fails before, it goes on");
  app.add_flag("--detach", options.detach,
               "With --take-over: go on in the background, and end here when that is done, with 0, "
               "or has failed, with 1, as `systemctl reload` wants it");
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  std::string idle = "sleep";
  std::uint32_t stall_limit_ms = static_cast<std::uint32_t>(options.stall_limit.count());
  CLI::App app(about, "weir-dataplane");
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", "weir-dataplane " WEIR_VERSION);
  const base::Manual page = manual();
  base::add_manual_option(app, page);

  app.add_option("--runtime-dir", options.runtime_dir, "Where the command socket is made");
  app.add_option("--workers", options.workers, "Threads that carry packets")
      ->check(CLI::Range(1, static_cast<int>(contract::worker_count_max)));
  app.add_option("--cores", options.cores, "Cores for the workers in turn, as in 2,3")
      ->delimiter(',');
  add_sizes(app, options);
  app.add_option("--idle", idle, "What a worker does without frames")
      ->check(CLI::IsMember({"sleep", "spin"}));
  app.add_option("--idle-sleep-max-us", options.idle_sleep_max_us,
                 "Longest sleep at ports that do not wake it: the delay of the first frame")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option(
         "--stall-limit-ms", stall_limit_ms,
         "So long a worker may stand still before the process ends, with that worker's stack "
         "in the log, to be started again; 0: for ever")
      ->check(CLI::Range(0, 60'000));
  app.add_option("--bpffs", options.bpffs,
                 "A bpffs: programs of xdp ports that outlive the data plane are pinned there");
  app.add_option(
      "--port-helper", options.port_helper,
      "A socket where a weir-porthelper that others started serves this user; without it "
      "one is started, as a child with the same rights");
  app.add_option("--user", options.user,
                 "Whom to become, without any capability, before the first port carries a frame")
      ->type_name("NAME");
  add_replacement(app, options);
  app.add_option("--safe-mode", options.safe_mode,
                 "Carry nothing, take no device, and tell weir-controlplane this reason: how a "
                 "supervisor starts what died again and again")
      ->type_name("WHY");
  app.add_flag("--no-hugepages", options.no_hugepages,
               "Ordinary memory, even where hugepages are free");
  app.add_flag("--no-adoption", options.no_adoption,
               "Keep no endpoints for the next start, in RUNTIME-DIR/endpoints.table (24 bytes for "
               "each that there is room for), and take none over from the last");
  base::add_seccomp_option(app, options.seccomp);
  base::add_log_options(app, options.log_level, options.log_format);

  try {
    app.parse(argc, argv);
    if (!options.cores.empty() && options.cores.size() < options.workers) {
      throw CLI::ValidationError("--cores", "names fewer cores than there are workers");
    }
    if (options.take_over && !options.safe_mode.empty()) {
      throw CLI::ValidationError("--take-over", "a safe mode takes nothing over");
    }
    if (options.detach && !options.take_over) {
      throw CLI::ValidationError("--detach", "goes with --take-over only");
    }
  } catch (const CLI::ParseError& error) {
    // Usage mistakes end with 2, as in every program of Weir; help and version with 0.
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  options.idle_sleep = idle == "sleep";
  options.stall_limit = std::chrono::milliseconds(stall_limit_ms);
  return options;
}

}  // namespace dp
