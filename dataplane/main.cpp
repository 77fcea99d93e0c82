// SPDX-License-Identifier: Apache-2.0
// weir-dataplane: the start-up sequence. What is made first goes last.
#include "dataplane/base/log.hpp"
#include "dataplane/base/memory.hpp"
#include "dataplane/base/supervisor.hpp"
#include "dataplane/housekeeper/housekeeper.hpp"
#include "dataplane/housekeeper/safe_mode.hpp"
#include "dataplane/start/eal.hpp"
#include "dataplane/start/options.hpp"
#include "dataplane/start/placement.hpp"
#include "dataplane/start/process.hpp"
#include "dataplane/start/rights.hpp"
#include "dataplane/start/stack.hpp"
#include "dataplane/start/system_calls.hpp"
#include "dataplane/start/tables.hpp"
#include "dataplane/start/watch.hpp"
#include "dataplane/start/workers.hpp"
#include "drivers/opener.hpp"
#include "pipelines/catalog.hpp"

#include <rte_cycles.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

void log_ready(const dp::Options& options, const dp::Eal& eal) {
  LOG(info, "ready", {"runtime_dir", options.runtime_dir}, {"workers", options.workers},
      {"mbufs", options.mbufs}, {"endpoints", options.endpoints}, {"networks", options.networks},
      {"vteps", options.vteps}, {"next_hops", options.next_hops}, {"hugepages", eal.hugepages()});
  if (options.user.empty() && ::geteuid() == 0) {
    LOG(warning, "rights_kept",
        {"effect", "frames are forwarded with all rights of root: --user NAME gives them up"});
  }
}

dp::Ports::Defaults port_defaults(const dp::Options& options) {
  return {.rx_descriptors = options.rx_descriptors,
          .tx_descriptors = options.tx_descriptors,
          // A congested port leaves the others buffers to receive into.
          .queue_frames_max = options.mbufs / 4};
}

dp::TableSizes table_sizes(const dp::Options& options) {
  return {.networks = options.networks,
          .vteps = options.vteps,
          .endpoints = options.endpoints,
          .next_hops = options.next_hops};
}

contract::RegionShape region_shape(const dp::Options& options) {
  return {.worker_count = options.workers,
          .port_count = contract::port_count_max,
          .network_count = options.networks + 1,
          .vtep_count = options.vteps + 1,
          .next_hop_count = options.next_hops + 1,
          .neighbour_count = options.next_hops + std::uint32_t{contract::own_addresses_listed_max},
          .stages = dp::stage_names()};
}

std::vector<const std::uint64_t*> turns_of(const dp::CounterRegion& region, std::uint16_t workers) {
  std::vector<const std::uint64_t*> turns;
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    turns.push_back(&region.worker(worker).totals->turns);
  }
  return turns;
}

base::Result<dp::PortHelper> find_helper(const dp::Options& options) {
  if (!options.port_helper.empty()) return dp::PortHelper::connect(options.port_helper);
  return dp::PortHelper::start({.program = dp::port_helper_path(),
                                .bpffs = options.bpffs,
                                .log_level = options.log_level,
                                .log_format = options.log_format});
}

// What every kind of start ends with, for good.
base::Status end_start(const dp::Rights& rights, base::SeccompMode wanted) {
  if (auto given = rights.give_up(); !given) return given;
  const auto mode = base::allow_only(dp::system_calls(::geteuid() == 0), wanted);
  if (!mode) return std::unexpected(mode.error());
  LOG(info, "system_calls_restricted", {"seccomp", base::name(*mode)});
  return {};
}

void log_not_started(const base::Error& error) {
  LOG(error, "not_started", {"reason", error.text},
      {"system", error.error_number != 0 ? std::strerror(error.error_number) : ""});
}

dp::Opener::StartEnd start_end(const dp::Rights& rights, base::SeccompMode wanted) {
  return {.end =
              [&rights, wanted] {
                const base::Status ended = end_start(rights, wanted);
                if (ended) return;
                // Half of the rights may be gone, and with them the right to give up the rest.
                log_not_started(ended.error());
                base::end_at_once("its rights cannot be given up: ended at once");
              },
          .rights_go = rights.will_go()};
}

