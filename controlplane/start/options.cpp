// SPDX-License-Identifier: Apache-2.0
#include "controlplane/start/options.hpp"

#include "dataplane/base/log_options.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <sys/stat.h>
#include <system_error>

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

}  // namespace

std::expected<Options, int> read_options(int argc, char** argv) {
  Options options;
  CLI::App app(
      "The control plane of Weir: keeps what the operator wants and programs the data "
      "plane with it.",
      "weir-controlplane");
  app.add_option("--runtime-dir", options.runtime_dir, "Where the sockets are (/run/weir)");
  app.add_option("--state-dir", options.state_dir, "Where the intent is kept (/var/lib/weir)");
  app.add_option("--metrics-listen", options.metrics_listen,
                 "ADDRESS:PORT for /metrics and /healthz over TCP (off)");
  base::add_log_options(app, options.log_level, options.log_format);
  app.set_version_flag("--version", "weir-controlplane " WEIR_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

std::expected<void, std::string> make_directories(const Options& options) {
  if (auto made = make_directory(options.runtime_dir, 0750); !made) return made;
  return make_directory(options.state_dir, 0700);
}

}  // namespace cp
