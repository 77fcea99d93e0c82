// SPDX-License-Identifier: Apache-2.0
// weir-porthelper: what takes privilege, and nothing else, for the data plane that started it.
#include "dataplane/base/log.hpp"
#include "dataplane/base/log_options.hpp"
#include "dataplane/base/manual.hpp"
#include "dataplane/base/privilege.hpp"
#include "drivers/helper/server.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr const char* about =
    "weir-porthelper opens XDP sockets, programs and TAPs for the weir-dataplane that started it "
    "and handed it a socket, or that connected to systemd's. It is not started by hand.";

base::Manual manual() {
  return {.program = "weir-porthelper",
          .summary = "open what takes privilege for weir-dataplane",
          .synopsis =
              "\\fB\\-\\-socket\\fR \\fINUMBER\\fR \\fB\\-\\-bpffs\\fR \\fIPATH\\fR "
              "[\\fIOPTIONS\\fR]",
          .more = {{.title = "SEE ALSO", .text = "weir\\-dataplane(8)\n"}}};
}

struct Options {
  int socket = -1;
  std::string client_user;  // Empty: the client is the parent.
  std::string bpffs;
  base::LogLevel log_level = base::LogLevel::info;
  base::LogFormat log_format = base::LogFormat::text;
};

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app(about, "weir-porthelper");
  app.set_version_flag("--version", "weir-porthelper " WEIR_VERSION);
  const base::Manual page = manual();
  base::add_manual_option(app, page);
  app.add_option("--socket", options.socket, "Descriptor of the data plane's socket")->required();
  app.add_option("--bpffs", options.bpffs, "Where programs are pinned that outlive the data plane")
      ->required();
  app.add_option("--client-user", options.client_user,
                 "The data plane is no parent but a process of this user that connected")
      ->type_name("NAME");
  base::add_log_options(app, options.log_level, options.log_format);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

// The process that made the socket pair, or that connected, which alone is served.
base::Result<pid_t> find_client(int socket, const std::string& user) {
  ucred client{};
  socklen_t length = sizeof client;
  const int yes = 1;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &client, &length) != 0 ||
      ::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0) {
    return base::fail(base::Errc::invalid_argument, "--socket is no socket of a data plane", errno);
  }
  if (!user.empty()) {
    const auto wanted = base::find_user(user);
    if (!wanted) return std::unexpected(wanted.error());
    if (client.uid != wanted->uid) {
      return base::fail(base::Errc::closed, "who connected is not the user of --client-user");
    }
    return client.pid;
  }
  // Before the question, so that its end is not missed in between.
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != client.pid) {
    return base::fail(base::Errc::closed, "the data plane that made the socket is not my parent");
  }
  return client.pid;
}

base::Status run(const Options& options) {
  base::Descriptor socket(options.socket);
  const auto client = find_client(socket.get(), options.client_user);
  if (!client) return std::unexpected(client.error());
  // CAP_PERFMON: without, the kernel refuses programs that add a header's length to a pointer.
  // CAP_SYS_ADMIN: to follow a TAP into the network namespace that it was moved to.
  const auto kept = base::keep_capabilities(
      {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON, CAP_IPC_LOCK, CAP_SYS_ADMIN});
  if (!kept) return kept;
  dp::HelperServer server(std::move(socket), {.client = *client, .bpffs = options.bpffs});
  while (server.serve_one()) {
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  base::set_log(options.log_level, options.log_format, "weir-porthelper");
  if (auto status = run(options); !status) {
    LOG(error, "not_started", {"reason", status.error().text});
    return 1;
  }
  return 0;
}