// What every kind of start begins with.
struct Entry {
  int stop;  // Readable when the process shall end.
  dp::Rights rights;
};

base::Result<Entry> enter(const dp::Options& options) {
  if (auto works = base::seccomp_works(options.seccomp); !works) {
    return std::unexpected(works.error());
  }
  const auto stop = dp::signals_as_descriptor();
  if (!stop) return std::unexpected(stop.error());
  auto rights = dp::Rights::of_user(options.user);
  if (!rights) return std::unexpected(rights.error());
  if (auto made = dp::make_directory(options.runtime_dir); !made) {
    return std::unexpected(made.error());
  }
  return Entry{.stop = *stop, .rights = std::move(*rights)};
}

// Where others find this process, or who is found there until this one replaces it.
struct Owner {
  std::optional<dp::Names> names;
  std::optional<dp::Predecessor> predecessor;
};

// Before anything is taken, so that a second instance is refused.
base::Result<Owner> find_owner(const dp::Options& options) {
  base::Descriptor waiting;
  if (options.detach) {
    auto background = dp::go_to_background();
    if (!background) return std::unexpected(background.error());
    waiting = std::move(*background);
  }
  Owner owner;
  if (options.take_over) {
    auto predecessor = dp::Predecessor::find(options.runtime_dir);
    if (!predecessor) return std::unexpected(predecessor.error());
    if (waiting) predecessor->tell(std::move(waiting));
    owner.predecessor.emplace(std::move(*predecessor));
  } else {
    auto names = dp::Names::claim(options.runtime_dir);
    if (!names) return std::unexpected(names.error());
    owner.names.emplace(std::move(*names));
  }
  return owner;
}

// When this process is ready to be told what is wanted.
base::Result<dp::Claim> claim(Owner& owner, const dp::Options& options) {
  if (!owner.predecessor) {
    return dp::Claim{.names = std::move(*owner.names),
                     .table_file = dp::open_table_file(options.runtime_dir, !options.no_adoption)};
  }
  auto control = owner.predecessor->take_control();
  if (!control) return std::unexpected(control.error());
  if (options.no_adoption || !control->table_file) {
    control->table_file = dp::open_table_file(options.runtime_dir, !options.no_adoption);
  }
  return control;
}

dp::Eal::Config eal_config(const dp::Options& options, const dp::Rights& rights,
                           const Owner& owner) {
  return {.directory = options.runtime_dir,
          .packet_bytes = dp::pool_bytes(options.mbufs, options.mbuf_bytes),
          .no_hugepages = options.no_hugepages,
          .hugepages_needed = owner.predecessor && owner.predecessor->has_hugepages(),
          .virtual_addresses = rights.will_go() || ::geteuid() != 0};
}

void log_stopped(const dp::Housekeeper& housekeeper) {
  LOG(info, "stopped", {"longest_turn_us", housekeeper.longest_turn().wall_ns / 1000},
      {"longest_turn_cpu_us", housekeeper.longest_turn().cpu_ns / 1000});
}

