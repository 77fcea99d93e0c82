// SPDX-License-Identifier: Apache-2.0
#include "controlplane/start/options.hpp"

#include "dataplane/base/log_options.hpp"
#include "dataplane/base/manual.hpp"
#include "dataplane/base/roff.hpp"
#include "dataplane/base/seccomp_option.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace cp {
namespace {

std::expected<void, std::string> make_directory(const std::string& path, mode_t mode) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  fs::create_directories(fs::path(path).parent_path(), error);
  if (!error && ::mkdir(path.c_str(), mode) == 0) return {};
  if (!error) error = std::error_code(errno, std::generic_category());
  // The other process may have been faster.
  std::error_code not_there;
  if (fs::is_directory(path, not_there)) return {};
  return std::unexpected(path + " cannot be created: " + error.message());
}

void add_remote_options(CLI::App& app, Options& options) {
  app.add_option("--listen", options.listen,
                 "Serve the API over TCP as well, by TLS 1.3 to clients with certificates; without "
                 "it there is none. A certificate with the name of --admin-group as OU may change "
                 "something, others may read")
      ->type_name("ADDRESS:PORT");
  app.add_option("--tls-cert", options.tls.certificate,
                 "Its certificate (PEM), and those between it and the CA that clients know. SIGHUP "
                 "reads the three files again")
      ->type_name("FILE");
  app.add_option("--tls-key", options.tls.key, "Key of that, without a password")
      ->type_name("FILE");
  app.add_option("--tls-client-ca", options.tls.ca,
                 "Certificates of the CAs whose clients may come")
      ->type_name("FILE");
}

// Throws what parsing throws.
void check_remote_options(const Options& options) {
  const std::array needed{
      std::pair{"--listen", &options.listen}, std::pair{"--tls-cert", &options.tls.certificate},
      std::pair{"--tls-key", &options.tls.key}, std::pair{"--tls-client-ca", &options.tls.ca}};
  if (std::ranges::all_of(needed, [](const auto& option) { return option.second->empty(); }))
    return;
  for (const auto& [name, value] : needed) {
    if (!value->empty()) continue;
    throw CLI::ValidationError(std::string(name) +
                               " is missing: --listen, --tls-cert, --tls-key and --tls-client-ca "
                               "go together");
  }
}

base::Manual manual() {
  using base::roff_row;
  return {
      .program = "weir-controlplane",
      .summary = "keep what a Weir gateway shall be, and program it",
      .synopsis = "[\\fIOPTIONS\\fR]",
      .more = {
          {.title = "EXIT STATUS",
           .text = roff_row("0", "It was told to end (SIGTERM, SIGINT).") +
                   roff_row("1", "It could not start or had no memory left, and said so.") +
                   roff_row("2", "The command line makes no sense.")},
          {.title = "FILES",
           .text = roff_row("/run/weir/controlplane.sock", "Where it listens to weir(1).") +
                   roff_row("/run/weir/dataplane.sock", "Where weir-dataplane listens to it.") +
                   roff_row("/var/lib/weir/intent.sqlite, /var/lib/weir/intent.sqlite.copy",
                            "What is wanted, and its history, twice. To begin with nothing, move "
                            "both away, and those beside them whose names end in -wal.") +
                   roff_row("/var/lib/weir/intent.sqlite.alarm",
                            "That one of them was damaged, and what was done. weir status and a "
                            "metric tell it until somebody has removed the file.") +
                   roff_row("/var/lib/weir/intent.sqlite.damaged-TIME",
                            "A damaged one, set aside; nothing reads it any more.") +
                   roff_row("/etc/default/weir-controlplane",
                            "WEIR_CONTROLPLANE_OPTIONS, which the service takes.")},
          {.title = "SEE ALSO", .text = "weir(1), weir\\-dataplane(8), weir\\-supervisor(8)\n"}}};
}

}  // namespace

std::expected<Options, int> read_options(int argc, char** argv) {
  Options options;
  CLI::App app(
      "The control plane of Weir: keeps what the operator wants and programs the data "
      "plane with it.",
      "weir-controlplane");
  app.option_defaults()->always_capture_default();
  app.add_option("--runtime-dir", options.runtime_dir, "Where the sockets are");
  app.add_option("--state-dir", options.state_dir, "Where the intent is kept");
  app.add_option("--socket-group", options.socket_group,
                 "Group whose members may use the socket, which else is that of the process's own "
                 "group")
      ->type_name("GROUP");
  app.add_option("--admin-group", options.admin_group,
                 "Group whose members, of those who may use the socket, may change something; the "
                 "others may read then. Without it all of them may change everything. root and "
                 "the process's own user always may")
      ->type_name("GROUP");
  app.add_option("--metrics-listen", options.metrics_listen,
                 "For /metrics and /healthz over TCP; without it there is none")
      ->type_name("ADDRESS:PORT");
  add_remote_options(app, options);
  app.add_option("--request-rate", options.request_rate,
                 "Requests a second that one user, or one certificate's name, may make, and at "
                 "once after a pause; 0: as many as they like")
      ->type_name("NUMBER");
  base::add_seccomp_option(app, options.seccomp);
  base::add_log_options(app, options.log_level, options.log_format);
  app.set_version_flag("--version", "weir-controlplane " WEIR_VERSION);
  const base::Manual page = manual();
  base::add_manual_option(app, page);
  try {
    app.parse(argc, argv);
    check_remote_options(options);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

std::expected<void, std::string> make_directories(const Options& options) {
  const mode_t mode = options.socket_group.empty() ? 0750 : 0751;
  if (auto made = make_directory(options.runtime_dir, mode); !made) return made;
  return make_directory(options.state_dir, 0700);
}

}  // namespace cp
