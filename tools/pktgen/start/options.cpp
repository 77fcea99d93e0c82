// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/start/options.hpp"

#include "dataplane/base/log_options.hpp"
#include "tools/pktgen/profile/fields.hpp"
#include "tools/pktgen/profile/read.hpp"
#include "tools/pktgen/start/manual.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace pktgen {
namespace {

constexpr const char* about =
    "weir-pktgen sends RoCEv2 and says what became of it: loss, order, duplicates, marks and delay "
    "of each queue pair. What is sent stands in a profile; --list names those that it brings "
    "along.";

constexpr const char* examples =
    "Examples:\n"
    "  weir-pktgen --self-test ai-mix           carries the frames itself, loses some, and finds "
    "them\n"
    "  weir-pktgen --self-test incast           the same of endpoints at both ends, in simulated "
    "time\n"
    "  weir-pktgen ai-mix --port xdp:eth1       sends at an interface of the kernel, and listens "
    "there\n"
    "  weir-pktgen ai-mix --port 0000:3b:00.0 --port 0000:3b:00.1\n"
    "                                           sends at one NIC and listens at both\n"
    "  weir-pktgen ai-mix --port xdp:eth2 --receive-only --seconds 20 -j\n"
    "                                           listens to another weir-pktgen; start it first\n"
    "  weir-pktgen incast --port xdp:eth2 --side right --seconds 20 &\n"
    "  weir-pktgen incast --port xdp:eth1       endpoints that react to marks, at both ends\n"
    "  weir-pktgen --show ai-mix > mine.yaml    the start of a profile of your own\n"
    "\n"
    "Exit status: 0 the run is over or was ended by Ctrl-C, 1 it could not run, 2 a mistake in\n"
    "options or profile, 3 --check or --self-test found what should not be.";

void add_traffic(CLI::App& app, Options& options) {
  app.add_option("--seconds", options.seconds, "How long, in place of the profile's")
      ->check(CLI::Range(1u, 604'800u));
  app.add_option("--frames", options.frames, "Stop after as many frames");
  app.add_option("--seed", options.seed, "In place of the profile's")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{UINT32_MAX}));
  auto* fps = app.add_option("--frames-per-second", options.frames_per_second,
                             "In place of the profile's rate; 0: as many as go");
  app.add_option("--bits-per-second", options.bits_per_second, "The same in bits")->excludes(fps);
}

void add_ports(CLI::App& app, Options& options) {
  app.add_option("-p,--port", options.ports,
                 "DPDK device arguments, a PCI address, xdp:INTERFACE or tap:INTERFACE; the first "
                 "sends, all are listened to")
      ->type_name("DEVICE")
      ->default_str("")
      ->expected(1, 4);
  base::add_choice(app, "--side", options.side, side_words,
                   "Mode endpoints: which end this is; the right one answers, with the profile's "
                   "addresses exchanged");
  auto* receive_only = app.add_flag("--receive-only", options.receive_only, "Send nothing");
  app.add_flag("--send-only", options.send_only, "Listen to nothing")->excludes(receive_only);
  app.add_option("--mtu", options.mtu, "Of the ports; 0: as they have it");
  app.add_option("--drain-ms", options.drain_ms, "How long to listen for what is under way")
      ->check(CLI::Range(0, 60'000));
  base::add_choice(app, "--clock", options.clock, clock_words,
                   "Of time stamps; realtime is for two machines that PTP keeps together");
}

void add_self_test(CLI::App& app, Options& options) {
  app.add_flag("--self-test", options.self_test,
               "No port: carry the frames, do them harm, and compare what was found");
  const auto chance = [&](const char* name, std::uint32_t& value, const char* help) {
    app.add_option(name, value, help)->check(CLI::Range(0, 1000));
  };
  chance("--lose", options.chances.lose, "Self-test: of 1000 frames, how many are lost");
  chance("--repeat", options.chances.repeat, "… come twice");
  chance("--delay", options.chances.delay, "… are overtaken by the next of their queue pair");
  chance("--damage", options.chances.damage, "… have a wrong bit");
  chance("--mark", options.chances.mark, "… are marked CE, where they are ECN-capable");
  app.add_flag("--bench", options.bench,
               "Cycles per generated frame, at the port given or net_null");
}

void add_output(CLI::App& app, Options& options) {
  CLI::Option* json = app.add_flag("-j,--json", options.json, "The result as JSON");
  app.add_flag("--progress", options.progress,
               "A line on stderr every second; given on a terminal anyway");
  app.add_flag(
         "--stream", options.stream,
         "Each second as a line of JSON on stdout, as in the result's series; before the result")
      ->needs(json);
  app.add_flag("--check", options.check, "Exit with 3 where a frame was lost, late, twice or bad");
}

void add_machine(CLI::App& app, Options& options) {
  app.add_flag("--spin", options.spin, "Never sleep: exact times for a whole core");
  app.add_option("--core", options.core, "The core to run on");
  app.add_option("--mbufs", options.mbufs, "Packet buffers in the pool")
      ->check(CLI::Range(1024u, 16u * 1024 * 1024));
  app.add_option("--mbuf-bytes", options.mbuf_bytes, "Bytes of packet data per buffer")
      ->check(CLI::Range(1024u, 32u * 1024));
  app.add_flag("--no-hugepages", options.no_hugepages,
               "Ordinary memory, even where hugepages are free");
  app.add_option("--bpffs", options.bpffs, "A bpffs, for xdp ports");
  base::add_log_options(app, options.log_level, options.log_format);
}

[[noreturn]] void print_and_end(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::exit(exit_done);
}

[[noreturn]] void list_profiles() {
  std::string text;
  for (const ShippedProfile& shipped : shipped_profiles()) {
    const auto profile = read_profile(shipped.text, std::string(shipped.name));
    std::string name(shipped.name);
    name.resize(std::max<std::size_t>(name.size(), 16), ' ');
    text += name + (profile ? profile->description : "") + "\n";
  }
  print_and_end(text);
}

[[noreturn]] void show_profile(const std::string& name) {
  std::vector<std::string_view> names;
  for (const ShippedProfile& shipped : shipped_profiles()) {
    if (shipped.name == name) print_and_end(std::string(shipped.text));
    names.push_back(shipped.name);
  }
  const std::string near = cp::nearest(name, names);
  throw CLI::ValidationError(
      "--show", "there is no profile " + name + (near.empty() ? "" : " (nearest: " + near + ")"));
}

void judge(const Options& options) {
  if (options.bench) return;
  if (options.profile.empty()) {
    throw CLI::ValidationError("PROFILE", "say what to send: --list names what there is");
  }
  if (!options.self_test && options.ports.empty()) {
    throw CLI::ValidationError("--port", "say where to send, or --self-test");
  }
  if (options.self_test && !options.ports.empty()) {
    throw CLI::ValidationError("--self-test", "has ports of its own: leave --port out");
  }
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  bool list = false;
  bool fields = false;
  bool completion = false;
  std::string show;
  CLI::App app(about, "weir-pktgen");
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", "weir-pktgen " WEIR_VERSION);
  app.footer(examples);
  app.add_option("PROFILE", options.profile, "A YAML file, or the name of one of --list")
      ->type_name("FILE|NAME");
  app.add_flag("--list", list, "The profiles that the program brings along");
  app.add_option("--show", show, "Prints one of them")->type_name("NAME");
  app.add_flag("--fields", fields, "Prints all fields of a profile, with help and defaults");
  const base::Manual page = manual(examples);
  base::add_manual_option(app, page);
  app.add_flag("--bash-completion", completion, "Prints what bash needs to complete words");
  add_ports(app, options);
  add_traffic(app, options);
  add_output(app, options);
  add_self_test(app, options);
  add_machine(app, options);

  try {
    app.parse(argc, argv);
    if (list) list_profiles();
    if (completion) print_and_end(bash_completion(app));
    if (fields) print_and_end(fields_text());
    if (!show.empty()) show_profile(show);
    judge(options);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? exit_done : exit_usage);
  }
  return options;
}

}  // namespace pktgen
