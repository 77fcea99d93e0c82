// SPDX-License-Identifier: Apache-2.0
#include "tools/supervisor/options.hpp"

#include "dataplane/base/log_options.hpp"
#include "dataplane/base/manual.hpp"
#include "dataplane/base/roff.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace supervisor {
namespace {

constexpr const char* about =
    "weir-supervisor [OPTIONS] PROGRAM [ARGUMENT…] runs a program and starts it again when it "
    "dies, as systemd would, where there "
    "is none. The program says by sd_notify that it is in force and alive. Status 0 (it was done) "
    "and 2 (its command line is wrong) end the supervision, and so do SIGTERM and SIGINT, which "
    "are "
    "passed on. SIGHUP starts the program anew, out of its safe mode too. SIGUSR2 replaces it: the "
    "program that is on the disk now is started beside it, with --take-over, and where that ends "
    "the first goes on.";

using Time = std::chrono::milliseconds;

base::Manual manual() {
  using base::roff_row;
  return {
      .program = "weir-supervisor",
      .summary = "run a program again when it dies or stands still",
      .synopsis = "[\\fIOPTIONS\\fR] \\fIPROGRAM\\fR [\\fIARGUMENT\\fR...]",
      .more = {{.title = "EXIT STATUS",
                .text = base::roff("That of the program where it ends the supervision; 2 where the "
                                   "command line makes no sense.\n")},
               {.title = "EXAMPLES",
                .text = base::roff_literal(
                    "weir-supervisor --safe-mode weir-dataplane --user weir-dataplane\n"
                    "weir-supervisor --watchdog-ms 30000 weir-controlplane\n")},
               {.title = "SEE ALSO", .text = "weir\\-dataplane(8), weir\\-controlplane(8)\n"}}};
}

void add_time(CLI::App& app, const std::string& name, Time& time, const std::string& help) {
  app.add_option_function<std::uint32_t>(
         name, [&time](std::uint32_t ms) { time = Time(ms); }, help)
      ->check(CLI::Range(0, 3'600'000))
      ->default_str(std::to_string(time.count()));
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app(about, "weir-supervisor");
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", "weir-supervisor " WEIR_VERSION);
  const base::Manual page = manual();
  base::add_manual_option(app, page);
  app.prefix_command();

  app.add_option("--pid-file", options.pid_file, "Has the program's PID while it runs");
  add_time(app, "--watchdog-ms", options.watchdog,
           "A program in force that says nothing for so long is ended (SIGABRT, then SIGKILL) and "
           "started again; 0: never");
  add_time(app, "--young-ms", options.crashes.young,
           "A death within this time after all was in force, or before, is an early one");
  app.add_option("--deaths", options.crashes.deaths,
                 "So many early deaths in a row end in the safe mode; after two of them each start "
                 "is later than the one before, up to 5 s");
  app.add_flag("--safe-mode", options.has_safe_mode,
               "The program has one: it is started with --safe-mode=WHY. Without this it is tried "
               "for ever");
  add_time(app, "--stop-ms", options.patience, "So long a program may take to end");
  base::add_log_options(app, options.log_level, options.log_format);
  try {
    app.parse(argc, argv);
    options.command = app.remaining();
    if (options.command.empty()) throw CLI::RequiredError("PROGRAM");
    // CLI11 takes words that look like options for the program's, which it does not know yet.
    if (options.command.front().starts_with('-')) {
      throw CLI::ExtrasError(std::vector<std::string>{options.command.front()});
    }
  } catch (const CLI::ParseError& error) {
    // Usage mistakes end with 2, as in every program of Weir; help and version with 0.
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  if (!options.has_safe_mode) options.crashes.deaths = 0;
  return options;
}

}  // namespace supervisor