base::Status run(const dp::Options& options) {
  auto entry = enter(options);
  if (!entry) return std::unexpected(entry.error());
  auto owner = find_owner(options);
  if (!owner) return std::unexpected(owner.error());
  const dp::Rights& rights = entry->rights;
  auto helper = find_helper(options);
  if (!helper) return std::unexpected(helper.error());
  auto eal = dp::Eal::start(eal_config(options, rights, *owner));
  if (!eal) return std::unexpected(eal.error());
  const dp::Placement placement = dp::place(options.workers, options.cores);
  auto pool = dp::make_pool(options.mbufs, options.mbuf_bytes, placement.home);
  if (!pool) return std::unexpected(pool.error());
  if (auto handed = rights.hand_over(options.runtime_dir); !handed) return handed;
  if (auto bound = rights.bound(); !bound) return bound;
  auto tables = dp::make_tables(table_sizes(options));
  if (!tables) return std::unexpected(tables.error());
  auto epoch = dp::Epoch::make(options.workers);
  if (!epoch) return std::unexpected(epoch.error());
  auto region = dp::CounterRegion::make(region_shape(options));
  if (!region) return std::unexpected(region.error());
  dp::prepare_stacks();
  dp::TraceBoard traces;
  dp::WorkerThreads workers(*tables, *epoch, **pool, traces);
  auto started = workers.start(
      {.count = options.workers,
       .cores = options.cores,
       .idle = {.sleep = options.idle_sleep, .sleep_us_max = options.idle_sleep_max_us},
       .places = placement.workers},
      [&](std::uint32_t worker) { return region->worker(worker); }, dp::make_pipelines);
  if (!started) return started;
  dp::Watch watch({.epoch = *epoch,
                   .workers = workers.threads(),
                   .turns = turns_of(*region, options.workers),
                   .housekeeper_ns = region->global().heartbeat_ns,
                   .housekeeper = {.handle = ::pthread_self(), .id = ::gettid()},
                   .supervisor = base::Supervisor::from_environment(),
                   .limit = options.stall_limit,
                   .recycle = std::abort});

  auto claimed = claim(*owner, options);
  if (!claimed) return std::unexpected(claimed.error());
  dp::Successor successor(std::move(claimed->names.successors), eal->hugepages());
  dp::Opener opener(**pool, *helper, start_end(rights, options.seccomp));
  dp::Housekeeper housekeeper(std::move(claimed->names.commands),
                              {.tables = *tables,
                               .epoch = *epoch,
                               .region = *region,
                               .opener = opener,
                               .workers = workers.workers(),
                               .trace_board = traces,
                               .trace_rings = workers.trace_rings(),
                               .frame_rings = workers.frame_rings(),
                               .pool = **pool,
                               .table_file = claimed->table_file ? &*claimed->table_file : nullptr,
                               .predecessor = owner->predecessor ? &*owner->predecessor : nullptr,
                               .successor = &successor},
                              {.boot_id = dp::make_boot_id(),
                               .tsc_hz = rte_get_tsc_hz(),
                               .hugepages = eal->hugepages(),
                               .worker_places = placement.workers},
                              port_defaults(options));
  log_ready(options, *eal);
  const base::Status ended = housekeeper.run(entry->stop);
  watch.stop(successor.heir());
  workers.stop();
  log_stopped(housekeeper);
  return ended;
}

// Nothing but a socket that tells why.
base::Status run_safely(const dp::Options& options) {
  auto entry = enter(options);
  if (!entry) return std::unexpected(entry.error());
  auto socket = dp::CommandSocket::listen(options.runtime_dir + "/dataplane.sock");
  if (!socket) return std::unexpected(socket.error());
  if (auto handed = entry->rights.hand_over(options.runtime_dir); !handed) return handed;
  if (auto ended = end_start(entry->rights, options.seccomp); !ended) return ended;
  return dp::run_safe_mode(std::move(*socket), options.safe_mode, entry->stop);
}

// By priority, as CLI11's globals ask for memory before main.
[[gnu::constructor(101)]] void before_all() {
  base::end_without_resources();
}

}  // namespace

int main(int argc, char** argv) {
  const dp::Options options = dp::parse_options(argc, argv);
  base::set_log(options.log_level, options.log_format, "weir-dataplane");
  const bool is_safe = !options.safe_mode.empty();
  if (auto status = is_safe ? run_safely(options) : run(options); !status) {
    const base::Error& error = status.error();
    if (error.code == base::Errc::out_of_memory && !options.no_hugepages && !options.take_over) {
      LOG(warning, "hugepages_taken_meanwhile", {"reason", error.text});
      dp::start_again(argv, "--no-hugepages");
    }
    log_not_started(error);
    return 1;
  }
  return 0;
}
